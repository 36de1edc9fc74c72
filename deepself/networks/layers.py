"""Pieces that several architectures share: sizes, activations, per-layer settings, dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

Length = TypeVar("Length", int, Tensor)
PerAxis = list[int] | tuple[int, ...]
PerLayer = int | list[int] | list[int | PerAxis] | tuple[int | PerAxis, ...]

# Axes behind the channels, by their number.
AXIS_NAMES = {1: ("samples",), 2: ("bins", "frames"), 3: ("frames", "height", "width")}

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def choose(setting: str, value: str, known: Sequence[str]) -> str:
    """Give ``value`` back if it is one of ``known``; else a ValueError with the nearest name."""
    if value not in known:
        close = get_close_matches(str(value), known, n=1)
        guess = f" did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{setting} cannot be {value!r}:{guess} (known: {', '.join(known)})")
    return value


def activation(name: str) -> nn.Module:
    """Build the activation called ``name`` (a key of :data:`ACTIVATIONS`)."""
    return ACTIVATIONS[choose("activation", name, list(ACTIVATIONS))]()


def at_least(setting: str, value: int, least: int = 1) -> int:
    """Give ``value`` back if it is a whole number of at least ``least``; else a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{setting} must be a whole number of at least {least}, not {value!r}")
    return value


def per_layer(
    setting: str, value: PerLayer, layers: int, axes: int, least: int = 1
) -> list[tuple[int, ...]]:
    """Spell a setting out: one tuple a layer, one whole number an axis in it.

    Parameters
    ----------
    setting
        Its name, for the error.
    value
        One number for all layers and axes, or a list with an entry a layer; an entry is a number
        or, on several axes, a list with one an axis: ``[bins, frames]`` or
        ``[frames, height, width]``.
    layers, axes
        How many of each.
    least
        The smallest number allowed.

    Raises
    ------
    ValueError
        Where the list has not one entry a layer, an entry not one number an axis, or a number is
        not whole or too small.
    """
    entries = list(value) if isinstance(value, list | tuple) else [value] * layers
    if len(entries) != layers:
        raise ValueError(f"{setting} has {len(entries)} entries for {layers} layers: give one each")
    spelt = []
    for number, entry in enumerate(entries, start=1):
        sizes = tuple(entry) if isinstance(entry, list | tuple) else (entry,) * axes
        if len(sizes) != axes:
            one = f", or a list [{', '.join(AXIS_NAMES[axes])}]" if axes > 1 else ""
            raise ValueError(
                f"{setting} of layer {number} is {entry!r}: it must be one number{one}"
            )
        spelt.append(tuple(at_least(f"{setting} of layer {number}", s, least) for s in sizes))
    return spelt


def conv_length(length: Length, kernel: int, stride: int = 1, padding: int = 0) -> Length:
    """Length that a convolution (or a pooling) leaves of ``length``, a number or a tensor.

    ``padding`` is the total of both ends. The result is below one where the kernel does not fit.
    """
    return (length + padding - kernel) // stride + 1


def time_axis(x: Tensor | np.ndarray) -> int:
    """Axis along which items of ``x`` have true lengths: the last, but the frames of films.

    Films are ``(batch, channels, frames, height, width)``.
    """
    return 2 if x.ndim == 5 else x.ndim - 1


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """Mask ``(batch, steps)``: True where a step lies within its item's true length."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def within(x: Tensor, lengths: Tensor) -> Tensor:
    """Mask that broadcasts to ``x`` ``(batch, ...)``: True within an item's true length.

    The true ``lengths`` ``(batch,)`` run along :func:`time_axis`; the mask's other axes are 1.
    """
    axis = time_axis(x)
    sizes = [1] * x.dim()
    sizes[0], sizes[axis] = x.shape[0], x.shape[axis]
    return valid_steps(lengths, x.shape[axis]).view(sizes)


def silence(x: Tensor, lengths: Tensor) -> Tensor:
    """Set to zero what lies beyond the true ``lengths`` ``(batch,)`` of ``x`` ``(batch, ...)``."""
    return x.masked_fill(~within(x, lengths), 0.0)


class DenseStack(nn.Sequential):
    """Dense layers, each followed by normalisation, activation and dropout.

    Parameters
    ----------
    features
        Length of the vectors that come in, ``(batch, features)``.
    hidden
        Units of each layer; none leaves the vectors as they are.
    activation_name
        See :data:`ACTIVATIONS`.
    dropout
        Probability of dropping a unit after each activation.
    normalisation
        "batch", "layer" [1]_ or "none".

    Attributes
    ----------
    out_features
        Length of the vectors that go out.

    Raises
    ------
    ValueError
        For a setting out of range, or layer normalisation of a single unit.

    References
    ----------
    .. [1] J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450, 2016.
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        activation_name: str,
        dropout: float,
        normalisation: str = "none",
    ) -> None:
        choose("normalisation", normalisation, ("batch", "layer", "none"))
        layers: list[nn.Module] = []
        for number, units in enumerate(hidden, start=1):
            layers.append(nn.Linear(features, at_least("hidden", units)))
            if normalisation == "batch":
                layers.append(nn.BatchNorm1d(units))
            elif normalisation == "layer":
                if units == 1:
                    raise ValueError(
                        f"hidden layer {number} has 1 unit, of which layer normalisation leaves "
                        "nothing: at least 2 fit"
                    )
                layers.append(nn.LayerNorm(units))
            layers += [activation(activation_name), nn.Dropout(dropout)]
            features = units
        super().__init__(*layers)
        self.out_features = features
