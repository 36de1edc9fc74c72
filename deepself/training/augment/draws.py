"""Random numbers, one an item, from a generator and on its device."""

import math

import torch
from torch import Generator, Tensor


def uniform(rows: int, low: float, high: float, generator: Generator) -> Tensor:
    """Numbers between two: float64 (rows,)."""
    unit = torch.rand(rows, dtype=torch.float64, device=generator.device, generator=generator)
    return low + (high - low) * unit


def whole(highest: Tensor, generator: Generator) -> Tensor:
    """Whole numbers from 0 to each item's highest, all as likely: int64, of the same shape.

    In float64, as float32 cannot tell all samples of a long recording apart.
    """
    unit = torch.rand(
        highest.shape, dtype=torch.float64, device=generator.device, generator=generator
    )
    return torch.minimum((unit * (highest + 1)).long(), highest)


def chosen(rows: int, probability: float, generator: Generator) -> Tensor:
    """Whether each item is changed: bool (rows,)."""
    return uniform(rows, 0, 1, generator) < probability


def symmetric_beta(rows: int, alpha: float, generator: Generator) -> Tensor:
    """Draws of Beta(alpha, alpha): float64 (rows,).

    One formula of two uniform numbers U and V, exact for every alpha and without rejections:

        (1 + c / √(1 / (U^(-1 / alpha) - 1) + c²)) / 2,    c = cos 2πV.

    Notes
    -----
    L. Devroye, "Random Variate Generation in One Line of Code", Winter Simulation Conference
    1996, from R. W. Bailey's polar method for Student's t, Mathematics of Computation 62, 1994.
    """
    first, second = (uniform(rows, 0, 1, generator) for _ in range(2))
    cosine = torch.cos(2 * math.pi * second)
    odds = 1 / torch.expm1(-torch.log(first) / alpha)
    return (1 + cosine / torch.sqrt(odds + cosine.square())) / 2
