"""The three scales in which a spectral image can be written."""

from __future__ import annotations

import torch
from torch import Tensor

SCALES = ("magnitude", "power", "db")

_FLOOR = 1e-10
_RANGE_DB = 80.0


def check_scale(scale: str) -> None:
    """Refuse a scale that is not one of ``SCALES`` with a `ValueError`."""
    if scale not in SCALES:
        raise ValueError(f"scale {scale!r} is not one of {', '.join(SCALES)}")


def power_to_db_(power: Tensor) -> Tensor:
    """Express power in decibels relative to 1, at most 80 dB below each item's peak, in place.

    The same convention as ``librosa.power_to_db(ref=1.0, amin=1e-10, top_db=80)``, applied item
    by item. An item is the last three axes ``(channels, bins, frames)``, or the last two when
    there are only two: its channels share one ceiling, and no item depends on its neighbours in
    a batch.

    Parameters
    ----------
    power : Tensor, shape (..., bins, frames)
        Non-negative. Overwritten: images are large, and a fresh copy costs more than the
        logarithm.

    Returns
    -------
    Tensor
        The same tensor, in dB.
    """
    return limit_range_(log_power_(power))


def log_power_(power: Tensor) -> Tensor:
    """Write power in decibels relative to 1, at least -100 dB, in place."""
    return power.clamp_min_(_FLOOR).log10_().mul_(10.0)


def limit_range_(decibels: Tensor) -> Tensor:
    """Raise what lies more than 80 dB below the peak of its item to there, in place."""
    item_axes = tuple(range(-min(decibels.ndim, 3), 0))
    peak = decibels.amax(dim=item_axes, keepdim=True)
    return torch.maximum(decibels, peak - _RANGE_DB, out=decibels)
