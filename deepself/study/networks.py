"""The part of a study that says which networks there are, and what each lets a study choose."""

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from deepself.study.base import Strict

Probability = Annotated[float, Field(ge=0, lt=1)]
PerAxis = Annotated[list[PositiveInt], Field(min_length=2, max_length=3)]
PerLayer = PositiveInt | list[PositiveInt | PerAxis]
Margin = Annotated[int, Field(ge=0)]
Padding = Literal["same"] | Margin | list[Margin | Annotated[list[Margin], Field(min_length=2)]]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "hardswish", "tanh", "sigmoid"]
Normalisation = Literal["batch", "instance", "group", "layer", "none"]


class Dense(Strict):
    """Fully connected network."""

    type: Literal["dense"]
    hidden: list[PositiveInt] = Field([128], description="Nodes of each hidden layer.")
    activation: Activation = "relu"
    dropout: Probability = 0.0
    normalisation: Literal["batch", "layer", "none"] = "none"


class ConvolutionalFront(Strict):
    """A stack of convolutions; each setting is one number, or a list with one a layer."""

    channels: list[PositiveInt] = Field(
        [16, 32, 64], min_length=1, description="Of each layer; as many as there are layers."
    )
    kernel_size: PerLayer = Field(3, description="Per layer, and in its list per axis.")
    stride: PerLayer = Field(1, description="Per layer, and in its list per axis.")
    padding: Padding = Field(
        "same",
        description=(
            "same keeps the length where the stride is 1; else a number for both ends, per layer, "
            "and in its list per axis; 0 for none."
        ),
    )
    dilation: PerLayer = Field(1, description="Steps between a kernel's places; as kernel_size.")
    groups: PositiveInt | list[PositiveInt] = Field(
        1, description="Groups of channels that see only themselves, per layer."
    )
    pool: PerLayer = Field(2, description="Pooling after each convolution; 1 for none.")
    pool_type: Literal["max", "average"] = "max"
    normalisation: Normalisation = Field("batch", description="After each convolution.")
    activation: Activation = "relu"
    dropout: Probability = Field(0.0, description="Of the read-out, and of dense layers.")


class Convolutional(ConvolutionalFront):
    """Convolutions over signals (cnn1d), spectral images and pictures (cnn2d) or film (cnn3d)."""

    type: Literal["cnn1d", "cnn2d", "cnn3d"]
    hidden: list[PositiveInt] = Field([], description="Dense layers after the read-out.")
    readout: Literal["mean", "max", "attention", "flatten"] = Field(
        "mean", description="How the maps become one vector."
    )


class RecurrentBack(Strict):
    """A stack of recurrent layers."""

    cell: Literal["rnn", "lstm", "gru"] = "gru"
    hidden_size: PositiveInt = Field(64, description="Nodes of a layer, in each direction.")
    num_layers: PositiveInt = Field(1, description="Recurrent layers.")
    bidirectional: bool = Field(False, description="Also read backwards.")
    readout: Literal["last", "mean", "attention"] = Field(
        "last", description="How the steps become one vector."
    )


class Recurrent(RecurrentBack):
    """Recurrent network over frames."""

    type: Literal["rnn"]
    dropout: Probability = 0.0
    frame: PositiveInt | None = Field(None, description="Samples a step, for a waveform.")


class ConvolutionalRecurrent(ConvolutionalFront, RecurrentBack):
    """Convolutions, then recurrent layers over the time axis that they leave."""

    type: Literal["cnn_rnn"]


class RecurrentAutoencoder(Strict):
    """Sequence-to-sequence autoencoder, learnt without labels; its classifier is fitted."""

    type: Literal["rnn_autoencoder"]
    cell: Literal["rnn", "gru"] = "gru"
    hidden_size: PositiveInt = Field(128, description="Nodes of a layer.")
    num_layers: PositiveInt = Field(2, description="Layers of the encoder, and of the decoder.")
    bidirectional: bool = Field(False, description="The encoder also reads backwards.")
    dropout: Probability = Field(0.0, description="Between recurrent layers.")


class Published(Strict):
    """A network for which others publish weights."""

    weights: str | None = Field(
        None, description="none (random), a published name, or the path of a weights file."
    )

    @field_validator("weights")
    @classmethod
    def _none_is_none(cls, weights: str | None) -> str | None:
        return None if weights == "none" else weights


class PictureNetwork(Published):
    """What networks trained on pictures share."""

    input_channels: Literal["replicate", "kernel"] | None = Field(
        None,
        description=(
            "Inputs of other than three channels: replicate one to three, or sum (of one) or tile "
            "(of several) the first kernel; default: replicate one, tile for several."
        ),
    )
    imagenet_normalisation: bool | None = Field(
        None, description="Default: exactly when ImageNet weights are used on pictures."
    )


class Torchvision(PictureNetwork):
    """An architecture of torchvision's; resnext101_32x8d_wsl has weights learnt from hashtags."""

    type: Literal[
        "alexnet",
        "convnext_base",
        "convnext_large",
        "convnext_small",
        "convnext_tiny",
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet201",
        "efficientnet_b0",
        "efficientnet_b1",
        "efficientnet_b2",
        "efficientnet_b3",
        "efficientnet_b4",
        "efficientnet_b5",
        "efficientnet_b6",
        "efficientnet_b7",
        "efficientnet_v2_l",
        "efficientnet_v2_m",
        "efficientnet_v2_s",
        "googlenet",
        "mobilenet_v2",
        "mobilenet_v3",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "resnet101",
        "resnet152",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnext101_32x8d",
        "resnext101_32x8d_wsl",
        "resnext101_64x4d",
        "resnext50_32x4d",
        "vgg11",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
        "vit_b_16",
        "vit_b_32",
        "vit_l_16",
        "vit_l_32",
        "wide_resnet101_2",
        "wide_resnet50_2",
    ]


