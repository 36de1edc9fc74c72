"""PANNs (Kong et al., 2020): convolutions over log-mel images, in the layout of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from deepself.networks._pretrained import PretrainedNetwork
from deepself.networks.base import check_input

BINS = 64
BLOCK_DROPOUT = 0.2


class Layout(NamedTuple):
    """Blocks of convolutions, each a layer or two with kernels of one size, then a pooling."""

    kernel: int
    convolutions: int
    channels: tuple[int, ...]
    pools: int  # of the blocks, the first so many halve both axes


# By the number of layers in the name, the linear ones included; table 2 of [1]_ for 14.
LAYOUTS = {
    6: Layout(5, 1, (64, 128, 256, 512), 4),
    10: Layout(3, 2, (64, 128, 256, 512), 4),
    14: Layout(3, 2, (64, 128, 256, 512, 1024, 2048), 5),
}

# The published networks compute their own log-mel image; these buffers are that front end, which
# here is the feature `panns_mel`.
FRONT_END = (
    "spectrogram_extractor.stft.conv_real.weight",
    "spectrogram_extractor.stft.conv_imag.weight",
    "logmel_extractor.melW",
)


class PANN(PretrainedNetwork):
    """Cnn6, Cnn10 and Cnn14 [1]_ over a log-mel image, as trained on AudioSet.

    Keys and shapes are those of the published state dicts, but for the final layer's name and for
    the front end, which is :func:`panns_mel <deepself.signal.panns.panns_mel>`: pretrained weights
    expect its decibels as they are, since the first normalisation is part of the network. The masks
    and mixtures that the publication trains with are no part of it.

    Parameters
    ----------
    input_shape
        ``(1, 64, frames)``, of at least 16 frames (6 and 10 layers) or 32 (14 layers); the frames
        may differ at forward time.
    classes
        Number of classes.
    layers
        6, 10 or 14.
    dropout
        Probability before each of the two linear layers. Behind each block of convolutions it is
        0.2, as published.

    Attributes
    ----------
    embedding_size
        512, or 2048 for 14 layers: the hidden linear layer after its rectification.

    Raises
    ------
    ValueError
        For an input of another shape, too few frames, or another number of layers.

    References
    ----------
    .. [1] Q. Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
       Recognition", IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020.
    """

    final = "fc_audioset"  # its published name; here it is `classifier`, as in all networks

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        layers: int = 14,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if layers not in LAYOUTS:
            raise ValueError(f"PANNs have 6, 10 or 14 layers, not {layers}")
        layout = LAYOUTS[layers]
        self._name = f"cnn{layers}"
        _check_shape(self._name, input_shape, classes, 2**layout.pools)
        self.bn0 = nn.BatchNorm2d(BINS)
        width = 1
        for number, channels in enumerate(layout.channels, start=1):
            block = ConvBlock(width, channels, layout, pooled=number <= layout.pools)
            self.add_module(f"conv_block{number}", block)
            width = channels
        self.blocks = len(layout.channels)
        self.embedding_size = width
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(width, width)
        self.classifier = nn.Linear(width, classes)
        self.apply(_draw)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the hidden layer ``(batch, embedding_size)``; ``lengths`` plays no part.

        The published weights were learnt on clips padded with silence, all frames pooled.
        """
        x = self.bn0(x.transpose(1, 2))  # the bins as channels, each with its own statistics
        maps = x.permute(0, 2, 3, 1)  # (batch, 1, frames, 64): published kernels are frames first
        for number in range(1, self.blocks + 1):
            maps = self.get_submodule(f"conv_block{number}")(maps)
        steps = maps.mean(dim=3)
        pooled = steps.amax(dim=2) + steps.mean(dim=2)
        return self.dropout(self.fc1(self.dropout(pooled)).relu())

    def _given(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the weights out of the published file, without the buffers of its front end.

        The file holds them as ``model`` beside the state of their training.
        """
        inner = state_dict.get("model")
        weights = inner if isinstance(inner, Mapping) else state_dict
        return {key: value for key, value in weights.items() if key not in FRONT_END}

    def _published(self, key: str) -> str:
        return key.replace("classifier.", f"{self.final}.", 1)


class ConvBlock(nn.Module):
    """Convolutions that keep both axes, each normalised and rectified; pooling; dropout.

    ``(batch, in_channels, frames, bins)`` to ``(batch, channels, frames // 2, bins // 2)``, or both
    axes as they are where it is not ``pooled``.
    """

    def __init__(self, in_channels: int, channels: int, layout: Layout, *, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled
        self.convolutions = layout.convolutions
        for number in range(1, layout.convolutions + 1):
            convolution = nn.Conv2d(
                in_channels, channels, layout.kernel, padding=layout.kernel // 2, bias=False
            )
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(channels))
            in_channels = channels
        self.dropout = nn.Dropout(BLOCK_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        for number in range(1, self.convolutions + 1):
            x = self.get_submodule(f"conv{number}")(x)
            x = self.get_submodule(f"bn{number}")(x).relu_()
        return self.dropout(avg_pool2d(x, 2) if self.pooled else x)


def _check_shape(name: str, input_shape: tuple[int, ...], classes: int, least: int) -> None:
    check_input(name, input_shape, classes, (3,))
    if tuple(input_shape[:2]) != (1, BINS):
        raise ValueError(
            f"{name} takes one channel of {BINS} bins, (1, {BINS}, frames), "
            f"not {tuple(input_shape)}"
        )
    if input_shape[2] < least:
        raise ValueError(f"{name} needs at least {least} frames, not {input_shape[2]}")


def _draw(module: nn.Module) -> None:
    """Draw initial weights as the publication does; normalisations start as torch's do."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
