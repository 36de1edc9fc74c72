"""Pieces that several architectures share: sizes, activations, per-layer settings, dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

Length = TypeVar("Length", int, Tensor)
Normalisation = Literal["none", "batch"]
Pair = list[int] | tuple[int, ...]
PerLayer = int | list[int] | list[int | Pair] | tuple[int | Pair, ...]  # one number, or one a layer

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
        or, on two axes, a pair ``[bins, frames]``.
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
            one = "one number" if axes == 1 else "one number, or a pair [bins, frames]"
            raise ValueError(f"{setting} of layer {number} is {entry!r}: it must be {one}")
        spelt.append(tuple(at_least(f"{setting} of layer {number}", s, least) for s in sizes))
    return spelt


def conv_length(length: Length, kernel: int, stride: int = 1, padding: int = 0) -> Length:
    """Length that a convolution (or a pooling) leaves of ``length``, a number or a tensor.

    ``padding`` is the total of both ends. The result is below one where the kernel does not fit.
    """
    return (length + padding - kernel) // stride + 1


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """Mask ``(batch, steps)``: True where a step lies within its item's true length."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


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
        "batch" or "none".

    Attributes
    ----------
    out_features
        Length of the vectors that go out.
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        activation_name: str,
        dropout: float,
        normalisation: str = "none",
    ) -> None:
        choose("normalisation", normalisation, get_args(Normalisation))
        layers: list[nn.Module] = []
        for units in hidden:
            layers.append(nn.Linear(features, at_least("hidden", units)))
            if normalisation == "batch":
                layers.append(nn.BatchNorm1d(units))
            layers += [activation(activation_name), nn.Dropout(dropout)]
            features = units
        super().__init__(*layers)
        self.out_features = features
