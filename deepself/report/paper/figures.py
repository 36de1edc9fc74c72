"""The figures of a study, for a paper."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from deepself.evaluation.results import Result
from deepself.evaluation.significance import Ranks
from deepself.report.comparing import Pairs
from deepself.report.confusion import Matrix
from deepself.report.paper.canvas import COLUMN, FUSION, MODEL, PAGE, QUIET, drawing, short
from deepself.report.ranking import Ranked
from deepself.store.files import read_table
from deepself.study import Layout

SYSTEMS = 60
"""Systems in the forest plot; other figures have fewer, the best ones."""

RANKS, PAIRS, LINES = 20, 30, 5

MARKS = (("o", MODEL), ("s", FUSION), ("D", "black"), ("^", "#2a7d3a"), ("v", QUIET))
"""How the best systems are told apart, the best first."""

BAR = 0.45
"""Width of a matrix's colour bar with its label, in inches."""

WRITTEN = 15
"""Numbers are written into matrices of up to so many rows."""


def forest(ranked: Sequence[Ranked], chance: float, folder: Path) -> None:
    """Mean test UAR with its interval, the best on top, and each run's."""
    shown = ranked[:SYSTEMS]
    with drawing(COLUMN, 0.8 + 0.16 * len(shown), folder, "forest") as figure:
        axes = figure.add_subplot()
        for row, r in enumerate(shown):
            colour, mark = (FUSION, "D") if r.kind == "fusion" else (MODEL, "o")
            runs = [uar for fold in r.folds["test"] for uar in fold.seeds]
            axes.plot(
                runs, [row] * len(runs), ".", color=QUIET, alpha=0.45, markersize=3, label="run"
            )
            axes.plot([r.test.low, r.test.high], [row, row], color=colour)
            axes.plot(r.test.mean, row, mark, color=colour, markersize=4, label=r.kind)
        axes.axvline(chance, color=QUIET, linestyle=":", linewidth=0.8, label="chance")
        axes.set_yticks(range(len(shown)), [short(r.name) for r in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        more = f" (best {len(shown)} of {len(ranked)})" if len(shown) < len(ranked) else ""
        axes.set_xlabel(f"test UAR, mean and 95 % interval{more}")
        handles, labels = axes.get_legend_handles_labels()
        each = dict(zip(labels, handles, strict=True))
        figure.legend(
            each.values(),
            each.keys(),
            loc="outside lower center",
            ncols=len(each),
            borderpad=0,
            columnspacing=1.2,
            handletextpad=0.4,
        )


def critical_difference(ranked: Sequence[Ranked], found: Ranks, folder: Path) -> None:
    """Mean ranks over folds on one axis; bars join what the ranks cannot tell apart.

    References
    ----------
    J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", Journal of Machine
    Learning Research 7, 2006, figure 1.
    """
    order = np.argsort(found.means, kind="stable")[:RANKS].tolist()
    half = (len(order) + 1) // 2
    last = max(found.means[order].max(), 1 + found.critical)
    cliques = [[s for s in clique if s in order] for clique in found.cliques]
    cliques = [clique for clique in cliques if len(clique) > 1]
    below = 0.4 + 0.35 * len(cliques)
    depth = below + 0.75 * half
    with drawing(PAGE, 0.5 + 0.24 * (depth + 1.5), folder, "critical_difference") as figure:
        axes = figure.add_subplot()
        axes.axis("off")
        room = 0.35 * (last - 1)
        axes.set_xlim(1 - room, last + room)
        axes.set_ylim(-depth - 0.3, 2.2)
        axes.plot([1, last], [0, 0], color="black", linewidth=0.8)
        for tick in _ticks(last):
            axes.plot([tick, tick], [0, 0.18], color="black", linewidth=0.8)
            axes.text(tick, 0.3, str(tick), ha="center", va="bottom")
        axes.plot([1, 1 + found.critical], [1.4, 1.4], color="black", linewidth=0.8)
        said = f"critical difference {found.critical:.2f}"
        axes.text(1, 1.55, said, ha="left", va="bottom")
        of = f"\nbest {len(order)} of {len(ranked)}" if len(order) < len(ranked) else ""
        axes.text(last + 0.05 * room, 0.1, f"mean rank over folds{of}", ha="left", va="center")
        for place, system in enumerate(order):
            left = place < half
            row = place if left else len(order) - 1 - place
            y, end = -below - 0.75 * row, 1 - 0.02 * room if left else last + 0.02 * room
            mean = found.means[system]
            axes.plot([mean, mean, end], [0, y, y], color=QUIET, linewidth=0.7)
            axes.text(
                end + (-0.03 if left else 0.03) * room,
                y,
                f"{short(ranked[system].name)} ({mean:.2f})",
                ha="right" if left else "left",
                va="center",
            )
        for number, clique in enumerate(cliques):
            ends = found.means[clique]
            at = -0.3 - 0.35 * number
            axes.plot([ends.min(), ends.max()], [at, at], color="black", linewidth=2.5)


def _ticks(last: float) -> list[int]:
    """Ranks that are written on an axis from 1: each, or every second, fifth, tenth and so on."""
    steps = (factor * 10**power for power in count() for factor in (1, 2, 5))
    step = next(step for step in steps if last / step <= 14)
    return sorted({1, *range(step, int(last) + 1, step)})


def confusion(matrices: Sequence[Matrix], classes: Sequence[str], folder: Path) -> None:
    """Confusion matrix of each of the best systems: share of the row, and counts."""
    names = [short(name) for name in classes]
    side = min(PAGE, max(COLUMN, 1.1 + 0.28 * len(classes)))
    for matrix in matrices[:LINES]:
        rates = np.array(matrix.rates)
        with drawing(side, side - BAR, folder, f"confusion-{matrix.name}") as figure:
            axes = figure.add_subplot()
            picture = axes.imshow(rates, cmap="Blues", vmin=0, vmax=1)
            axes.spines[:].set_visible(False)
            _name_both(axes, names if len(classes) <= 60 else [])
            axes.set_xlabel("predicted")
            axes.set_ylabel("true")
            if len(classes) <= WRITTEN:
                for (row, column), number in np.ndenumerate(np.array(matrix.counts)):
                    dark = rates[row, column] > 0.6
                    axes.text(
                        column,
                        row,
                        str(number),
                        ha="center",
                        va="center",
                        color="white" if dark else "black",
                    )
            bar = figure.colorbar(picture, ax=axes, shrink=0.7, aspect=25)
            bar.set_label("share of the true class")


def reliability(layout: Layout, ranked: Sequence[Ranked], folder: Path) -> None:
    """Accuracy by confidence of the best systems."""
    rows = [row for row in read_table(layout.reliability) if row["partition"] == "test"]
    with drawing(COLUMN, COLUMN + 0.13 * min(len(ranked), LINES), folder, "reliability") as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], ":", color=QUIET, linewidth=0.8)
        for r, (mark, colour) in zip(ranked[:LINES], MARKS, strict=False):
            own = [row for row in rows if (row["name"], row["kind"]) == (r.name, r.kind)]
            x, y = ([float(row[key]) for row in own] for key in ("confidence", "accuracy"))
            axes.plot(x, y, marker=mark, color=colour, markersize=3, label=short(r.name))
        axes.set_xlabel("mean confidence of a bin, test")
        axes.set_ylabel("accuracy of the bin")
        figure.legend(loc="outside lower center", borderpad=0)


