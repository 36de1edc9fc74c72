"""Piczak's convolutional network (2015) for short segments of environmental sound."""

from __future__ import annotations

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.conv_stack import ConvStack
from deepself.networks.layers import DenseStack, at_least

CHANNELS = 80
SLACK = 3  # bins that the first kernel leaves out: 57 of 60 in the publication
LEAST_BINS = SLACK + 1
LEAST_FRAMES = 20  # kernel 6, pool 3, kernel 3 and pool 3 leave one step of them


class Piczak(Network):
    """The network with which ESC-10 and ESC-50 were first classified by convolutions [1]_.

    Two convolutions, the first over nearly all bins, so that a sound may move a little in
    frequency, and two dense layers. Tied to the number of frames that it was built with. The
    publication reads 41 or 101 frames of 60 mel bands at 22.05 kHz (512 samples a frame), in
    decibels and standardised, with their deltas as a second channel.

    Parameters
    ----------
    input_shape
        ``(channels, bins, frames)``, of at least 4 bins and 20 frames; any number of channels.
    classes
        Number of classes.
    hidden
        Units of each dense layer.
    dropout
        Probability after the first convolution and after each dense layer.

    Raises
    ------
    ValueError
        For an input that is no image or too small, or a setting out of range.

    References
    ----------
    .. [1] K. J. Piczak, "Environmental Sound Classification with Convolutional Neural Networks",
       IEEE MLSP 2015.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        hidden: int = 5000,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_input("piczak", input_shape, classes, (3,))
        channels, bins, frames = input_shape
        if bins < LEAST_BINS or frames < LEAST_FRAMES:
            raise ValueError(
                f"piczak needs at least {LEAST_BINS} bins and {LEAST_FRAMES} frames, "
                f"not {bins} and {frames}"
            )
        self.first = _layer(channels, (bins, frames), (bins - SLACK, 6), (LEAST_BINS, 3))
        self.dropout = nn.Dropout(dropout)
        self.second = _layer(CHANNELS, self.first.out_sizes, (1, 3), (1, 3))
        units = at_least("hidden", hidden)
        steps = self.second.out_sizes[1]
        self.dense = DenseStack(CHANNELS * steps, (units, units), "relu", dropout)
        self.embedding_size = units
        self.classifier = nn.Linear(units, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the second dense layer ``(batch, hidden)``.

        What lies beyond the true ``lengths`` has no effect; all items are of the built length.
        """
        maps, lengths = self.first(x, lengths)
        maps, _ = self.second(self.dropout(maps), lengths)
        return self.dense(maps.flatten(start_dim=1))


def _layer(
    in_channels: int, sizes: tuple[int, ...], kernel: tuple[int, int], pool: tuple[int, int]
) -> ConvStack:
    """Build one convolution without padding, rectified and pooled.

    The publication pools bins in steps of one, which is the same: one pool's worth is left.
    """
    return ConvStack(
        in_channels,
        sizes,
        channels=(CHANNELS,),
        kernel_size=(kernel,),
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        pool=(pool,),
        pool_type="max",
        normalisation="none",
        activation_name="relu",
    )
