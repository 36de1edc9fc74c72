"""A convolutional front with a recurrent back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.conv_stack import ConvStack
from deepself.networks.layers import PerLayer
from deepself.networks.rnn import MAX_RAW_STEPS, Recurrent, as_sequence, per_step


class CNNRNN(Network):
    """Convolutional recurrent network (CRNN) [1]_, not tied to the length it was built with.

    The front is 1D for signals, 2D for images and 3D for films. It keeps the time axis, whose
    positions are the steps of the recurrent back: samples, or frames. What is left of channels and
    bins, or of height and width, becomes the features of a step.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``, ``(channels, bins, frames)`` or
        ``(channels, frames, height, width)``.
    classes
        Number of classes.
    channels, kernel_size, stride, padding, dilation, groups, pool, pool_type, normalisation
        The front's; see :class:`deepself.networks.conv_stack.ConvStack`.
    activation
        Name of the front's activation.
    cell, hidden_size, num_layers, bidirectional, readout
        The back's; see :class:`deepself.networks.rnn.Recurrent`.
    dropout
        Probability between recurrent layers and before the classifier; none in the front, as in
        :class:`deepself.networks.cnn.CNN1d`.

    Raises
    ------
    ValueError
        For an input of other axes, a layer that does not fit what is left, a signal of which more
        than 1,000 steps are left, or a setting out of range.

    References
    ----------
    .. [1] K. Choi, G. Fazekas, M. Sandler, K. Cho, "Convolutional Recurrent Neural Networks for
       Music Classification", ICASSP 2017.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        channels: Sequence[int] = (16, 32, 64),
        kernel_size: PerLayer = 3,
        stride: PerLayer = 1,
        padding: PerLayer | str = "same",
        dilation: PerLayer = 1,
        groups: PerLayer = 1,
        pool: PerLayer = 2,
        pool_type: str = "max",
        normalisation: str = "batch",
        activation: str = "relu",
        cell: str = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        readout: str = "last",
    ) -> None:
        super().__init__()
        check_input("cnn_rnn", input_shape, classes, (2, 3, 4))
        self.front = ConvStack(
            input_shape[0],
            input_shape[1:],
            channels=channels,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            pool=pool,
            pool_type=pool_type,
            normalisation=normalisation,
            activation_name=activation,
        )
        steps, features = per_step(self.front.out_channels, self.front.out_sizes)
        if len(input_shape) == 2 and steps > MAX_RAW_STEPS:
            raise ValueError(
                f"cnn_rnn: the front leaves {steps:,} steps of {input_shape[1]:,} samples, "
                f"hopelessly slow: raise pool or stride until at most {MAX_RAW_STEPS:,} are left"
            )
        self.back = Recurrent(
            features,
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            readout=readout,
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = self.back.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the read-out ``(batch, embedding_size)`` over each item's true ``lengths``.

        The lengths are followed through the front's convolutions and poolings.
        """
        maps, lengths = self.front(x, lengths)
        return self.dropout(self.back(as_sequence(maps), lengths))
