"""Convolutional networks over signals (1D) and images (2D)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.conv_stack import ConvStack, beyond
from deepself.networks.layers import DenseStack, PerLayer, choose

Readout = Literal["mean", "max", "flatten"]


class _CNN(Network):
    """What both convolutional networks share; :class:`CNN1d` documents the settings."""

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
        pool: PerLayer = 2,
        normalisation: str = "batch",
        activation: str = "relu",
        dropout: float = 0.0,
        hidden: Sequence[int] = (),
        readout: str = "mean",
    ) -> None:
        super().__init__()
        check_input(self.name, input_shape, classes, (self.axes + 1,))
        self.readout = choose("readout", readout, get_args(Readout))
        self.stack = ConvStack(
            input_shape[0],
            input_shape[1:],
            channels=channels,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            pool=pool,
            normalisation=normalisation,
            activation_name=activation,
        )
        features = self.stack.out_channels
        if readout == "flatten":
            features *= prod(self.stack.out_sizes)
        self.dropout = nn.Dropout(dropout)
        self.body = DenseStack(features, hidden, activation, dropout)
        self.embedding_size = self.body.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the read-out after its dense layers, ``(batch, embedding_size)``.

        With ``lengths``, mean and maximum are taken over the true part of each item.
        """
        maps, lengths = self.stack(x, lengths)
        return self.body(self.dropout(_read_out(maps, lengths, self.readout)))


class CNN1d(_CNN):
    """Convolutional network over a signal ``(channels, samples)``.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``. With the read-outs "mean" and "max" the samples may differ at
        forward time.
    classes
        Number of classes.
    channels
        Channels of each convolutional layer.
    kernel_size, stride, padding, pool
        One whole number, or a list with one a layer; see
        :class:`deepself.networks.conv_stack.ConvStack`.
    normalisation
        "batch" after each convolution, or "none".
    activation
        Name of the activation, also of the dense layers.
    dropout
        Probability of dropping a unit of the read-out and of each dense layer.
    hidden
        Units of dense layers between the read-out and the classifier.
    readout
        How the maps become a vector: their "mean" or "max" over all positions, or "flatten".

    Raises
    ------
    ValueError
        For an input that is no signal, a setting out of range, or a layer that does not fit what
        is left of the signal.
    """

    name = "cnn1d"
    axes = 1


class CNN2d(_CNN):
    """Convolutional network over a spectral image or a picture, ``(channels, bins, frames)``.

    Settings as :class:`CNN1d`'s; an entry of ``kernel_size``, ``stride``, ``padding`` or ``pool``
    may be a pair ``[bins, frames]``, as in ``kernel_size=[[5, 3], 3, 3]``.
    """

    name = "cnn2d"
    axes = 2


def _read_out(maps: Tensor, lengths: Tensor | None, readout: str) -> Tensor:
    """Turn maps ``(batch, channels, ..., frames)`` into vectors ``(batch, features)``."""
    if readout == "flatten":
        return maps.flatten(start_dim=1)
    if lengths is None:
        flat = maps.flatten(start_dim=2)
        return flat.mean(dim=2) if readout == "mean" else flat.amax(dim=2)
    if readout == "mean":  # what lies beyond is zero already
        positions = lengths.unsqueeze(1) * prod(maps.shape[2:-1])
        return maps.flatten(start_dim=2).sum(dim=2) / positions
    return maps.masked_fill(beyond(maps, lengths), -torch.inf).flatten(start_dim=2).amax(dim=2)
