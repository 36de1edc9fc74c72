"""Sampling: which training items an epoch sees, in which order and batches."""

import math

import torch
from torch import Tensor

from deepself.study.training import Training


def order(settings: Training, targets: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """Draw the rows of one epoch.

    Parameters
    ----------
    settings
        `sampling`.
    targets
        Index of each training item's class (items,), on any device.
    classes
        Number of classes.
    generator
        Draws on the CPU, so that all devices see one order.

    Returns
    -------
    Tensor
        int64 (items,) on the CPU. `shuffled`: each row once. `balanced`: as many rows of each
        class that has items, but for one that is left over, and as many of each item of a class,
        but for one; what is left over falls on other classes and items in each epoch.
    """
    shuffled = torch.randperm(len(targets), generator=generator)
    if settings.sampling == "shuffled":
        return shuffled
    targets = targets.cpu()
    sizes = torch.bincount(targets, minlength=classes)
    chances = torch.randperm(classes, generator=generator)
    present = chances[sizes[chances] > 0]
    if not len(present):
        return shuffled
    drawn = torch.full_like(present, len(targets) // len(present))
    drawn[: len(targets) % len(present)] += 1
    # The items by class, each class in a random order, which is gone through again and again.
    by_class = shuffled[targets[shuffled].argsort(stable=True)]
    starts = (sizes.cumsum(0) - sizes)[present].repeat_interleave(drawn)
    passed = torch.arange(len(targets)) - (drawn.cumsum(0) - drawn).repeat_interleave(drawn)
    rows = by_class[starts + passed % sizes[present].repeat_interleave(drawn)]
    return rows[torch.randperm(len(rows), generator=generator)]


def batches(order: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Cut an order into batches of `batch_size` or fewer that differ by one item at most.

    Equal batches weigh items alike. A batch of one item, which would break batch normalisation,
    joins another, unless batches of one were asked for.
    """
    count = math.ceil(len(order) / batch_size)
    if batch_size > 1:
        count = max(1, min(count, len(order) // 2))
    return torch.tensor_split(order, count)
