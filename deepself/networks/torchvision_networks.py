"""The architectures that torchvision builds, with the layout of the weights it publishes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from deepself.networks._average_pool import AveragePool2d
from deepself.networks._pictures import (
    PictureNetwork,
    Statistics,
    behead,
    first_channels,
    first_convolution,
    widen,
)
from deepself.networks._torchvision import import_torchvision
from deepself.networks.base import check_input

# Rows and columns that the strides and pools of an architecture need; others make do with one.
SMALLEST = {"alexnet": 63, "convnext": 32, "densenet": 29, "googlenet": 15, "vgg": 32}

# GoogLeNet's weights come from TensorFlow, and were not trained with the usual statistics.
GOOGLENET = Statistics((0.5,) * 3, (0.5,) * 3)

# Published files are older than the code: some of their keys have since had other names.
OLDER_KEYS = {
    "densenet": [(r"(\.denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2")],
    "vit": [(r"\.mlp\.linear_1\.", ".mlp.0."), (r"\.mlp\.linear_2\.", ".mlp.3.")],
}
AUXILIARY = ("aux1.", "aux2.")  # GoogLeNet's classifiers halfway, which only its training used


class TorchvisionNetwork(PictureNetwork):
    """An architecture for pictures, built by torchvision.

    AlexNet [1]_, ConvNeXt [2]_, DenseNet [3]_, EfficientNet [4]_ and EfficientNetV2 [5]_, GoogLeNet
    [6]_, MobileNetV2 [7]_ and V3 [8]_, ResNet [9]_, ResNeXt [10]_, VGG [11]_, vision transformers
    [12]_ and wide ResNets [13]_. With the same seed the weights are those that torchvision draws,
    but for a first convolution over other than three channels.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)``.
    classes
        Number of classes.
    architecture
        torchvision's name.
    input_channels
        How other than three channels are taken: "replicate" repeats one three times, the default
        for one; "kernel" gives the first convolution as many channels, the default for several.
        Published weights are then summed over the colours (one channel) or take the colours in
        turn (several).
    imagenet_normalisation
        Whether the network itself subtracts the mean of the pictures that the published weights
        were trained on, and divides by their standard deviation, for inputs in [0, 1].

    Raises
    ------
    ValueError
        For an input that is no image, that is too small (it says what would fit), or for a vision
        transformer no square that its patches divide; for several channels to be replicated.

    References
    ----------
    .. [1] A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
    .. [2] Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022.
    .. [3] G. Huang et al., "Densely Connected Convolutional Networks", CVPR 2017.
    .. [4] M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
       Networks", ICML 2019.
    .. [5] M. Tan, Q. Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021.
    .. [6] C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015.
    .. [7] M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
    .. [8] A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
    .. [9] K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    .. [10] S. Xie et al., "Aggregated Residual Transformations for Deep Neural Networks", CVPR
       2017; the weights learnt from hashtags: D. Mahajan et al., "Exploring the Limits of Weakly
       Supervised Pretraining", ECCV 2018.
    .. [11] K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
       Recognition", ICLR 2015.
    .. [12] A. Dosovitskiy et al., "An Image Is Worth 16x16 Words", ICLR 2021.
    .. [13] S. Zagoruyko, N. Komodakis, "Wide Residual Networks", BMVC 2016.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        architecture: str,
        input_channels: str | None = None,
        imagenet_normalisation: bool | None = None,
    ) -> None:
        check_input(architecture, input_shape, classes, (3,))
        channels = first_channels(architecture, input_shape[0], input_channels)
        _check_size(architecture, input_shape)
        models = import_torchvision().models
        network = models.get_model(
            architecture, weights=None, num_classes=classes, **_arguments(architecture, input_shape)
        )
        pool = getattr(network, "avgpool", None)
        size = pool.output_size if isinstance(pool, nn.AdaptiveAvgPool2d) else None
        if isinstance(size, tuple) and size != (1, 1):
            network.avgpool = AveragePool2d([side or 1 for side in size])
        first = first_convolution(network)
        widen(network.get_submodule(first), channels)
        final = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1]
        super().__init__(
            network,
            behead(network, final),
            name=architecture,
            channels=channels,
            finals={"classifier": final},
            firsts=(first,),
            statistics=_statistics(models, architecture) if imagenet_normalisation else None,
        )

    def _renamed(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        family = _family(self._name)
        given = dict(state_dict)
        if family == "googlenet":
            given = {key: given[key] for key in given if not key.startswith(AUXILIARY)}
        for older, now in OLDER_KEYS.get(family, ()):
            given = {re.sub(older, now, key): value for key, value in given.items()}
        if family == "vit":
            self._resize_positions(given)
        return given

    def _resize_positions(self, given: dict[str, Tensor]) -> None:
        """Interpolate a vision transformer's positions, learnt on pictures of another size."""
        key = "encoder.pos_embedding"
        own = self.backbone.get_parameter(key)
        positions = given.get(key)
        if positions is not None and positions.ndim == 3 and positions.shape[::2] == own.shape[::2]:
            vision = import_torchvision().models.vision_transformer
            size, patch = self.backbone.image_size, self.backbone.patch_size
            given.update(vision.interpolate_embeddings(size, patch, dict(given)))


def _family(architecture: str) -> str:
    """Letters with which the name begins, as vgg of vgg11_bn."""
    return "".join(takewhile(str.isalpha, architecture))


def _check_size(architecture: str, input_shape: tuple[int, ...]) -> None:
    """Refuse an image that the architecture cannot take, saying which it could."""
    family = _family(architecture)
    channels, height, width = input_shape
    if family == "vit":
        patch = int(architecture.rpartition("_")[2])
        if height != width or height % patch:
            side = -(-max(height, width) // patch) * patch
            raise ValueError(
                f"{architecture} takes square images whose sides are multiples of {patch}, as "
                f"{(channels, side, side)}, not {input_shape}"
            )
    smallest = SMALLEST.get(family, 1)
    if min(height, width) < smallest:
        raise ValueError(
            f"{architecture} takes images of at least {smallest} rows and columns, "
            f"not {input_shape}"
        )


def _arguments(architecture: str, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """What torchvision has to be told beyond the name."""
    family = _family(architecture)
    if family == "vit":
        return {"image_size": input_shape[1]}
    if family == "googlenet":  # torchvision warns where the second is left to it
        return {"aux_logits": False, "init_weights": True}
    return {}


def _statistics(models: ModuleType, architecture: str) -> Statistics:
    """What torchvision normalises by in front of the published weights."""
    if architecture == "googlenet":
        return GOOGLENET
    transforms = models.get_model_weights(architecture).DEFAULT.transforms()
    return Statistics(tuple(transforms.mean), tuple(transforms.std))
