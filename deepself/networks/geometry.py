"""Sizes of convolutional layers, worked out and checked before any layer is built."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import NamedTuple

from deepself.networks.layers import (
    AXIS_NAMES,
    Length,
    PerLayer,
    at_least,
    choose,
    conv_length,
    per_layer,
)
from deepself.networks.norms import norm_groups

UNITS = {**AXIS_NAMES, 3: ("frames", "pixels of height", "pixels of width")}


class Geometry(NamedTuple):
    """One layer's sizes, one entry an axis; a padding is what comes before and after."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    pool: tuple[int, ...]

    def span(self, axis: int) -> int:
        """Length that the kernel covers, the gaps of its dilation included."""
        return _span(self.kernel[axis], self.dilation[axis])

    def convolved(self, axis: int, length: Length) -> Length:
        """Length that the convolution leaves of ``length``."""
        return conv_length(length, self.span(axis), self.stride[axis], sum(self.padding[axis]))

    def pooled(self, axis: int, length: Length) -> Length:
        """Length that the pooling leaves of ``length``."""
        return conv_length(length, self.pool[axis], self.pool[axis])


class ConvLayer(NamedTuple):
    """One layer: its channels, the groups that they are parted into, and its sizes."""

    in_channels: int
    channels: int
    groups: int
    geometry: Geometry


def lay_out(
    in_channels: int,
    sizes: tuple[int, ...],
    channels: Sequence[int],
    geometries: Sequence[Geometry],
    groups: PerLayer,
    normalisation: str,
) -> tuple[list[ConvLayer], tuple[int, ...]]:
    """Follow an input through all layers.

    Parameters
    ----------
    in_channels, sizes
        The input's channels, and its other axes.
    channels, groups, normalisation
        See :class:`deepself.networks.conv_stack.ConvStack`.
    geometries
        Sizes of each layer.

    Returns
    -------
    layers : list of ConvLayer
        What each layer is built of.
    sizes : tuple of int
        What is left of the input's other axes.

    Raises
    ------
    ValueError
        For the first layer that does not fit what is left.
    """
    layers = []
    parted = per_layer("groups", groups, len(channels), 1)
    for number, (width, (group,), geometry) in enumerate(
        zip(channels, parted, geometries, strict=True), start=1
    ):
        at_least(f"channels of layer {number}", width)
        layer = ConvLayer(in_channels, width, group, geometry)
        _check_groups(number, layer)
        convolved = _convolved(number, geometry, sizes)
        _check_normalised(number, layer, convolved, normalisation)
        sizes = _pooled(number, geometry, sizes, convolved)
        layers.append(layer)
        in_channels = width
    return layers, sizes


def geometries(
    layers: int,
    axes: int,
    *,
    kernel_size: PerLayer,
    stride: PerLayer,
    padding: PerLayer | str,
    dilation: PerLayer,
    pool: PerLayer,
) -> list[Geometry]:
    """Spell the settings out, one geometry a layer."""
    kernels = per_layer("kernel_size", kernel_size, layers, axes)
    strides = per_layer("stride", stride, layers, axes)
    dilations = per_layer("dilation", dilation, layers, axes)
    pools = per_layer("pool", pool, layers, axes)
    if isinstance(padding, str):
        choose("padding", padding, ["same"])
        paddings = [
            tuple(_same(*sizes) for sizes in zip(*layer, strict=True))
            for layer in zip(kernels, strides, dilations, strict=True)
        ]
    else:
        spelt = per_layer("padding", padding, layers, axes, least=0)
        paddings = [tuple((size, size) for size in sizes) for sizes in spelt]
    rows = zip(kernels, strides, paddings, dilations, pools, strict=True)
    return [Geometry(*row) for row in rows]


def _span(kernel: int, dilation: int) -> int:
    return dilation * (kernel - 1) + 1


def _same(kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pad before and after: to the same length with a stride of 1, else by half the span."""
    span = _span(kernel, dilation)
    return ((span - 1) // 2 if stride == 1 else span // 2, span // 2)


def _convolved(number: int, geometry: Geometry, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes after a layer's convolution, refused where its kernel does not fit."""
    left = tuple(geometry.convolved(axis, size) for axis, size in enumerate(sizes))
    for axis, (unit, size) in enumerate(zip(UNITS[len(sizes)], sizes, strict=True)):
        if left[axis] < 1:
            padding, dilation = sum(geometry.padding[axis]), geometry.dilation[axis]
            kernel = f"a kernel of {geometry.kernel[axis]}"
            if dilation > 1:
                kernel += f" with a dilation of {dilation}, which covers {geometry.span(axis)}"
            raise ValueError(
                f"layer {number}: its input has {size} {unit} and {padding} of padding, too "
                f"short for {kernel}: at most {size + padding} fits"
            )
    return left


def _pooled(
    number: int, geometry: Geometry, sizes: tuple[int, ...], convolved: tuple[int, ...]
) -> tuple[int, ...]:
    """Sizes after a layer's pooling, refused where a window does not fit."""
    for unit, size, left, pool in zip(
        UNITS[len(sizes)], sizes, convolved, geometry.pool, strict=True
    ):
        if left < pool:
            raise ValueError(
                f"layer {number}: its input has {size} {unit}, {left} after the convolution, "
                f"too short for a pool of {pool}: at most {left} fits"
            )
    return tuple(geometry.pooled(axis, left) for axis, left in enumerate(convolved))


def _check_groups(number: int, layer: ConvLayer) -> None:
    """Refuse groups that do not divide a layer's channels."""
    common = gcd(layer.in_channels, layer.channels)
    if common % layer.groups:
        fitting = [str(n) for n in range(1, common + 1) if common % n == 0]
        only = "alone fits" if len(fitting) == 1 else "fit"
        raise ValueError(
            f"layer {number}: {layer.groups} groups do not divide its {layer.in_channels} input "
            f"and {layer.channels} output channels: {', '.join(fitting)} {only}"
        )


def _check_normalised(
    number: int, layer: ConvLayer, convolved: tuple[int, ...], normalisation: str
) -> None:
    """Refuse an item's own normalisation of a single value: its mean is all that there is."""
    if normalisation in ("batch", "none"):
        return
    grouped = layer.channels // norm_groups(normalisation, layer.channels)
    if grouped * prod(convolved) == 1:
        raise ValueError(
            f"layer {number}: {normalisation} normalisation would see one value at a time after "
            "the convolution, and leave nothing of it: batch, none, or less pooling before fits"
        )
