"""Writing a study's tables and figures for a paper."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from deepself.evaluation.comparisons import comparisons
from deepself.evaluation.results import require_complete
from deepself.report.comparing import by_pair, mean_ranks
from deepself.report.confusion import matrices
from deepself.report.gains import gains
from deepself.report.paper import figures, tables
from deepself.report.paper.writing import write_all
from deepself.report.ranking import Ranked, ranking, summary
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

CLASSES = 60
"""Recalls are drawn of up to so many classes."""

CURVES = 3
"""Networks whose curves are drawn, the best ones."""

OURS = re.compile(
    r"(ranking|folds|classes|comparisons|fusions|cost|data)\.(csv|md|tex)"
    r"|(forest|critical_difference|comparisons|reliability|recalls|(confusion|curves)-.+)"
    r"\.(svg|pdf)"
)
"""Names of the files that a report may leave in the two folders."""


def export(study: Study, layout: Layout) -> tuple[list[Path], list[Path]]:
    """Write all tables and figures of a study that is scored; return both.

    What an earlier report left of other systems goes; files of any other name stay.

    Raises
    ------
    UserError
        As `deepself.report.render.render`.
    """
    ranked = ranking(study, layout)
    written = _tables(study, layout, ranked), _figures(study, layout, ranked)
    for folder, files in zip((layout.tables, layout.figures), written, strict=True):
        _remove_others(folder, files)
    return written


def _tables(study: Study, layout: Layout, ranked: Sequence[Ranked]) -> list[Path]:
    dataset = read_dataset(layout)
    pairs = comparisons(layout)
    found = require_complete(study, layout)
    runs = [(result, result.record) for result in found if result.kind == "model"]
    folds, seeds = len(dataset["folds"]), len(study.seeds)
    over = f"mean over {folds} fold{'s' * (folds > 1)} and {seeds} seed{'s' * (seeds > 1)}"
    chances = {n: own for (n, kind), own in summary(layout).items() if kind == "chance"}
    made = [
        tables.ranking(ranked, chances, over),
        tables.folds(ranked, dataset["folds"]),
        tables.classes(layout, ranked, dataset["classes"], over),
        tables.cost(runs),
        tables.data(layout),
    ]
    if pairs:
        made.append(tables.comparisons(ranked, pairs))
    if study.fusions:
        made.append(tables.fusions(gains(study, ranked, pairs, {})))
    return [file for table in made for file in write_all(table, layout.tables, study.name)]


def _figures(study: Study, layout: Layout, ranked: Sequence[Ranked]) -> list[Path]:
    folder, classes = layout.figures, read_dataset(layout)["classes"]
    pairs, over_folds = by_pair(comparisons(layout)), mean_ranks(ranked)
    made = [figures.forest(ranked, 1 / len(classes), folder)]
    if over_folds is not None:
        made.append(figures.critical_difference(ranked, over_folds, folder))
    if pairs:
        made.append(figures.comparisons(ranked, pairs, folder))
    best = matrices(layout, ranked, classes, {})[: figures.LINES]
    made += [figures.confusion(matrix, classes, folder) for matrix in best]
    made.append(figures.reliability(layout, ranked, folder))
    if len(classes) <= CLASSES:
        made.append(figures.recalls(layout, ranked[0], classes, folder))
    found = require_complete(study, layout)
    networks = [
        r.name for r in ranked if r.kind == "model" and study.models[r.name].network is not None
    ]
    for name in networks[:CURVES]:
        runs = [r for r in found if (r.name, r.kind) == (name, "model")]
        made.append(figures.curves(name, runs, folder))
    return [file for files in made for file in files]


def _remove_others(folder: Path, files: Iterable[Path]) -> None:
    """Remove what a report may have left in a folder, other than these files."""
    for path in folder.iterdir():
        if path not in files and OURS.fullmatch(path.name) and path.is_file():
            path.unlink()
