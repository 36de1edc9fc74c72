"""MobileNetV3 for log-mel images, in the layout of weights for AudioSet (Schmid et al., 2023)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from deepself.networks._pretrained import PretrainedNetwork
from deepself.networks.base import check_input

BINS = 128
BatchNorm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


class Stage(NamedTuple):
    """One inverted residual block of the network at width 1."""

    kernel: int
    expanded: int
    out: int
    attention: bool
    activation: type[nn.Module]
    stride: int


# MobileNetV3-Large, table 1 of [2]_; the first convolution comes before, the last one after.
FIRST = 16
STAGES = (
    Stage(3, 16, 16, False, nn.ReLU, 1),
    Stage(3, 64, 24, False, nn.ReLU, 2),
    Stage(3, 72, 24, False, nn.ReLU, 1),
    Stage(5, 72, 40, True, nn.ReLU, 2),
    Stage(5, 120, 40, True, nn.ReLU, 1),
    Stage(5, 120, 40, True, nn.ReLU, 1),
    Stage(3, 240, 80, False, nn.Hardswish, 2),
    Stage(3, 200, 80, False, nn.Hardswish, 1),
    Stage(3, 184, 80, False, nn.Hardswish, 1),
    Stage(3, 184, 80, False, nn.Hardswish, 1),
    Stage(3, 480, 112, True, nn.Hardswish, 1),
    Stage(3, 672, 112, True, nn.Hardswish, 1),
    Stage(5, 672, 160, True, nn.Hardswish, 2),
    Stage(5, 960, 160, True, nn.Hardswish, 1),
    Stage(5, 960, 160, True, nn.Hardswish, 1),
)
LAST_EXPANSION = 6  # channels of the last convolution for each of the last block's
CLASSIFIER = 1280


class MobileNetAudioSet(PretrainedNetwork):
    """MobileNetV3-Large [2]_ over a log-mel image, as distilled on AudioSet [1]_.

    Its keys and shapes are those of the published state dicts (``mn04_as`` for width 0.4,
    ``mn10_as`` for 1.0), which expect the front end described there, :func:`audioset_mel
    <deepself.signal.audioset.audioset_mel>`, and no other normalisation. Trained from random
    weights, it predicts poorly for the first hundreds of steps: the running statistics move by a
    hundredth a step, as published.

    Parameters
    ----------
    input_shape
        ``(1, 128, frames)``; the frames may differ at forward time.
    classes
        Number of classes.
    width
        Factor on all channels, each then rounded to a multiple of 8: published are 0.4, 0.5, 1, 2,
        3 and 4.
    dropout
        Probability before the final linear layer.

    Attributes
    ----------
    embedding_size
        960 times the width, within the rounding: 384 at 0.4. The embedding is the pooled output of
        the convolutions, the published meaning; the classifier has a hidden layer.

    Raises
    ------
    ValueError
        For an input of another shape, or a width that is not positive.

    References
    ----------
    .. [1] F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via
       Transformer-to-CNN Knowledge Distillation", ICASSP 2023.
    .. [2] A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """

    final = "classifier.5"

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: float = 0.4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self._name = name = f"mn{round(10 * width):02}_as"
        check_input(name, input_shape, classes, (3,))
        if tuple(input_shape[:2]) != (1, BINS):
            raise ValueError(
                f"{name} takes one channel of {BINS} bins, (1, {BINS}, frames), "
                f"not {tuple(input_shape)}"
            )
        if width <= 0:
            raise ValueError(f"{name}: width must be positive, not {width}")
        channels = round_channels(FIRST * width)
        layers: list[nn.Module] = [_convolution(1, channels, 3, nn.Hardswish, stride=2)]
        for stage in STAGES:
            block = InvertedResidual(channels, stage, width)
            layers.append(block)
            channels = block.out_channels
        self.embedding_size = LAST_EXPANSION * channels
        layers.append(_convolution(channels, self.embedding_size, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)
        hidden = round_channels(CLASSIFIER * width)
        self.classifier = nn.Sequential(
            nn.Identity(),  # here, and next, the publication pools and flattens, as `embed` does:
            nn.Identity(),  # the layers after keep their published numbers
            nn.Linear(self.embedding_size, hidden),
            nn.Hardswish(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )
        self.apply(_draw)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the pooled maps ``(batch, embedding_size)``; ``lengths`` plays no part.

        The published weights were learnt on clips padded with silence, all frames pooled.
        """
        return adaptive_avg_pool2d(self.features(x), 1).flatten(start_dim=1)


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel, attend to channels, project by 1x1, add the input.

    ``(batch, in_channels, bins, frames)`` to ``(batch, out_channels, bins', frames')``, where the
    stride divides bins and frames, rounding up.
    """

    def __init__(self, in_channels: int, stage: Stage, width: float) -> None:
        super().__init__()
        expanded = round_channels(stage.expanded * width)
        self.out_channels = round_channels(stage.out * width)
        self.residual = stage.stride == 1 and in_channels == self.out_channels
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(_convolution(in_channels, expanded, 1, stage.activation))
        layers.append(
            _convolution(
                expanded,
                expanded,
                stage.kernel,
                stage.activation,
                stride=stage.stride,
                groups=expanded,
            )
        )
        if stage.attention:
            layers.append(ChannelAttention(expanded))
        layers.append(_convolution(expanded, self.out_channels, 1, None))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return x + self.block(x) if self.residual else self.block(x)


class ChannelAttention(nn.Module):
    """Squeeze and excitation over channels, nested as in the published keys.

    The publication allows several of these side by side, over channels, bins or frames; its weights
    use the one over channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        gate = nn.Module()
        squeezed = round_channels(channels // 4)
        gate.fc1 = nn.Linear(channels, squeezed)
        gate.fc2 = nn.Linear(squeezed, channels)
        self.conc_se_layers = nn.ModuleList([gate])

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of ``(batch, channels, bins, frames)`` by a number in (0, 1)."""
        gate = self.conc_se_layers[0]
        scale = gate.fc2(gate.fc1(x.mean(dim=(2, 3))).relu()).sigmoid()  # type: ignore[operator]
        return x * scale[:, :, None, None]


def round_channels(channels: float, multiple: int = 8) -> int:
    """Round to the nearest multiple, but never down by more than a tenth."""
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * channels else rounded


def _convolution(
    in_channels: int,
    out_channels: int,
    kernel: int,
    activation: type[nn.Module] | None,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Convolve, normalise and activate, padded so that a stride of 1 keeps the size."""
    convolution = nn.Conv2d(
        in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    layers: list[nn.Module] = [convolution, BatchNorm(out_channels)]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


def _draw(module: nn.Module) -> None:
    """Draw initial weights as the publication does; normalisations start as torch's do."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
