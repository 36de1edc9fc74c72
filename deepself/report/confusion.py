"""What is taken for what: confusion matrices on test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepself.report import figures
from deepself.report.figures import Figure
from deepself.report.ranking import Ranked
from deepself.store.files import read_table
from deepself.study import Layout

SHOWN = 20
"""Systems whose matrices are shown, the best ones: a page must stay readable."""

TABLE_CLASSES = 20
"""Matrices of up to so many classes are tables; larger ones are heat maps."""

NARROW_CLASSES = 6
"""Matrices of up to so many classes stand side by side; wider ones get a row each."""


@dataclass(frozen=True)
class Matrix:
    """Confusion matrix of one system on test, summed over folds and seeds."""

    name: str
    kind: str
    counts: list[list[int]]
    rates: list[list[float]]


def matrices(
    layout: Layout, ranked: Sequence[Ranked], classes: list[str], drawn: dict[str, Figure]
) -> list[Matrix]:
    """Matrices of the best systems; those that are heat maps have their figure added to `drawn`."""
    shown = ranked[:SHOWN]
    place = {label: i for i, label in enumerate(classes)}
    counts = {(r.name, r.kind): np.zeros((len(classes), len(classes)), int) for r in shown}
    for row in read_table(layout.confusion):
        own = counts.get((row["name"], row["kind"]))
        if own is not None and row["partition"] == "test":
            own[place[row["label"]], place[row["predicted"]]] += int(row["count"])
    found = []
    for (name, kind), own in counts.items():
        share = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
        found.append(Matrix(name, kind, own.tolist(), share.round(4).tolist()))
        if len(classes) > TABLE_CLASSES:
            drawn[f"confusion-{name}"] = figures.rates(classes, own)
    return found
