"""What the tests of augmentation share."""

import torch

from deepself.study.augmentation import sort_of
from deepself.training.augment import Augmenter
from deepself.training.augment.items import Items
from deepself.training.batch import Batch

SHAPES = {
    "waveform": (3, 40),
    "log_mel": (2, 12, 30),
    "picture": (3, 16, 12),
    "film": (3, 10, 6, 8),
    "embedding": (9,),
}
"""Shapes of items, no two axes of which are alike."""


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def values(kind, rows, seed=1):
    """Items in (0, 1): nothing is 0 by chance."""
    return torch.rand(rows, *SHAPES[kind], generator=generator(seed)) * 0.98 + 0.01


def items(kind, rows=64, true=None, mean=0.0, deviation=1.0):
    """Items of a kind, with zeros behind true lengths; normalised by a mean, unless it is None."""
    of = Items(
        values(kind, rows),
        true,
        sort_of(kind),
        None if mean is None else torch.tensor(mean),
        None if mean is None else torch.tensor(deviation),
    )
    return Items(of.silenced(of.values), true, of.sort, of.mean, of.deviation)


def lengths(rows, longest, shortest=5):
    return torch.randint(shortest, longest + 1, (rows,), generator=generator(9))


def batch(*kinds, rows=64, classes=4, true=None):
    """A batch with an input of each kind; `true` lengths are those of the first."""
    first = items(kinds[0], rows, true).values
    return Batch(
        (first, *(values(kind, rows) for kind in kinds[1:])),
        torch.arange(rows) % classes,
        (true, *(None for _ in kinds[1:])),
    )


def augmenter(settings, *kinds, seed=0, statistics=None, classes=4):
    statistics = statistics or [(None, None)] * len(kinds)
    return Augmenter(settings, kinds, classes, statistics, generator(seed))