def curves(name: str, runs: Sequence[Result], folder: Path) -> None:
    """Loss and UAR of train and dev by epoch, one line a run of a network.

    The epoch that was chosen on dev is marked.
    """
    with drawing(PAGE, 2.2, folder, f"curves-{name}") as figure:
        for axes, (key, title) in zip(
            figure.subplots(1, 2), (("loss", "loss"), ("uar", "UAR")), strict=True
        ):
            for partition, colour, style in (("train", FUSION, "--"), ("dev", MODEL, "-")):
                for number, run in enumerate(runs):
                    column = f"{partition}_{key}"
                    rows = [row for row in run.history if row.get(column)]
                    epochs = [int(row["epoch"]) for row in rows]
                    chosen = run.record["best"].get("epoch") if partition == "dev" else None
                    axes.plot(
                        epochs,
                        [float(row[column]) for row in rows],
                        style,
                        color=colour,
                        linewidth=0.7,
                        alpha=0.8,
                        label=partition if number == 0 else None,
                        marker="o",
                        markersize=2.5,
                        markevery=[place for place, e in enumerate(epochs) if e == chosen],
                    )
            axes.set_xlabel("epoch")
            axes.set_ylabel(title)
            axes.legend()


def comparisons(ranked: Sequence[Ranked], pairs: Pairs, folder: Path) -> None:
    """Differences of UAR of the best systems; a dot where the two can be told apart."""
    shown = ranked[:PAIRS]
    table = np.full((len(shown), len(shown)), np.nan)
    apart = []
    for i, first in enumerate(shown):
        for j, second in enumerate(shown):
            if i != j:
                pair = pairs[frozenset((first.name, second.name))].seen_from(first.name)
                table[i, j] = pair.difference
                if pair.apart:
                    apart.append((j, i))
    side = min(PAGE, max(COLUMN, 1.2 + 0.22 * len(shown)))
    names = [short(r.name) for r in shown]
    with drawing(side, side - BAR, folder, "comparisons") as figure:
        axes = figure.add_subplot()
        most = np.nanmax(np.abs(table)) or 1
        picture = axes.imshow(table, cmap="PuOr_r", vmin=-most, vmax=most)
        axes.spines[:].set_visible(False)
        if apart:
            axes.plot(
                *zip(*apart, strict=True),
                "o",
                color="black",
                markersize=2.5,
                markeredgecolor="white",
            )
            axes.set_xlabel("dots: pairs that can be told apart")
        _name_both(axes, names)
        bar = figure.colorbar(picture, ax=axes, shrink=0.7, aspect=25)
        bar.set_label("test UAR, row minus column")


def recalls(layout: Layout, best: Ranked, classes: Sequence[str], folder: Path) -> None:
    """Recall of each class by the best system, with its interval."""
    found = {
        row["label"]: row
        for row in read_table(layout.class_summary)
        if (row["name"], row["kind"], row["partition"]) == (best.name, best.kind, "test")
        and (row["level"], row["score"]) == ("recording", "recall")
        and row["mean"]
    }
    with drawing(COLUMN, 0.6 + 0.14 * len(classes), folder, "recalls") as figure:
        axes = figure.add_subplot()
        for row, label in enumerate(classes):
            if label in found:
                mean, low, high = (float(found[label][key]) for key in ("mean", "low", "high"))
                axes.plot([low, high], [row, row], color=MODEL)
                axes.plot(mean, row, "o", color=MODEL, markersize=3)
        axes.set_yticks(range(len(classes)), [short(name) for name in classes])
        axes.set_ylim(len(classes) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(f"recall on test, {short(best.name)}")


def _name_both(axes: Any, names: Sequence[str]) -> None:
    """Names beside and below a matrix."""
    places = range(len(names))
    axes.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.tick_params(length=0)
