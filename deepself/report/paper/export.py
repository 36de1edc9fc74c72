"""Writing a study's tables and figures for a paper."""

import re
from collections.abc import Sequence
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
    for folder in (layout.tables, layout.figures):
        for path in ours(folder):
            path.unlink()
    write_tables(study, layout, ranked)
    draw_figures(study, layout, ranked)
    return ours(layout.tables), ours(layout.figures)


def ours(folder: Path) -> list[Path]:
    """Files in one of the two folders that a report wrote, by their names."""
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if OURS.fullmatch(path.name) and path.is_file())


def write_tables(study: Study, layout: Layout, ranked: Sequence[Ranked]) -> None:
    """Write the tables alone."""
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
    for table in made:
        write_all(table, layout.tables, study.name)


def draw_figures(study: Study, layout: Layout, ranked: Sequence[Ranked]) -> None:
    """Draw the figures alone."""
    folder, classes = layout.figures, read_dataset(layout)["classes"]
    pairs, over_folds = by_pair(comparisons(layout)), mean_ranks(ranked)
    figures.forest(ranked, 1 / len(classes), folder)
    if over_folds is not None:
        figures.critical_difference(ranked, over_folds, folder)
    if pairs:
        figures.comparisons(ranked, pairs, folder)
    figures.confusion(matrices(layout, ranked, classes, {}), classes, folder)
    figures.reliability(layout, ranked, folder)
    if len(classes) <= CLASSES:
        figures.recalls(layout, ranked[0], classes, folder)
    found = require_complete(study, layout)
    networks = [
        r.name for r in ranked if r.kind == "model" and study.models[r.name].network is not None
    ]
    for name in networks[:CURVES]:
        figures.curves(name, [r for r in found if (r.name, r.kind) == (name, "model")], folder)
