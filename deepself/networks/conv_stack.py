"""Convolutional layers over one, two or three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from deepself.networks.geometry import ConvLayer, geometries, lay_out
from deepself.networks.layers import (
    PerLayer,
    activation,
    choose,
    silence,
    time_axis,
    within,
)
from deepself.networks.norms import NORMALISATIONS, build_norm
from deepself.networks.pooling import pooling

# Any, since torch types each module's sizes by its number of axes.
CONVOLUTION: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
ZERO_PAD: dict[int, Any] = {1: nn.ZeroPad1d, 2: nn.ZeroPad2d, 3: nn.ZeroPad3d}


class ConvStack(nn.Module):
    """Layers of convolution, normalisation, activation and pooling.

    Parameters
    ----------
    in_channels
        Channels of the input.
    sizes
        Its other axes: ``(samples,)``, ``(bins, frames)`` or ``(frames, height, width)``.
    channels
        Channels of each layer; their number is the number of layers.
    kernel_size, stride, padding, dilation, pool
        One number, or a list with one a layer; on several axes an entry may be a list with one an
        axis: ``[bins, frames]`` or ``[frames, height, width]``. ``padding="same"`` keeps the
        length on an axis whose stride is 1, and pads half of what the dilated kernel covers at
        both ends of any other. A pool of 1 is none.
    groups
        Into how many groups a layer's channels are parted, each convolved by itself: one number,
        or a list with one a layer.
    pool_type
        "max" or "average", over windows that do not overlap.
    normalisation
        "batch", "instance", "group", "layer" or "none"; see
        :func:`deepself.networks.norms.build_norm`.
    activation_name
        Name of the activation.

    Attributes
    ----------
    out_channels, out_sizes
        What is left, worked out from ``sizes``.

    Raises
    ------
    ValueError
        Where a kernel or a pooling is longer than what is left of the input, groups do not divide
        the channels, a normalisation would see single values, or a setting is out of range.
    """

    def __init__(
        self,
        in_channels: int,
        sizes: tuple[int, ...],
        *,
        channels: Sequence[int],
        kernel_size: PerLayer,
        stride: PerLayer,
        padding: PerLayer | str,
        dilation: PerLayer,
        groups: PerLayer,
        pool: PerLayer,
        pool_type: str,
        normalisation: str,
        activation_name: str,
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("channels is empty: give one number a convolutional layer")
        choose("normalisation", normalisation, NORMALISATIONS)
        layout = geometries(
            len(channels),
            len(sizes),
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            pool=pool,
        )
        layers, self.out_sizes = lay_out(
            in_channels, sizes, channels, layout, groups, normalisation
        )
        self.blocks = nn.ModuleList(
            Block(layer, pool_type, normalisation, activation_name) for layer in layers
        )
        self.out_channels = layers[-1].channels

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give the maps ``(batch, out_channels, *out_sizes)`` and their true lengths.

        Lengths run along the last axis, or along the frames of films. What lies beyond an item's
        true length is set to zero before every layer, as if the item had come alone: an item's
        maps do not depend on the company it keeps.
        """
        if lengths is not None:
            lengths = lengths.to(x.device).clamp(1, x.shape[time_axis(x)])
            x = silence(x, lengths)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        return x, lengths


class Block(nn.Module):
    """One layer of a :class:`ConvStack`, which documents the settings."""

    def __init__(
        self, layer: ConvLayer, pool_type: str, normalisation: str, activation_name: str
    ) -> None:
        super().__init__()
        self.geometry = layer.geometry
        axes = len(self.geometry.kernel)
        padding: tuple[int, ...] = tuple(before for before, _ in self.geometry.padding)
        self.pad = None
        if any(before != after for before, after in self.geometry.padding):
            # A convolution pads both ends alike, so an even kernel's padding is a layer of its
            # own, which counts from the last axis backwards.
            self.pad = ZERO_PAD[axes](sum(reversed(self.geometry.padding), ()))
            padding = (0,) * axes
        self.convolution = CONVOLUTION[axes](
            layer.in_channels,
            layer.channels,
            self.geometry.kernel,
            self.geometry.stride,
            padding,
            self.geometry.dilation,
            layer.groups,
            bias=normalisation == "none",  # a normalisation's own shift makes it idle
        )
        self.norm = build_norm(normalisation, layer.channels)
        self.activation = activation(activation_name)
        self.pool = pooling(pool_type, self.geometry.pool)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Give the layer's output and its true lengths, zero beyond them."""
        axis = time_axis(x)
        x = self.convolution(x if self.pad is None else self.pad(x))
        valid = None
        if lengths is not None:
            lengths = self.geometry.convolved(axis - 2, lengths).clamp(1, x.shape[axis])
            valid = within(x, lengths)
        if self.norm is not None:
            x = self.norm(x, valid)
        x = self.activation(x)
        if self.pool is not None:
            x = self.pool(x)
        if lengths is not None:
            lengths = self.geometry.pooled(axis - 2, lengths).clamp(1, x.shape[axis])
            x = silence(x, lengths)
        return x, lengths
