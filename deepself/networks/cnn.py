"""Convolutional networks over signals (1D), images (2D) and films (3D)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.conv_stack import ConvStack
from deepself.networks.layers import DenseStack, PerLayer
from deepself.networks.readout import MapReadout


class _CNN(Network):
    """What the convolutional networks share; :class:`CNN1d` documents the settings."""

    name: str
    axes: int

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
        dropout: float = 0.0,
        hidden: Sequence[int] = (),
        readout: str = "mean",
    ) -> None:
        super().__init__()
        check_input(self.name, input_shape, classes, (self.axes + 1,))
        self.stack = ConvStack(
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
        self.readout = MapReadout(readout, self.stack.out_channels, self.stack.out_sizes)
        self.dropout = nn.Dropout(dropout)
        self.body = DenseStack(self.readout.out_features, hidden, activation, dropout)
        self.embedding_size = self.body.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the read-out after its dense layers, ``(batch, embedding_size)``.

        With ``lengths``, normalisations and read-outs see the true part of each item alone.
        """
        maps, lengths = self.stack(x, lengths)
        return self.body(self.dropout(self.readout(maps, lengths)))


class CNN1d(_CNN):
    """Convolutional network over a signal ``(channels, samples)``.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``. With read-outs other than "flatten" the samples may differ at
        forward time.
    classes
        Number of classes.
    channels
        Channels of each convolutional layer.
    kernel_size, stride, padding, dilation, groups, pool
        One whole number, or a list with one a layer; see
        :class:`deepself.networks.conv_stack.ConvStack`.
    pool_type
        "max" or "average".
    normalisation
        What follows each convolution: "batch", "instance", "group", "layer" or "none"; see
        :func:`deepself.networks.norms.build_norm`.
    activation
        Name of the activation, also of the dense layers.
    dropout
        Probability of dropping an element of the read-out, or a unit of a dense layer. There is
        none between convolutions: neighbours in a map tell what a dropped position held [1]_, and
        dropout before batch normalisation shifts the variance from training to evaluation [2]_.
    hidden
        Units of dense layers between the read-out and the classifier.
    readout
        How the maps become a vector: their "mean" or "max" over all positions, a mean weighted by
        "attention", or "flatten", all values.

    Raises
    ------
    ValueError
        For an input of other axes, a setting out of range, or a layer that does not fit what is
        left of the input.

    References
    ----------
    .. [1] J. Tompson et al., "Efficient Object Localization Using Convolutional Networks",
       CVPR 2015.
    .. [2] X. Li, S. Chen, X. Hu, J. Yang, "Understanding the Disharmony between Dropout and Batch
       Normalization by Variance Shift", CVPR 2019.
    """

    name = "cnn1d"
    axes = 1


class CNN2d(_CNN):
    """Convolutional network over a spectral image or a picture, ``(channels, bins, frames)``.

    Settings as :class:`CNN1d`'s; an entry of ``kernel_size``, ``stride``, ``padding``,
    ``dilation`` or ``pool`` may be a pair ``[bins, frames]``, as in
    ``kernel_size=[[5, 3], 3, 3]``.
    """

    name = "cnn2d"
    axes = 2


class CNN3d(_CNN):
    """Convolutional network over a film, ``(channels, frames, height, width)``.

    Settings as :class:`CNN1d`'s; an entry of ``kernel_size``, ``stride``, ``padding``,
    ``dilation`` or ``pool`` may be a triple ``[frames, height, width]``, as in
    ``pool=[[1, 2, 2], 2, 2]``. True lengths count frames. After [1]_.

    References
    ----------
    .. [1] D. Tran, L. Bourdev, R. Fergus, L. Torresani, M. Paluri, "Learning Spatiotemporal
       Features with 3D Convolutional Networks", ICCV 2015.
    """

    name = "cnn3d"
    axes = 3
