"""Predictions: one row an item, with its true label and one probability a class."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.errors import UserError
from deepself.store.files import read_table, write_table

PREFIX = "p_"
"""Before a class's name in the header, so that a class called `id` is only a name."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of a run or a fusion.

    Attributes
    ----------
    partition, ids, labels
        Arrays of text, shape (items,): `dev` or `test`, the item, its true class.
    classes
        Names of the classes, in the order of the columns of `probabilities`.
    probabilities
        float64, shape (items, classes); rows sum to 1.
    """

    partition: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray

    def part(self, partition: str) -> "Predictions":
        """Only the items of one partition."""
        keep = self.partition == partition
        return Predictions(
            self.partition[keep],
            self.ids[keep],
            self.labels[keep],
            self.classes,
            self.probabilities[keep],
        )

    @property
    def true(self) -> np.ndarray:
        """Index of each item's true class, shape (items,)."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)

    @property
    def predicted(self) -> np.ndarray:
        """Index of each item's most probable class, shape (items,)."""
        return self.probabilities.argmax(axis=1)


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as CSV, every digit of a float64 kept."""
    columns = ["partition", "id", "label", *(PREFIX + name for name in predictions.classes)]
    rows = zip(
        predictions.partition.tolist(),
        predictions.ids.tolist(),
        predictions.labels.tolist(),
        predictions.probabilities.tolist(),
        strict=True,
    )
    write_table(path, columns, ([p, i, label, *probs] for p, i, label, probs in rows))


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote."""
    rows = read_table(path)
    if not rows:
        raise UserError(f"{path}: holds no predictions; delete its folder and run again")
    columns = [name for name in rows[0] if name and name.startswith(PREFIX)]
    try:
        probabilities = np.array([[float(row[c]) for c in columns] for row in rows])
        return Predictions(
            _texts(row["partition"] for row in rows),
            _texts(row["id"] for row in rows),
            _texts(row["label"] for row in rows),
            tuple(name.removeprefix(PREFIX) for name in columns),
            probabilities,
        )
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not a predictions table; delete its folder, run again") from None


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)
