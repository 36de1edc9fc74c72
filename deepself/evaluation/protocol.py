"""What all systems of a study are measured on: its classes, folds and true labels."""

from dataclasses import dataclass, field

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.resampling import Resamples, within_folds
from deepself.evaluation.results import Result
from deepself.store.files import read_table
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout
from deepself.study.identity import read_dataset

PARTITIONS = ("dev", "test")
LEVELS = ("recording", "window")
"""Models whose feature has windows are scored at both levels, all else at that of recordings."""


@dataclass(frozen=True)
class Truth:
    """Truth of one partition of one fold, in one order.

    Ids, class indices, and the units that a bootstrap draws: names of groups, or else ids.
    """

    ids: list[str]
    true: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Rows:
    """What a run says of one partition: a row an item, or one of its windows.

    Class indices and units, shape (rows,), and probabilities, shape (rows, classes).
    """

    true: np.ndarray
    probabilities: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Protocol:
    """Classes, folds, and what is true of dev and test.

    Attributes
    ----------
    classes, folds
        Their names.
    truth
        By fold and partition.
    trained_on
        Items of each class in each fold's training partition, shape (folds, classes).
    grouped
        Whether units are groups.
    """

    classes: list[str]
    folds: list[str]
    truth: dict[tuple[str, str], Truth]
    trained_on: np.ndarray
    grouped: bool
    _resamples: dict[str, Resamples] = field(default_factory=dict, repr=False)

    def resamples(self, partition: str) -> Resamples:
        """The bootstrap resamples that all systems share."""
        if partition not in self._resamples:
            units = [self.truth[fold, partition].units.tolist() for fold in self.folds]
            self._resamples[partition] = Resamples(units)
        return self._resamples[partition]

    @property
    def within_folds(self) -> bool:
        """Whether each test fold is resampled by itself."""
        return within_folds([self.truth[fold, "test"].units for fold in self.folds])

    @property
    def shared_test(self) -> bool:
        """Whether an item is tested in several folds."""
        return bool((self.appearances > 1).any())

    @property
    def test_to_train(self) -> float:
        """Test items divided by training items, mean over folds."""
        tested = [len(self.truth[fold, "test"].ids) for fold in self.folds]
        return float(np.mean(tested / self.trained_on.sum(axis=1)))

    @property
    def appearances(self) -> np.ndarray:
        """In how many folds each test item is tested, fold by fold: shape (test items,)."""
        ids = np.array([name for fold in self.folds for name in self.truth[fold, "test"].ids])
        _, place, counts = np.unique(ids, return_inverse=True, return_counts=True)
        return counts[place]


def protocol(layout: Layout) -> Protocol:
    """The protocol of a study whose items are split.

    Raises
    ------
    UserError
        If a fold has no dev or no test items.
    """
    rows = read_table(layout.folds)
    dataset = read_dataset(layout)
    classes: list[str] = dataset["classes"]
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[row["label"]] for row in rows], dtype=np.int64)
    # One group means a group each: the manifest refuses an empty one.
    grouped = any(row["group"] for row in rows)
    units = np.array([row["group" if grouped else "id"] for row in rows])
    truth, trained_on = {}, []
    for fold in dataset["folds"]:
        partitions = np.array([row[f"fold-{fold}"] for row in rows])
        trained_on.append(np.bincount(labels[partitions == "train"], minlength=len(classes)))
        for partition in PARTITIONS:
            held = np.flatnonzero(partitions == partition)
            if not held.size:
                raise UserError(f"{layout.folds}: fold {fold} has no {partition} items")
            ids = [rows[i]["id"] for i in held]
            truth[fold, partition] = Truth(ids, labels[held], units[held])
    return Protocol(classes, dataset["folds"], truth, np.array(trained_on), grouped)


def judge(result: Result, measured: Protocol) -> dict[tuple[str, str], Rows]:
    """What a run or fusion says of dev and test, by partition and level.

    Raises
    ------
    UserError
        If its predictions are not those of its fold's items, or not finite.
    """
    predictions = read_predictions(result.predictions)
    path, verb = result.predictions, "train" if result.kind == "model" else "fuse"
    again = f"delete {result.folder} and run {verb} again"
    if predictions.classes != tuple(measured.classes):
        raise UserError(f"{path}: classes are not those of the data set; {again}")
    if not np.isfinite(predictions.probabilities).all():
        raise UserError(f"{path}: probabilities are not finite, training diverged; lower its lr")
    found = {}
    for partition in PARTITIONS:
        truth = measured.truth[result.fold, partition]
        part = predictions.part(partition)
        whole = part.recordings()
        order = _order(result, whole, partition, truth, again)
        found[partition, "recording"] = Rows(truth.true, whole.probabilities[order], truth.units)
        if part.starts is not None:
            unit = dict(zip(truth.ids, truth.units.tolist(), strict=True))
            units = np.array([unit[name] for name in part.ids])
            found[partition, "window"] = Rows(part.true, part.probabilities, units)
    return found


def _order(
    result: Result, part: Predictions, partition: str, truth: Truth, again: str
) -> np.ndarray:
    """Places of the truth's items in the predictions, after proof that both speak of the same."""
    path = result.predictions
    place = {name: i for i, name in enumerate(part.ids)}
    if len(place) != len(part.ids) or place.keys() != set(truth.ids):
        odd = sorted(place.keys() ^ set(truth.ids))[:3] or ["an item stands there twice"]
        raise UserError(
            f"{path}: not the {partition} items of its fold ({', '.join(odd)}); {again}"
        )
    order = np.array([place[name] for name in truth.ids])
    wrong = np.flatnonzero(part.true[order] != truth.true)
    if wrong.size:
        raise UserError(f"{path}: label of {truth.ids[wrong[0]]} is not that of folds.csv; {again}")
    return order
