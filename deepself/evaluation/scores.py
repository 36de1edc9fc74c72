"""Scoring a study: predictions of every run and fusion in, three tables out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, confusion, uar
from deepself.evaluation.results import Result, require_complete, systems
from deepself.evaluation.statistics import FoldDecisions, bootstrap_means, percentile_interval
from deepself.store.files import read_table, write_table
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

PARTITIONS = ("dev", "test")
SCORES = ("name", "kind", "fold", "seed", "partition", "level", "items", "uar", "accuracy")
"""Columns of scores.csv. Models whose feature has windows have rows at both levels, `recording`
and `window`; all else is at the level of recordings."""

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
    "window_uar_mean",
    "diff_low",
    "diff_high",
)
"""Columns of summary.csv. The UAR of single windows is empty where there are none. The last two
are the ends of the interval of how far the best system
on test leads the row's, from the resamples that both share; empty for the best, and on dev."""


@dataclass(frozen=True)
class Part:
    """Truth of one partition of one fold, in one order.

    Ids, class indices, and the units that a bootstrap draws: names of groups, or else ids.
    """

    ids: list[str]
    true: np.ndarray
    units: np.ndarray


Key = tuple[str, str]  # fold, partition
Decisions = dict[tuple[Result, str], np.ndarray]
WindowScores = dict[tuple[Result, str], tuple[int, float, float]]  # windows, UAR, accuracy


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
    parts = held_out(layout)
    decisions: Decisions = {}
    windows: WindowScores = {}
    for result in found:
        predictions = read_predictions(result.predictions)
        recordings = predictions.recordings()
        for partition in PARTITIONS:
            truth = parts[result.fold, partition]
            decisions[result, partition] = _decide(result, recordings, partition, truth, classes)
            if predictions.starts is not None:
                part = predictions.part(partition)
                score = uar(part.true, part.predicted, len(classes))
                right = accuracy(part.true, part.predicted)
                windows[result, partition] = (len(part.ids), score, right)
    _write_scores(layout, found, parts, decisions, windows, len(classes))
    _write_confusion(layout, found, parts, decisions, classes)
    _write_summary(study, layout, found, parts, decisions, windows)
    return layout.summary


def held_out(layout: Layout) -> dict[Key, Part]:
    """Truth of dev and test in each fold, in the order of folds.csv.

    Raises
    ------
    UserError
        If a fold has no dev or no test items.
    """
    rows = read_table(layout.folds)
    dataset = read_dataset(layout)
    index = {name: i for i, name in enumerate(dataset["classes"])}
    # One group means a group each: the manifest refuses an empty one.
    unit = "group" if any(row["group"] for row in rows) else "id"
    parts = {}
    for fold in dataset["folds"]:
        for partition in PARTITIONS:
            held = [row for row in rows if row[f"fold-{fold}"] == partition]
            if not held:
                raise UserError(f"{layout.folds}: fold {fold} has no {partition} items")
            parts[fold, partition] = Part(
                [row["id"] for row in held],
                np.array([index[row["label"]] for row in held], dtype=np.int64),
                np.array([row[unit] for row in held]),
            )
    return parts


def _decide(
    result: Result,
    predictions: Predictions,
    partition: str,
    truth: Part,
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
    layout: Layout,
    found: list[Result],
    parts: dict,
    decisions: Decisions,
    windows: WindowScores,
    classes: int,
) -> None:
    rows = []
    for r in found:
        for partition in PARTITIONS:
            true, predicted = parts[r.fold, partition].true, decisions[r, partition]
            score = (len(true), uar(true, predicted, classes), accuracy(true, predicted))
            run = (r.name, r.kind, r.fold, r.seed, partition)
            rows.append([*run, "recording", *score])
            if (r, partition) in windows:
                rows.append([*run, "window", *windows[r, partition]])
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
    windows: WindowScores,
) -> None:
    classes = len(read_dataset(layout)["classes"])
    rows = []
    for partition in PARTITIONS:
        means = _resample(study, layout, found, parts, decisions, partition)
        low, high = (ends.tolist() for ends in percentile_interval(means))
        own = []
        for place, (name, kind) in enumerate(systems(study)):
            runs = [r for r in found if (r.name, r.kind) == (name, kind)]
            pairs = [(parts[r.fold, partition].true, decisions[r, partition]) for r in runs]
            uars = [uar(true, predicted, classes) for true, predicted in pairs]
            # One run has no spread to speak of: the cell stays empty.
            spread = float(np.std(uars, ddof=1)) if len(uars) > 1 else ""
            accuracies = float(np.mean([accuracy(true, predicted) for true, predicted in pairs]))
            score = [float(np.mean(uars)), spread, low[place], high[place], accuracies]
            by_window = [windows[r, partition][1] for r in runs if (r, partition) in windows]
            score.append(float(np.mean(by_window)) if by_window else "")
            own.append([name, kind, partition, len(runs), *score])
        uar_mean = SUMMARY.index("uar_mean")
        leads = _leads(means, [row[uar_mean] for row in own], partition)
        rows += [[*row, *lead] for row, lead in zip(own, leads, strict=True)]
    write_table(layout.summary, SUMMARY, rows)


def _resample(
    study: Study,
    layout: Layout,
    found: list[Result],
    parts: dict,
    decisions: Decisions,
    partition: str,
) -> np.ndarray:
    """Mean UAR of each system in each resample of a partition: shape (resamples, systems)."""
    dataset = read_dataset(layout)
    folds = []
    for fold in dataset["folds"]:
        own = [decisions[r, partition] for r in found if r.fold == fold]
        stacked = np.reshape(own, (len(systems(study)), len(study.seeds), -1))
        truth = parts[fold, partition]
        folds.append(FoldDecisions(truth.true, stacked, truth.units))
    return bootstrap_means(folds, len(dataset["classes"]))


def _leads(means: np.ndarray, uars: list[float], partition: str) -> list[list]:
    """Interval of how far the best leads each system; of equally good ones, the first is best."""
    if partition != "test":
        return [["", ""] for _ in uars]
    best = uars.index(max(uars))
    low, high = percentile_interval(means[:, [best]] - means)
    leads: list[list] = np.stack([low, high], axis=1).tolist()
    leads[best] = ["", ""]
    return leads
