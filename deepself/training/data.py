"""A fold's items in memory, normalised by what its training partition teaches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.folds import read_partitions
from deepself.store.features import FeatureFile
from deepself.store.files import read_table

REDUCED = {"channel": lambda axes: (0, *range(2, axes)), "bin": lambda axes: (0, *range(3, axes))}
"""Axes over which each normalisation averages, of arrays (items, channels, [bins, ...])."""


@dataclass(frozen=True)
class Part:
    """One partition.

    Attributes
    ----------
    ids
        Names of the items.
    items
        float32, shape (items, *item shape).
    targets
        int64, shape (items,): index of each item's class.
    """

    ids: list[str]
    items: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation of the training partition, for each item; None changes nothing."""

    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None

    @classmethod
    def fit(cls, items: np.ndarray, method: str) -> "Normaliser":
        """Learn statistics by `channel` (axis 1) or `bin` (axes 1 and 2), in float64."""
        if method == "none":
            return cls()
        axes = REDUCED[method](items.ndim)
        mean = items.mean(axis=axes, dtype=np.float64, keepdims=True)
        # Two passes: the one-pass formula loses a small deviation beside a large mean.
        square = np.square(items - mean.astype(np.float32)).mean(
            axis=axes, dtype=np.float64, keepdims=True
        )
        deviation = np.sqrt(square)
        deviation[deviation == 0] = 1.0
        return cls(mean[0].astype(np.float32), deviation[0].astype(np.float32))

    def apply(self, items: np.ndarray) -> None:
        """Normalise items in place."""
        if self.mean is not None:
            items -= self.mean
            items /= self.deviation

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored beside a model's weights."""
        if self.mean is None or self.deviation is None:
            return {}
        return {"normaliser.mean": self.mean, "normaliser.deviation": self.deviation}


def load_fold(feature: Path, folds: Path, fold: str, classes: list[str]) -> dict[str, Part]:
    """Read a feature's items into the partitions of a fold: train, dev and test."""
    label_of = {row["id"]: row["label"] for row in read_table(folds)}
    index = {name: i for i, name in enumerate(classes)}
    with FeatureFile(feature) as file:
        return {
            partition: Part(
                ids,
                file.read(ids),
                np.array([index[label_of[i]] for i in ids], dtype=np.int64),
            )
            for partition, ids in read_partitions(folds, fold).items()
        }
