"""Scoring a study: predictions of every run and fusion in, three tables out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, confusion, uar
from deepself.evaluation.results import Result, require_complete, systems
from deepself.evaluation.statistics import FoldDecisions, bootstrap_interval
from deepself.store.files import read_table, write_table
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

PARTITIONS = ("dev", "test")
SCORES = ("name", "kind", "fold", "seed", "partition", "items", "uar", "accuracy")
CONFUSION = ("name", "kind", "fold", "seed", "partition", "label", "predicted", "count")
SUMMARY = (
    "name",
    "kind",
    "partition",
    "runs",
    "uar_mean",
    "uar_sd",
    "uar_low",
    "uar_high",
    "accuracy_mean",
)


@dataclass(frozen=True)
class _Part:
    """Truth of one partition of one fold: ids, class indices and groups, in one order."""

    ids: list[str]
    true: np.ndarray
    groups: np.ndarray | None


Key = tuple[str, str]  # fold, partition
Decisions = dict[tuple[Result, str], np.ndarray]


def score_study(study: Study, layout: Layout) -> Path:
    """Write scores.csv, confusion.csv and summary.csv; return the summary's path.

    The same predictions give the same bytes: nothing here measures time or draws unseeded.

    Raises
    ------
    UserError
        If a run or fusion is missing, its predictions are not those of its fold's items, or
        they are not finite.
    """
    classes: list[str] = read_dataset(layout)["classes"]
    found = require_complete(study, layout)
    parts = _parts(layout, classes)
    decisions: Decisions = {}
    for result in found:
        predictions = read_predictions(result.predictions)
        for partition in PARTITIONS:
            truth = parts[result.fold, partition]
            decisions[result, partition] = _decide(result, predictions, partition, truth, classes)
    _write_scores(layout, found, parts, decisions, len(classes))
    _write_confusion(layout, found, parts, decisions, classes)
    _write_summary(study, layout, found, parts, decisions, len(classes))
    return layout.summary


def _parts(layout: Layout, classes: list[str]) -> dict[Key, _Part]:
    rows = read_table(layout.folds)
    index = {name: i for i, name in enumerate(classes)}
    parts = {}
    for fold in read_dataset(layout)["folds"]:
        for partition in PARTITIONS:
            held = [row for row in rows if row[f"fold-{fold}"] == partition]
            if not held:
                raise UserError(f"{layout.folds}: fold {fold} has no {partition} items")
            # An item without a group stands for itself; ids and groups must not be confused.
            groups = [("group", r["group"]) if r["group"] else ("id", r["id"]) for r in held]
            number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
            parts[fold, partition] = _Part(
                [row["id"] for row in held],
                np.array([index[row["label"]] for row in held], dtype=np.int64),
                np.array([number[group] for group in groups])
                if any(r["group"] for r in held)
                else None,
            )
    return parts


def _decide(
    result: Result,
    predictions: Predictions,
    partition: str,
    truth: _Part,
    classes: Sequence[str],
) -> np.ndarray:
    """Predicted class indices in the order of `truth`, after proof that both speak of the same."""
    path, verb = result.predictions, "train" if result.kind == "model" else "fuse"
    again = f"delete {result.folder} and run {verb} again"
    if predictions.classes != tuple(classes):
        raise UserError(f"{path}: classes are not those of the data set; {again}")
    if not np.isfinite(predictions.probabilities).all():
        raise UserError(f"{path}: probabilities are not finite, training diverged; lower its lr")
    part = predictions.part(partition)
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
    return part.predicted[order]


def _write_scores(
    layout: Layout, found: list[Result], parts: dict, decisions: Decisions, classes: int
) -> None:
    rows = []
    for r in found:
        for partition in PARTITIONS:
            true, predicted = parts[r.fold, partition].true, decisions[r, partition]
            score = [uar(true, predicted, classes), accuracy(true, predicted)]
            rows.append([r.name, r.kind, r.fold, r.seed, partition, len(true), *score])
    write_table(layout.scores, SCORES, rows)


def _write_confusion(
    layout: Layout, found: list[Result], parts: dict, decisions: Decisions, classes: list[str]
) -> None:
    rows = []
    for r in found:
        for partition in PARTITIONS:
            true, predicted = parts[r.fold, partition].true, decisions[r, partition]
            counts = confusion(true, predicted, len(classes))
            rows += [
                [r.name, r.kind, r.fold, r.seed, partition, label, other, int(counts[i, j])]
                for i, label in enumerate(classes)
                for j, other in enumerate(classes)
            ]
    write_table(layout.confusion, CONFUSION, rows)


def _write_summary(
    study: Study,
    layout: Layout,
    found: list[Result],
    parts: dict,
    decisions: Decisions,
    classes: int,
) -> None:
    folds = read_dataset(layout)["folds"]
    rows = []
    for partition in PARTITIONS:
        stacked = {}
        for fold in folds:
            here = [decisions[r, partition] for r in found if r.fold == fold]
            stacked[fold] = np.reshape(here, (len(systems(study)), len(study.seeds), -1))
        held = [parts[fold, partition] for fold in folds]
        intervals = bootstrap_interval(
            [
                FoldDecisions(part.true, stacked[fold], part.groups)
                for fold, part in zip(folds, held, strict=True)
            ],
            classes,
        )
        for (name, kind), low, high in zip(systems(study), *intervals, strict=True):
            own = [r for r in found if (r.name, r.kind) == (name, kind)]
            pairs = [(parts[r.fold, partition].true, decisions[r, partition]) for r in own]
            uars = [uar(true, predicted, classes) for true, predicted in pairs]
            # One run has no spread to speak of: the cell stays empty.
            spread = float(np.std(uars, ddof=1)) if len(uars) > 1 else ""
            accuracies = float(np.mean([accuracy(true, predicted) for true, predicted in pairs]))
            ends = [float(low), float(high)]
            score = [float(np.mean(uars)), spread, *ends, accuracies]
            rows.append([name, kind, partition, len(own), *score])
    write_table(layout.summary, SUMMARY, rows)
