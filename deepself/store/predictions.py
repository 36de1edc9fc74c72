"""Predictions: one row a recording or window, with its true label and one probability a class."""

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
        Arrays of text, shape (rows,): `dev` or `test`, the recording, its true class.
    classes
        Names of the classes, in the order of the columns of `probabilities`.
    probabilities
        float64, shape (rows, classes); rows sum to 1.
    starts
        Where each row's window begins, in seconds, shape (rows,); None if a row is a recording.
    """

    partition: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray
    starts: np.ndarray | None = None

    def part(self, partition: str) -> "Predictions":
        """Only the rows of one partition."""
        keep = self.partition == partition
        return Predictions(
            self.partition[keep],
            self.ids[keep],
            self.labels[keep],
            self.classes,
            self.probabilities[keep],
            None if self.starts is None else self.starts[keep],
        )

    def recordings(self) -> "Predictions":
        """One row a recording: the mean of its windows' probabilities."""
        if self.starts is None:
            return self
        keys = list(zip(self.partition, self.ids, strict=True))
        place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        row_of = np.array([place[key] for key in keys])
        first = np.unique(row_of, return_index=True)[1]
        return Predictions(
            self.partition[first],
            self.ids[first],
            self.labels[first],
            self.classes,
            means(self.probabilities, row_of, len(place)),
        )

    @property
    def true(self) -> np.ndarray:
        """Index of each row's true class, shape (rows,)."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)

    @property
    def predicted(self) -> np.ndarray:
        """Index of each row's most probable class, shape (rows,)."""
        return self.probabilities.argmax(axis=1)


def means(probabilities: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Mean of the rows (rows, classes) at each of `count` places: (count, classes), float64.

    This is how windows speak for their recording, while a network is trained and afterwards.
    """
    sums = np.zeros((count, probabilities.shape[1]))
    np.add.at(sums, places, probabilities)
    return sums / np.bincount(places, minlength=count)[:, None]


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as CSV, every digit of a float64 kept."""
    named = {"partition": predictions.partition, "id": predictions.ids}
    if predictions.starts is not None:
        named["start"] = predictions.starts
    named["label"] = predictions.labels
    columns = [*named, *(PREFIX + name for name in predictions.classes)]
    rows = zip(
        *(values.tolist() for values in named.values()),
        predictions.probabilities.tolist(),
        strict=True,
    )
    write_table(path, columns, ([*first, *probabilities] for *first, probabilities in rows))


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
            np.array([float(row["start"]) for row in rows]) if "start" in rows[0] else None,
        )
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: not a predictions table; delete its folder, run again") from None


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)
