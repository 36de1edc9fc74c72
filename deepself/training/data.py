"""A fold's items, normalised by what its training partition teaches."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepself.dataset.folds import read_partitions
from deepself.networks.layers import within
from deepself.store.features import FeatureFile
from deepself.store.files import read_table
from deepself.store.predictions import means

REDUCED = {
    "channel": lambda axes: (0, *range(2, axes)),
    "bin": lambda axes: (0, *range(3, axes)),
    "item": lambda axes: tuple(range(2, axes)),
}
"""Axes over which each normalisation averages, of items (rows, channels, [bins, ...])."""

SLICE = {"cpu": 2**19, "cuda": 2**26}
"""Bytes of items that are worked on at once: on a CPU they stay in its cache."""

Block = tuple[Tensor, Tensor | None]
"""Items (rows, *item shape) and their true lengths (rows,), where some are shorter."""


@dataclass(frozen=True)
class Part:
    """One partition.

    Attributes
    ----------
    ids
        Names of the recordings.
    items
        float32, shape (rows, *item shape): a row a recording, or several, one a window. No rows
        where the items live elsewhere.
    targets
        int64, shape (rows,): index of each row's class.
    recordings
        int64, shape (rows,): which of the ids each row is of.
    starts
        Where each row's window begins, in seconds; None without windows.
    lengths
        int64, shape (rows,): true lengths along the time axis; None where nothing is padded.
    """

    ids: list[str]
    items: np.ndarray
    targets: np.ndarray
    recordings: np.ndarray
    starts: np.ndarray | None = None
    lengths: np.ndarray | None = None

    def by_recording(self, probabilities: np.ndarray) -> np.ndarray:
        """Mean of the probabilities (rows, classes) of each recording's rows: (ids, classes)."""
        if self.starts is None:
            return probabilities
        return means(probabilities, self.recordings, len(self.ids))

    @property
    def labels(self) -> np.ndarray:
        """Index of each recording's class, shape (ids,)."""
        return self.targets[np.unique(self.recordings, return_index=True)[1]]


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation of the training partition, or of each item; None changes nothing.

    Attributes
    ----------
    mean, deviation
        float32, of the shape of an item, with axes of length 1 where they hold for all of it.
    per_item
        Whether each item is normalised by its own.
    """

    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    per_item: bool = False

    @classmethod
    def fit(cls, part: Part, method: str) -> "Normaliser":
        """Learn statistics by `channel` (axis 1) or `bin` (axes 1 and 2), in float64.

        What fills an item up to the length of others is not counted.
        """
        return cls.learn(lambda: slices(*_tensors(part)), method)

    @classmethod
    def learn(cls, blocks: Callable[[], Iterable[Block]], method: str) -> "Normaliser":
        """Learn statistics of items that come block by block, and that are gone through twice."""
        if method == "none":
            return cls()
        if method == "item":
            return cls(per_item=True)
        mean, deviation = statistics(blocks, method)
        return cls(mean[0].cpu().numpy(), deviation[0].cpu().numpy())

    def apply(self, part: Part) -> None:
        """Normalise a partition's items in place; what fills them up becomes zero."""
        self.apply_to(*_tensors(part))

    def apply_to(self, items: Tensor, lengths: Tensor | None) -> None:
        """Normalise items on any device in place, slice by slice."""
        scale = self.on(items.device)
        for block in slices(items, lengths):
            scale(*block)

    def on(self, device: torch.device | str) -> Callable[[Tensor, Tensor | None], None]:
        """What normalises items of a device in place, given their true lengths."""
        if self.per_item:
            return _scale_each
        if self.mean is None or self.deviation is None:
            return lambda _items, _lengths: None
        mean, deviation = (torch.from_numpy(v).to(device) for v in (self.mean, self.deviation))
        return lambda items, lengths: _scale(items, lengths, mean, deviation)

    def arrays(self, prefix: str = "normaliser.") -> dict[str, np.ndarray]:
        """What is stored beside a model's weights."""
        if self.mean is None or self.deviation is None:
            return {}
        return {f"{prefix}mean": self.mean, f"{prefix}deviation": self.deviation}


