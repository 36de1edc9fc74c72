"""Moves along time."""

import torch
from torch import Generator, Tensor

from deepself.study.augmentation import TimeShift
from deepself.training.augment.draws import whole
from deepself.training.augment.items import Items, at_most, taken


def time_shift(settings: TimeShift, items: Items, generator: Generator) -> Tensor:
    """Items, each moved by at most a share of its true length."""
    farthest = at_most(items.lengths, settings.limit)
    return shifted(items, whole(2 * farthest, generator) - farthest)


def shifted(items: Items, steps: Tensor) -> Tensor:
    """Items that are rolled within their true lengths, each by its number of steps (rows,)."""
    lengths = items.lengths[:, None]
    place = torch.arange(items.values.shape[items.axis], device=items.values.device)
    # In place: 8 bytes for each sample of a wave are more than the wave itself.
    source = (place - steps[:, None]).remainder_(lengths)
    if items.true is not None:
        source = torch.where(place < lengths, source, place)
    return taken(items.values, source, items.axis)
