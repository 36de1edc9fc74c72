"""The part of a study that says which models are trained, and how they are fused."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from deepself.study.base import Strict

Probability = Annotated[float, Field(ge=0, lt=1)]
PerLayer = PositiveInt | list[PositiveInt | tuple[PositiveInt, PositiveInt]]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]
BatchNorm = Literal["batch", "none"]


class Dense(Strict):
    """Fully connected network."""

    type: Literal["dense"]
    hidden: list[PositiveInt] = Field([128], description="Nodes of each hidden layer.")
    activation: Activation = "relu"
    dropout: Probability = 0.0
    normalisation: BatchNorm = "none"


class ConvolutionalFront(Strict):
    """A stack of convolutions; each setting is one number, or a list with one a layer."""

    channels: list[PositiveInt] = Field([16, 32, 64], min_length=1)
    kernel_size: PerLayer = 3
    stride: PerLayer = 1
    padding: Literal["same"] | int | list[int] = "same"
    pool: PerLayer = Field(2, description="Max-pooling after each convolution; 1 for none.")
    normalisation: BatchNorm = "batch"
    activation: Activation = "relu"
    dropout: Probability = 0.0


class Convolutional(ConvolutionalFront):
    """Convolutional network over signals (cnn1d) or spectral images and pictures (cnn2d)."""

    type: Literal["cnn1d", "cnn2d"]
    hidden: list[PositiveInt] = Field([], description="Dense layers after the read-out.")
    readout: Literal["mean", "max", "flatten"] = "mean"


class RecurrentBack(Strict):
    """A stack of recurrent layers."""

    cell: Literal["rnn", "lstm", "gru"] = "gru"
    hidden_size: PositiveInt = 64
    num_layers: PositiveInt = 1
    bidirectional: bool = False
    readout: Literal["last", "mean"] = "last"


class Recurrent(RecurrentBack):
    """Recurrent network over frames."""

    type: Literal["rnn"]
    dropout: Probability = 0.0
    frame: PositiveInt | None = Field(None, description="Samples a step, for a waveform.")


class ConvolutionalRecurrent(ConvolutionalFront, RecurrentBack):
    """Convolutions, then recurrent layers over the time axis that they leave."""

    type: Literal["cnn_rnn"]


class ResNet18(Strict):
    """torchvision's ResNet-18."""

    type: Literal["resnet18"]
    weights: str | None = Field(
        None, description="None (random), imagenet, or the path of a weights file."
    )
    imagenet_normalisation: bool | None = Field(
        None, description="Default: exactly when ImageNet weights are used on pictures."
    )


class AudioSetMobileNet(Strict):
    """MobileNetV3 of width 0.4, trained on AudioSet."""

    type: Literal["mn04_as"]
    weights: str | None = Field(
        None, description="None (random), audioset, or the path of a weights file."
    )
    dropout: Probability = 0.2


AnyNetwork = Annotated[
    Dense | Convolutional | Recurrent | ConvolutionalRecurrent | ResNet18 | AudioSetMobileNet,
    Field(discriminator="type"),
]


class LinearSVM(Strict):
    """Linear support vector machine; its complexity is chosen on dev."""

    type: Literal["linear_svm"]
    complexity: list[PositiveFloat] = Field(
        [1e-4, 1e-3, 1e-2, 1e-1, 1.0], min_length=1, description="Values of C to choose from."
    )


class Training(Strict):
    """How a network is trained."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 32
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: PositiveFloat = Field(1e-3, description="Learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1, description="For sgd.")
    weight_decay: NonNegativeFloat = 0.0
    class_weights: Literal["balanced", "none"] = Field(
        "balanced", description="balanced: inverse to the class's share of the training partition."
    )


class Model(Strict):
    """A feature, what classifies it, and how that is trained."""

    feature: str = Field(description="Name of a feature of this study.")
    network: AnyNetwork | None = None
    classifier: LinearSVM | None = Field(None, description="In place of a network.")
    normalise: Literal["none", "item", "channel", "bin"] | None = Field(
        None,
        description=(
            "Mean 0 and deviation 1 of each item's channels, or by channel or frequency bin, "
            "learnt on the training partition; default: channel, but none where pretrained "
            "weights expect raw input."
        ),
    )
    training: Training = Training()

    @model_validator(mode="after")
    def _one_of_two(self) -> "Model":
        if (self.network is None) == (self.classifier is None):
            raise ValueError("give either network or classifier")
        if self.classifier is not None and "training" in self.model_fields_set:
            raise ValueError("training belongs to networks; a classifier has none")
        return self

    @property
    def method(self) -> "AnyNetwork | LinearSVM":
        """The network, or the classifier in its place."""
        chosen = self.network or self.classifier
        assert chosen is not None
        return chosen

    @property
    def weights(self) -> str | None:
        """Name or path of the pretrained weights, if any."""
        return getattr(self.network, "weights", None)


class Fusion(Strict):
    """A named combination of models."""

    members: list[str] = Field(
        ["*"], min_length=1, description="Names of models; * and ? match as in file names."
    )
    choose: Literal["all", "best_per_modality"] = Field(
        "all", description="best_per_modality: of each, the member with the best UAR on dev."
    )
    method: Literal["mean"] = Field("mean", description="Mean of the members' probabilities.")