def statistics(blocks: Callable[[], Iterable[Block]], method: str) -> tuple[Tensor, Tensor]:
    """Mean and deviation over a method's axes, kept as axes of length 1; float32.

    Two passes: the one-pass formula loses a small deviation beside a large mean.
    """
    total, count, square = (torch.zeros((), dtype=torch.float64) for _ in range(3))
    for items, lengths in blocks():
        axes = REDUCED[method](items.ndim)
        total = total + _sum(items, axes)  # what fills items up is zero, and adds nothing
        count = count + _count(items, lengths, axes)
    mean = (total / count).float()
    for items, lengths in blocks():
        centred = items - mean
        _clear(centred, lengths)
        square = square + _sum(centred.square_(), REDUCED[method](items.ndim))
    deviation = (square / count).sqrt().float()
    return mean, deviation.masked_fill_(deviation == 0, 1.0)


def slices(items: Tensor, lengths: Tensor | None) -> Iterator[Block]:
    """Items in their order, some at a time."""
    rows = max(1, SLICE[items.device.type] // max(1, 4 * math.prod(items.shape[1:])))
    for start in range(0, len(items), rows):
        which = slice(start, start + rows)
        yield items[which], None if lengths is None else lengths[which]


def _tensors(part: Part) -> Block:
    lengths = None if part.lengths is None else torch.from_numpy(part.lengths)
    return torch.from_numpy(part.items), lengths


def _sum(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Sum in float64, the axes kept."""
    if values.device.type == "cpu":  # NumPy adds up in float64 without a copy in it
        return torch.from_numpy(values.numpy().sum(axes, np.float64, keepdims=True))
    if not axes:  # torch takes that for all axes
        return values.double()
    return values.sum(axes, keepdim=True, dtype=torch.float64)


def _count(items: Tensor, lengths: Tensor | None, axes: tuple[int, ...]) -> Tensor | int:
    """How many values of each sum are no filling."""
    if lengths is None:
        return math.prod(items.shape[axis] for axis in axes)
    mask = within(items, lengths)
    alike = math.prod(items.shape[a] for a in axes if mask.shape[a] == 1 != items.shape[a])
    return (_sum(mask.float(), axes) * alike).clamp_(min=1)


def _scale(items: Tensor, lengths: Tensor | None, mean: Tensor, deviation: Tensor) -> None:
    _clear(items.sub_(mean).div_(deviation), lengths)


def _scale_each(items: Tensor, lengths: Tensor | None) -> None:
    _scale(items, lengths, *statistics(lambda: [(items, lengths)], "item"))


def _clear(items: Tensor, lengths: Tensor | None) -> None:
    if lengths is not None:
        items.masked_fill_(~within(items, lengths), 0)


def load_fold(feature: Path, folds: Path, fold: str, classes: list[str]) -> dict[str, Part]:
    """Read a feature's items into the partitions of a fold: train, dev and test."""
    with FeatureFile(feature) as file:
        listed = list_fold(file, folds, fold, classes)
        # All at once: partitions that are drawn at random share the file's chunks.
        rows = [rows for _, rows in listed.values()]
        items = np.split(file.read_rows(np.concatenate(rows)), np.cumsum([*map(len, rows)])[:-1])
        return {
            name: replace(part, items=own)
            for (name, (part, _)), own in zip(listed.items(), items, strict=True)
        }


def list_fold(
    file: FeatureFile, folds: Path, fold: str, classes: list[str]
) -> dict[str, tuple[Part, np.ndarray]]:
    """The partitions of a fold without their items, and each one's rows in the feature's file."""
    label_of = {row["id"]: row["label"] for row in read_table(folds)}
    index = {name: i for i, name in enumerate(classes)}
    listed = {}
    for partition, ids in read_partitions(folds, fold).items():
        rows = file.rows(ids)
        recordings = np.repeat(np.arange(len(ids)), file.counts(ids))
        labels = np.array([index[label_of[name]] for name in ids], dtype=np.int64)
        starts, lengths = (
            None if values is None else values[rows] for values in (file.starts, file.lengths)
        )
        items = np.empty((0, *file.shape), dtype=np.float32)
        part = Part(ids, items, labels[recordings], recordings, starts, lengths)
        listed[partition] = part, rows
    return listed