class Timm(PictureNetwork):
    """Any architecture of timm's; a published name is one of its tags, as in a1_in1k."""

    type: Annotated[str, Field(pattern=r"^timm/[A-Za-z0-9_]+$")]


class EfficientNetLite(PictureNetwork):
    """EfficientNet-Lite0, whose ImageNet weights the extra `imagenet` installs."""

    type: Literal["efficientnet_lite0"]


class AudioSetMobileNet(Published):
    """MobileNetV3 trained on AudioSet; mn10_as has width 1.0."""

    type: Literal["mn04_as", "mn05_as", "mn10_as", "mn20_as", "mn30_as", "mn40_as"]
    dropout: Probability = 0.2


class PANN(Published):
    """Pretrained audio neural networks: convolutions trained on AudioSet."""

    type: Literal["cnn6", "cnn10", "cnn14"]
    dropout: Probability = Field(0.5, description="Before the last linear layers.")


class Piczak(Strict):
    """The convolutional network of the ESC data sets."""

    type: Literal["piczak"]
    hidden: PositiveInt = 5000
    dropout: Probability = 0.5


class SoundNet(Published):
    """SoundNet of 5 or 8 layers; weights only by path."""

    type: Literal["soundnet5", "soundnet8"]
    dropout: Probability = 0.0


class End2You(Strict):
    """Convolutional and recurrent networks over raw audio: Emo16, Emo18 and Zhao19."""

    type: Literal["emo16", "emo18", "zhao19"]
    hidden_size: PositiveInt = 256
    num_layers: PositiveInt = 2
    bidirectional: bool = False
    dropout: Probability = 0.5
    readout: Literal["last", "mean", "attention"] = "last"


class Braindecode(Strict):
    """Networks for EEG; the extra `braindecode` installs them."""

    type: Literal["eegnet", "deep4", "shallow_fbcsp"]
    dropout: Probability | None = Field(None, description="Default: the publication's.")


CLASSES = (
    Dense,
    Convolutional,
    Recurrent,
    ConvolutionalRecurrent,
    RecurrentAutoencoder,
    Torchvision,
    Timm,
    EfficientNetLite,
    AudioSetMobileNet,
    PANN,
    Piczak,
    SoundNet,
    End2You,
    Braindecode,
)

TYPES: dict[str, type[Strict]] = {
    name: cls
    for cls in CLASSES
    if cls is not Timm
    for name in get_args(cls.model_fields["type"].annotation)
}
"""The class of settings of each type of network; `timm/…` stands beside them."""


def class_of(type: str) -> type[Strict] | None:
    """The class of settings of a type, `timm/…` included; None for an unknown one."""
    return Timm if type.startswith("timm/") else TYPES.get(type)


def _tag(value: Any) -> str | None:
    name = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    cls = class_of(name) if isinstance(name, str) else None
    return cls.__name__ if cls else "Branches" if name == "branches" else None


_CHOICE = Discriminator(
    _tag, custom_error_type="network_type", custom_error_message="unknown network type"
)

_Single = (
    Annotated[Dense, Tag("Dense")]
    | Annotated[Convolutional, Tag("Convolutional")]
    | Annotated[Recurrent, Tag("Recurrent")]
    | Annotated[ConvolutionalRecurrent, Tag("ConvolutionalRecurrent")]
    | Annotated[RecurrentAutoencoder, Tag("RecurrentAutoencoder")]
    | Annotated[Torchvision, Tag("Torchvision")]
    | Annotated[Timm, Tag("Timm")]
    | Annotated[EfficientNetLite, Tag("EfficientNetLite")]
    | Annotated[AudioSetMobileNet, Tag("AudioSetMobileNet")]
    | Annotated[PANN, Tag("PANN")]
    | Annotated[Piczak, Tag("Piczak")]
    | Annotated[SoundNet, Tag("SoundNet")]
    | Annotated[End2You, Tag("End2You")]
    | Annotated[Braindecode, Tag("Braindecode")]
)

SingleNetwork = Annotated[_Single, _CHOICE]
"""A network that reads one feature."""

Normalise = Literal["none", "item", "channel", "bin"]


class Branch(Strict):
    """One feature's way into a network of several."""

    feature: str = Field(description="Name of a feature of this study.")
    network: SingleNetwork
    normalise: Normalise | None = Field(None, description="As a model's.")
    initialise: str | None = Field(
        None,
        description=(
            "A model of this study with the same feature and network: its run of the same fold "
            "and seed gives the branch's first weights."
        ),
    )


class Branches(Strict):
    """A network a feature, joined before the classifier and trained as one."""

    type: Literal["branches"]
    branches: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")], Branch] = Field(
        min_length=2
    )
    join: Literal["concatenation", "gated_sum", "cross_attention"] = "concatenation"
    size: PositiveInt = Field(128, description="Length to which each embedding is brought.")
    heads: PositiveInt = Field(4, description="Heads of cross_attention; they divide size.")
    dropout: Probability = 0.0

    @model_validator(mode="after")
    def _heads_divide(self) -> "Branches":
        if self.join == "cross_attention" and self.size % self.heads:
            raise ValueError(f"size ({self.size}) must be a multiple of heads ({self.heads})")
        return self


AnyNetwork = Annotated[_Single | Annotated[Branches, Tag("Branches")], _CHOICE]
"""A network of a model."""
