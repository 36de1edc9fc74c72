"""Parts of items: at random places for training, at even ones for evaluation."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from deepself.study.augmentation import FILM, PICTURE, VECTOR, RandomCrop, sort_of
from deepself.study.training import Training
from deepself.training.augment.draws import whole
from deepself.training.augment.items import Items, taken
from deepself.training.batch import Batch


def kept(size: float, length: int) -> int:
    """Length of what a crop keeps of an axis."""
    return max(1, round(size * length))


def random_crop(settings: RandomCrop, items: Items, generator: Generator) -> Items:
    """Each item's part at a place of its own, all places being as likely."""
    for axis in cropped_axes(items.sort, items.values.ndim):
        free = _free(items, axis, kept(settings.size, items.values.shape[axis]))
        items = cut(items, axis, whole(free, generator), settings.size)
    return items


def cut(items: Items, axis: int, starts: Tensor, size: float) -> Items:
    """The part of each item that begins at its own place (rows,) on an axis.

    A part lies within the true length, but where that is shorter than the part.
    """
    length = kept(size, items.values.shape[axis])
    places = starts[:, None] + torch.arange(length, device=starts.device)
    true = items.true
    if true is not None and axis == items.axis:
        true = true.clamp_max(length)
    return replace(items, values=taken(items.values, places, axis), true=true)


def cropped_axes(sort: str, ndim: int) -> tuple[int, ...]:
    """Axes of items (rows, ...) that crops are made along: time, or height and width."""
    if sort == VECTOR:
        return ()
    if sort == PICTURE:
        return (2, 3)
    return (2,) if sort == FILM else (ndim - 1,)


def _free(items: Items, axis: int, length: int) -> Tensor:
    """The last place where a part of a length can begin: int64 (rows,)."""
    if axis == items.axis and items.true is not None:
        return (items.true - length).clamp_min(0)
    free = items.values.shape[axis] - length
    return torch.full((len(items),), free, device=items.values.device)


class Crops:
    """The parts of items that predictions are made of.

    Parameters
    ----------
    size
        Of the length, or of height and width; None leaves items whole.
    count
        How many parts an item.
    kinds
        Kinds of the features of each input.
    """

    def __init__(self, size: float | None, count: int, kinds: Sequence[str]):
        self._size, self._count = size, count
        self._sorts = [sort_of(kind) for kind in kinds]

    @classmethod
    def of(cls, settings: Training, kinds: Sequence[str]) -> "Crops":
        """The parts that a training's settings ask for."""
        crops = [a for a in settings.augmentation if isinstance(a, RandomCrop)]
        return cls(crops[0].size if crops else None, settings.crops, kinds)

    def shape(self, shape: tuple[int, ...], kind: str) -> tuple[int, ...]:
        """Shape of an item once cropped; the network is built for it."""
        if self._size is None:
            return shape
        axes = cropped_axes(sort_of(kind), len(shape) + 1)
        return tuple(
            kept(self._size, length) if axis in axes else length
            for axis, length in enumerate(shape, start=1)
        )

    def parts(self, batch: Batch) -> list[Batch]:
        """Parts at even distances, from the first place to the last; a single one in the middle.

        Of pictures, places are those of a square grid, row by row: five are the four corners and
        the middle.
        """
        if self._size is None:
            return [batch]
        return [self._part(batch, number) for number in range(self._count)]

    def _part(self, batch: Batch, number: int) -> Batch:
        cropped = []
        for values, true, sort in zip(batch.items, batch.lengths, self._sorts, strict=True):
            items = Items(values, true, sort)
            axes = cropped_axes(sort, values.ndim)
            for axis, share in zip(axes, places(number, self._count, len(axes)), strict=True):
                items = self._cut(items, axis, share)
            cropped.append(items)
        return replace(
            batch,
            items=tuple(one.values for one in cropped),
            lengths=tuple(one.true for one in cropped),
        )

    def _cut(self, items: Items, axis: int, share: float) -> Items:
        """The part that begins at a share of the places along an axis."""
        assert self._size is not None
        length = items.values.shape[axis]
        part = kept(self._size, length)
        if items.true is None:  # one place for all
            start = math.floor(share * (length - part) + 0.5)
            return replace(items, values=items.values.narrow(axis, start, part).contiguous())
        starts = torch.floor(share * _free(items, axis, part).double() + 0.5).long()
        return cut(items, axis, starts, self._size)


def places(number: int, count: int, axes: int) -> tuple[float, ...]:
    """Where the number-th of some parts begins along each axis, from 0, first, to 1, last.

    They are spread evenly over the points of the smallest grid that has enough.
    """
    if count == 1:
        return (0.5,) * axes
    side = count if axes == 1 else math.ceil(math.sqrt(count))
    point = math.floor(number * (side**axes - 1) / (count - 1) + 0.5)
    along = []
    for _ in range(axes):
        point, place = divmod(point, side)
        along.append(place / (side - 1))
    return tuple(reversed(along))
