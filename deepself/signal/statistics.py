"""What a row does over time, in a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_BY_NAME: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda rows: rows.mean(-1),
    "deviation": lambda rows: rows.std(-1, correction=0),
    "least": lambda rows: rows.amin(-1),
    "greatest": lambda rows: rows.amax(-1),
}

STATISTICS = tuple(_BY_NAME)
"""What :func:`statistics` takes."""


def statistics(values: Tensor, wanted: Sequence[str]) -> Tensor:
    """Summarise each row over its last axis, which is time.

    Parameters
    ----------
    values : Tensor, shape (batch, ..., steps)
        At least one step.
    wanted
        Names out of :data:`STATISTICS`; the deviation is that of the steps themselves, divided by
        their number.

    Returns
    -------
    Tensor, shape (batch, statistics * rows)
        float32: the first statistic of all rows, then the second, and so on.

    Raises
    ------
    ValueError
        For an unknown statistic, or without any.
    """
    unknown = [name for name in wanted if name not in STATISTICS]
    if unknown or not wanted:
        known = ", ".join(STATISTICS)
        raise ValueError(f"unknown statistic {', '.join(unknown) or 'none'} (known: {known})")
    rows = values.detach().float().flatten(1, -2)
    return torch.cat([_BY_NAME[name](rows) for name in wanted], dim=1)
