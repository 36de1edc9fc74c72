"""A fold's items in memory, normalised by what its training partition teaches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.folds import read_partitions
from deepself.networks.layers import time_axis
from deepself.store.features import FeatureFile
from deepself.store.files import read_table
from deepself.store.predictions import means

REDUCED = {
    "channel": lambda axes: (0, *range(2, axes)),
    "bin": lambda axes: (0, *range(3, axes)),
    "item": lambda axes: tuple(range(2, axes)),
}
"""Axes over which each normalisation averages, of arrays (rows, channels, [bins, ...])."""


@dataclass(frozen=True)
class Part:
    """One partition.

    Attributes
    ----------
    ids
        Names of the recordings.
    items
        float32, shape (rows, *item shape): a row a recording, or several, one a window.
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
    """Mean and deviation of the training partition, or of each item; None changes nothing."""

    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    per_item: bool = False

    @classmethod
    def fit(cls, part: Part, method: str) -> "Normaliser":
        """Learn statistics by `channel` (axis 1) or `bin` (axes 1 and 2), in float64.

        What fills an item up to the length of others is not counted.
        """
        if method == "none":
            return cls()
        if method == "item":
            return cls(per_item=True)
        mean, deviation = _statistics(part.items, part.lengths, method)
        return cls(mean[0], deviation[0])

    def apply(self, part: Part) -> None:
        """Normalise a partition's items in place; what fills them up becomes zero."""
        mean, deviation = self.mean, self.deviation
        if self.per_item:
            mean, deviation = _statistics(part.items, part.lengths, "item")
        if mean is not None and deviation is not None:
            np.subtract(part.items, mean, out=part.items)
            np.divide(part.items, deviation, out=part.items)
            _clear(part.items, part.lengths)

    def arrays(self, prefix: str = "normaliser.") -> dict[str, np.ndarray]:
        """What is stored beside a model's weights."""
        if self.mean is None or self.deviation is None:
            return {}
        return {f"{prefix}mean": self.mean, f"{prefix}deviation": self.deviation}


def _statistics(
    items: np.ndarray, lengths: np.ndarray | None, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation over a method's axes, kept as axes of length 1; float32."""
    axes = REDUCED[method](items.ndim)
    share = 1.0
    if lengths is not None:  # zeros fill items up: they add nothing to a sum, but count in a mean
        share = lengths.reshape(-1, *(1,) * (items.ndim - 1)) / items.shape[time_axis(items)]
        share = share if method == "item" else share.mean()
    mean = (items.mean(axis=axes, dtype=np.float64, keepdims=True) / share).astype(np.float32)
    # Two passes: the one-pass formula loses a small deviation beside a large mean.
    centred = items - mean
    _clear(centred, lengths)
    square = np.square(centred, out=centred).mean(axis=axes, dtype=np.float64, keepdims=True)
    deviation = np.sqrt(square / share).astype(np.float32)
    deviation[deviation == 0] = 1.0
    return mean, deviation


def _clear(items: np.ndarray, lengths: np.ndarray | None) -> None:
    if lengths is not None:
        along = np.moveaxis(items, time_axis(items), 1)
        for row, length in zip(along, lengths, strict=True):
            row[length:] = 0


def load_fold(feature: Path, folds: Path, fold: str, classes: list[str]) -> dict[str, Part]:
    """Read a feature's items into the partitions of a fold: train, dev and test."""
    label_of = {row["id"]: row["label"] for row in read_table(folds)}
    index = {name: i for i, name in enumerate(classes)}
    parts = {}
    with FeatureFile(feature) as file:
        for partition, ids in read_partitions(folds, fold).items():
            rows = file.rows(ids)
            recordings = np.repeat(np.arange(len(ids)), file.counts(ids))
            labels = np.array([index[label_of[name]] for name in ids], dtype=np.int64)
            starts, lengths = (
                None if values is None else values[rows] for values in (file.starts, file.lengths)
            )
            items = file.read_rows(rows)
            parts[partition] = Part(ids, items, labels[recordings], recordings, starts, lengths)
    return parts
