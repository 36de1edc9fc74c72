"""Convolutional layers over one or two axes, their sizes checked before they are built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from torch import Tensor, nn

from deepself.networks.layers import (
    Length,
    Normalisation,
    PerLayer,
    activation,
    at_least,
    choose,
    conv_length,
    per_layer,
    valid_steps,
)

AXIS_NAMES = {1: ("samples",), 2: ("bins", "frames")}
# Any, since torch types each module's sizes by its number of axes.
CONVOLUTION: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
ZERO_PAD: dict[int, Any] = {1: nn.ZeroPad1d, 2: nn.ZeroPad2d}
NORM: dict[int, Any] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
MAX_POOL: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


class Geometry(NamedTuple):
    """One layer's sizes, one entry an axis; a padding is what comes before and after."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    pool: tuple[int, ...]

    def convolved(self, axis: int, length: Length) -> Length:
        """Length after the convolution."""
        return conv_length(length, self.kernel[axis], self.stride[axis], sum(self.padding[axis]))

    def pooled(self, axis: int, length: Length) -> Length:
        """Length after the convolution and the pooling."""
        pool = self.pool[axis]
        return conv_length(self.convolved(axis, length), pool, pool)


class ConvStack(nn.Module):
    """Layers of convolution, normalisation, activation and max-pooling.

    Parameters
    ----------
    in_channels
        Channels of the input.
    sizes
        Its other axes: ``(samples,)`` or ``(bins, frames)``.
    channels
        Channels of each layer; their number is the number of layers.
    kernel_size, stride, padding, pool
        One number, or a list with one a layer; on two axes an entry may be a pair
        ``[bins, frames]``. ``padding="same"`` keeps the length on an axis whose stride is 1, and
        pads ``kernel // 2`` at both ends of any other. A pool of 1 is none.
    normalisation
        "batch" or "none".
    activation_name
        Name of the activation.

    Attributes
    ----------
    out_channels, out_sizes
        What is left, worked out from ``sizes``.

    Raises
    ------
    ValueError
        Where a kernel or a pooling is longer than what is left of the input.
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
        pool: PerLayer,
        normalisation: str,
        activation_name: str,
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("channels is empty: give one number a convolutional layer")
        choose("normalisation", normalisation, get_args(Normalisation))
        self.layout = _layout(len(channels), len(sizes), kernel_size, stride, padding, pool)
        self.out_sizes = _sizes_left(self.layout, sizes)
        blocks = []
        for number, (width, geometry) in enumerate(zip(channels, self.layout, strict=True), 1):
            at_least(f"channels of layer {number}", width)
            blocks.append(_block(in_channels, width, geometry, normalisation, activation_name))
            in_channels = width
        self.blocks = nn.ModuleList(blocks)
        self.out_channels = in_channels

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give the maps ``(batch, out_channels, *out_sizes)`` and their true lengths.

        What lies beyond an item's true length is set to zero before every layer, as if the item
        had come alone: an item's maps do not depend on the company it keeps.
        """
        x, lengths = _silence(x, lengths)
        for block, geometry in zip(self.blocks, self.layout, strict=True):
            x = block(x)
            if lengths is not None:
                lengths = geometry.pooled(-1, lengths)
            x, lengths = _silence(x, lengths)
        return x, lengths


def _layout(
    layers: int,
    axes: int,
    kernel_size: PerLayer,
    stride: PerLayer,
    padding: PerLayer | str,
    pool: PerLayer,
) -> list[Geometry]:
    """Spell the settings out, one geometry a layer."""
    kernels = per_layer("kernel_size", kernel_size, layers, axes)
    strides = per_layer("stride", stride, layers, axes)
    pools = per_layer("pool", pool, layers, axes)
    if isinstance(padding, str):
        choose("padding", padding, ["same"])
        paddings = [
            tuple(_same(*sizes) for sizes in zip(kernel, steps, strict=True))
            for kernel, steps in zip(kernels, strides, strict=True)
        ]
    else:
        spelt = per_layer("padding", padding, layers, axes, least=0)
        paddings = [tuple((size, size) for size in sizes) for sizes in spelt]
    return [Geometry(*row) for row in zip(kernels, strides, paddings, pools, strict=True)]


def _same(kernel: int, stride: int) -> tuple[int, int]:
    """Pad before and after: to the same length with a stride of 1, else by half the kernel."""
    return ((kernel - 1) // 2 if stride == 1 else kernel // 2, kernel // 2)


def _sizes_left(layout: list[Geometry], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Follow the sizes through all layers; refuse the first that does not fit."""
    for number, geometry in enumerate(layout, start=1):
        for axis, (name, size) in enumerate(zip(AXIS_NAMES[len(sizes)], sizes, strict=True)):
            convolved = geometry.convolved(axis, size)
            if convolved < 1:
                padding = sum(geometry.padding[axis])
                raise ValueError(
                    f"layer {number}: its input has {size} {name} and {padding} of padding, too "
                    f"short for a kernel of {geometry.kernel[axis]}: at most {size + padding} fits"
                )
            if convolved < geometry.pool[axis]:
                raise ValueError(
                    f"layer {number}: its input has {size} {name}, {convolved} after the "
                    f"convolution, too short for a pool of {geometry.pool[axis]}: "
                    f"at most {convolved} fits"
                )
        sizes = tuple(geometry.pooled(axis, size) for axis, size in enumerate(sizes))
    return sizes


def _block(
    in_channels: int, channels: int, geometry: Geometry, normalisation: str, activation_name: str
) -> nn.Sequential:
    """One layer; the normalisation's own shift makes a bias idle."""
    axes = len(geometry.kernel)
    padding: tuple[int, ...] = tuple(before for before, _ in geometry.padding)
    layers: list[nn.Module] = []
    if any(before != after for before, after in geometry.padding):
        # A convolution pads both ends alike, so an even kernel's padding is a layer of its own,
        # which counts from the last axis backwards.
        layers.append(ZERO_PAD[axes](sum(reversed(geometry.padding), ())))
        padding = (0,) * axes
    layers.append(
        CONVOLUTION[axes](
            in_channels,
            channels,
            geometry.kernel,
            geometry.stride,
            padding,
            bias=normalisation == "none",
        )
    )
    if normalisation == "batch":
        layers.append(NORM[axes](channels))
    layers.append(activation(activation_name))
    if max(geometry.pool) > 1:
        layers.append(MAX_POOL[axes](geometry.pool))
    return nn.Sequential(*layers)


def _silence(x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Zero what lies beyond the true lengths along the last axis, and bound these to the axis."""
    if lengths is None:
        return x, None
    lengths = lengths.to(x.device).clamp(1, x.shape[-1])
    return x.masked_fill(beyond(x, lengths), 0.0), lengths


def beyond(x: Tensor, lengths: Tensor) -> Tensor:
    """Mask that broadcasts to ``x`` ``(batch, ..., steps)``: True past an item's true length."""
    mask = ~valid_steps(lengths, x.shape[-1])
    return mask.view(len(x), *[1] * (x.dim() - 2), -1)
