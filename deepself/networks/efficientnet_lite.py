"""EfficientNet-Lite0, in the layout of its published ImageNet weights."""

from __future__ import annotations

from math import prod, sqrt
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from deepself.networks._pictures import PictureNetwork, Statistics, behead, first_channels
from deepself.networks.base import check_input

# Of bytes: (picture - 127) / 128.
STATISTICS = Statistics((127 / 255,) * 3, (128 / 255,) * 3)
FIRST = 32
LAST = 1280
DROPOUT = 0.2


class Stage(NamedTuple):
    """Blocks alike; the first one has the stride, and brings the channels to those of the stage."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(PictureNetwork):
    """EfficientNet-B0 [1]_ for small devices [2]_: ReLU6 throughout, no squeeze-and-excitation.

    The keys and shapes of the published weights are those of :class:`Lite0`, which also pads as
    they expect it.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)``.
    classes
        Number of classes.
    input_channels
        How other than three channels are taken: "replicate" repeats one three times, the default
        for one; "kernel" gives the first convolution as many channels, the default for several.
    imagenet_normalisation
        Whether the network itself subtracts 127/255 and divides by 128/255, for inputs in [0, 1],
        as the published weights expect it.

    Raises
    ------
    ValueError
        For an input that is no image, or several channels to be replicated.

    References
    ----------
    .. [1] M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
       Networks", ICML 2019.
    .. [2] R. Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        input_channels: str | None = None,
        imagenet_normalisation: bool | None = None,
    ) -> None:
        check_input("efficientnet_lite0", input_shape, classes, (3,))
        channels = first_channels("efficientnet_lite0", input_shape[0], input_channels)
        network = Lite0(channels, classes)
        super().__init__(
            network,
            behead(network, "_fc"),
            name="efficientnet_lite0",
            channels=channels,
            finals={"classifier": "_fc"},
            firsts=("_conv_stem",),
            statistics=STATISTICS if imagenet_normalisation else None,
        )


class Lite0(nn.Module):
    """The architecture: ``(batch, channels, height, width)`` to logits ``(batch, classes)``.

    Its attributes are named after the published keys.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(channels, FIRST, 3, stride=2)
        self._bn0 = _norm(FIRST)
        self._blocks = nn.ModuleList()
        width = FIRST
        for stage in STAGES:
            for block in range(stage.blocks):
                self._blocks.append(Block(width, stage, stage.stride if block == 0 else 1))
                width = stage.channels
        self._conv_head = SameConv2d(width, LAST, 1)
        self._bn1 = _norm(LAST)
        self.dropout = nn.Dropout(DROPOUT)
        self._fc = nn.Linear(LAST, classes)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):  # as [1]: by the outputs that an input reaches
                reached = prod(part.kernel_size) * part.out_channels // part.groups
                nn.init.normal_(part.weight, std=sqrt(2 / reached))

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits."""
        x = relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = relu6(self._bn1(self._conv_head(x)))
        return self._fc(self.dropout(x.mean(dim=(2, 3))))


class Block(nn.Module):
    """Expand by 1x1 (unless by 1), filter each channel, project by 1x1, add the input."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        expanded = channels * stage.expansion
        self.expands = stage.expansion > 1
        if self.expands:
            self._expand_conv = SameConv2d(channels, expanded, 1)
            self._bn0 = _norm(expanded)
        self._depthwise_conv = SameConv2d(
            expanded, expanded, stage.kernel, stride=stride, groups=expanded
        )
        self._bn1 = _norm(expanded)
        self._project_conv = SameConv2d(expanded, stage.channels, 1)
        self._bn2 = _norm(stage.channels)
        self.residual = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, height, width)``; the stride divides the sides, rounding up."""
        y = relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow's "same": an odd row or column comes after.

    torch's own padding is the same on both sides, so that with a stride of two the kernels would
    stand elsewhere than in training.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in_channels, …)`` to ``(batch, out_channels, …)``, as many rows over stride."""
        margins: list[int] = []
        axes = zip(x.shape[2:], self.kernel_size, self.stride, strict=True)
        for size, kernel, stride in reversed(list(axes)):  # torch pads the last axis first
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            margins += [total // 2, total - total // 2]
        return super().forward(pad(x, margins) if any(margins) else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
