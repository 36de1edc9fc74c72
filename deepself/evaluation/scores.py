"""Scoring a study: predictions of every run and fusion in, tables out."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepself.evaluation.comparisons import COMPARISONS, Comparison, compare
from deepself.evaluation.evaluate import CLASS_SCORES, Evaluated, Over, chances, evaluate
from deepself.evaluation.protocol import PARTITIONS, Protocol, judge, protocol
from deepself.evaluation.results import require_complete, systems
from deepself.evaluation.scoring import SCORES
from deepself.store.files import write_table
from deepself.study import Layout, Study

_RUN = ("name", "kind", "fold", "seed", "partition")

RUN_SCORES = (*_RUN, "level", "items", "absent", *SCORES)
"""Columns of scores.csv; `absent` is how many classes have no item."""

CLASS = (*_RUN, "level", "label", "items", *CLASS_SCORES)
"""Columns of class_scores.csv."""

CONFUSION = (*_RUN, "label", "predicted", "count")
"""Columns of confusion.csv."""

RELIABILITY = ("name", "kind", "partition", "bin", "items", "confidence", "accuracy")
"""Columns of reliability.csv: recordings of all folds and seeds by the confidence of their most
probable class, in bins of equal width counted from 1; mean confidence, and share of right ones."""

SUMMARY = (
    "name",
    "kind",
    "partition",
    "level",
    "score",
    "runs",
    "mean",
    "sd",
    "low",
    "high",
)
"""Columns of summary.csv: `runs` and what follows are over folds and seeds."""

CLASS_SUMMARY = (*SUMMARY[:4], "label", *SUMMARY[4:])
"""Columns of class_summary.csv."""


def score_study(study: Study, layout: Layout) -> Path:
    """Write the tables of a study's scores; return the summary's path.

    The same predictions give the same bytes: nothing here measures time or draws unseeded.

    Raises
    ------
    UserError
        If a run or fusion is missing, its predictions are not those of its fold's items, or
        they are not finite.
    """
    measured = protocol(layout)
    found = evaluate_study(study, layout, measured)
    write_tables(layout, found, measured)
    return layout.summary


def evaluate_study(study: Study, layout: Layout, measured: Protocol) -> list[Evaluated]:
    """Scores of all models, then all fusions, in the study's order; errors as in `score_study`."""
    complete = require_complete(study, layout)
    evaluated = []
    for name, kind in systems(study):
        rows = {
            (result.fold, result.seed, partition, level): own
            for result in complete
            if (result.name, result.kind) == (name, kind)
            for (partition, level), own in judge(result, measured).items()
        }
        evaluated.append(evaluate(name, kind, rows, measured))
    return evaluated


def write_tables(layout: Layout, found: Sequence[Evaluated], measured: Protocol) -> None:
    """Write all tables of scores; the summary comes last."""
    classes = measured.classes
    compared = compare(found, measured)
    write_table(layout.scores, RUN_SCORES, _runs(found))
    write_table(layout.class_scores, CLASS, _classes(found, classes))
    write_table(layout.confusion, CONFUSION, _confusion(found, classes))
    write_table(layout.reliability, RELIABILITY, _reliability(found))
    write_comparisons(layout.comparisons, compared)
    write_table(layout.class_summary, CLASS_SUMMARY, _class_summary(found, classes))
    write_summary(layout.summary, [*found, *chances(measured)])


def write_comparisons(path: Path, compared: Iterable[Comparison]) -> None:
    """Write pairs as a table with the columns `COMPARISONS`."""
    write_table(path, COMPARISONS, _comparisons(compared))


def write_summary(path: Path, found: Sequence[Evaluated]) -> None:
    """Write scores over runs as a table with the columns `SUMMARY`."""
    write_table(path, SUMMARY, _summary(found))


def _runs(found: Iterable[Evaluated]) -> Iterator[list[Any]]:
    for system in found:
        for run in system.runs:
            absent = int((run.held == 0).sum())
            key = [system.name, system.kind, run.fold, run.seed, run.partition, run.level]
            yield [*key, run.items, absent, *_cells(run.scores.tolist())]


def _classes(found: Iterable[Evaluated], classes: list[str]) -> Iterator[list[Any]]:
    for system in found:
        for run in system.runs:
            key = [system.name, system.kind, run.fold, run.seed, run.partition, run.level]
            for place, label in enumerate(classes):
                own = _cells(run.by_class[:, place].tolist())
                yield [*key, label, int(run.held[place]), *own]


def _confusion(found: Iterable[Evaluated], classes: list[str]) -> Iterator[list[Any]]:
    for system in found:
        for run in system.runs:
            if run.level == "recording":
                key = [system.name, system.kind, run.fold, run.seed, run.partition]
                for label, row in zip(classes, run.confusion.tolist(), strict=True):
                    for other, count in zip(classes, row, strict=True):
                        yield [*key, label, other, count]


def _reliability(found: Iterable[Evaluated]) -> Iterator[list[Any]]:
    for system in found:
        for partition in PARTITIONS:
            own = [
                r.bins for r in system.runs if (r.partition, r.level) == (partition, "recording")
            ]
            for number, (items, confidence, right) in enumerate(np.sum(own, axis=0).T.tolist(), 1):
                if items:
                    shares = (confidence / items, right / items)
                    yield [system.name, system.kind, partition, number, int(items), *shares]


def _comparisons(compared: Iterable[Comparison]) -> Iterator[list[Any]]:
    for pair in compared:
        values = [getattr(pair, name) for name in COMPARISONS[:-1]]
        yield [*_cells(values), "yes" if pair.apart else "no"]


def _summary(found: Sequence[Evaluated]) -> Iterator[list[Any]]:
    for partition in PARTITIONS:
        for system in found:
            for (own, level), over in system.overall.items():
                if own == partition:
                    key = [system.name, system.kind, partition, level]
                    for place, score in enumerate(SCORES):
                        yield [*key, score, *_over(over, place)]


def _class_summary(found: Sequence[Evaluated], classes: list[str]) -> Iterator[list[Any]]:
    for partition in PARTITIONS:
        for system in found:
            for (own, level), over in system.by_class.items():
                if own == partition:
                    key = [system.name, system.kind, partition, level]
                    for place, label in enumerate(classes):
                        for row, score in enumerate(CLASS_SCORES):
                            yield [*key, label, score, *_over(over, (row, place))]


def _over(over: Over, place: Any) -> list[Any]:
    ends = (over.mean[place], over.sd[place], over.low[place], over.high[place])
    return [over.runs, *_cells(map(float, ends))]


def _cells(values: Iterable[Any]) -> list[Any]:
    """Values as they are written; what does not exist is an empty cell."""
    return ["" if isinstance(v, float) and math.isnan(v) else v for v in values]
