"""What confidences are worth, and how well each class is found."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepself.report.figures import Figure, figure, plain
from deepself.report.ranking import Ranked
from deepself.store.files import read_table
from deepself.study import Layout

SHOWN = 30
"""Systems with a diagram of reliability, and rows of recalls: the best ones."""

WRITTEN = 12
"""Recalls are written into the cells of up to so many classes."""


def calibrated(
    layout: Layout, ranked: Sequence[Ranked], classes: Sequence[str], drawn: dict[str, Figure]
) -> dict[str, Any]:
    """What the template `calibration.html` shows; its figures are added to `drawn`."""
    drawn["recalls"] = recalls(layout, ranked, classes)
    drawn["reliability"] = reliability(layout, ranked)
    return {"absent": _absent(layout), "calibration_shown": SHOWN}


def _absent(layout: Layout) -> dict[str, int]:
    """How many classes have no test items, by fold; folds that lack none are left out."""
    return {
        row["fold"]: int(row["absent"])
        for row in read_table(layout.scores)
        if (row["partition"], row["level"]) == ("test", "recording") and row["absent"] != "0"
    }


def reliability(layout: Layout, ranked: Sequence[Ranked]) -> Figure:
    """Accuracy by confidence on test, with a variant for each of the best systems."""
    rows = [row for row in read_table(layout.reliability) if row["partition"] == "test"]
    variants = {}
    for r in ranked[:SHOWN]:
        own = [row for row in rows if (row["name"], row["kind"]) == (r.name, r.kind)]
        variants[r.name] = _diagram(own)
    axis: dict[str, Any] = {"range": [0, 1.02], "zeroline": False}
    line = {"color": "$muted", "width": 1, "dash": "dot"}
    return figure(
        next(iter(variants.values())),
        380,
        "Share of right decisions by the confidence that they were made with, on test; calibrated "
        "confidences lie on the diagonal.",
        showlegend=False,
        xaxis={"title": {"text": "mean confidence of a bin"}, **axis},
        yaxis={"title": {"text": "accuracy of the bin"}, **axis},
        shapes=[{"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": line}],
    ) | {"variants": variants}


def _diagram(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    items = [int(row["items"]) for row in rows]
    most = max(items, default=1)
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "cliponaxis": False,
            "x": [_short(row["confidence"]) for row in rows],
            "y": [_short(row["accuracy"]) for row in rows],
            "customdata": items,
            "line": {"color": "$first", "width": 1.5},
            # The area of a mark is its share of the items.
            "marker": {
                "color": "$first",
                "size": [round(6 + 18 * (n / most) ** 0.5, 1) for n in items],
                "opacity": 0.8,
            },
            "hovertemplate": "confidence %{x:.3f}, accuracy %{y:.3f}, %{customdata} items"
            "<extra></extra>",
        }
    ]


def recalls(layout: Layout, ranked: Sequence[Ranked], classes: Sequence[str]) -> Figure:
    """Recall of each class on test: a row for each of the best systems."""
    found = {
        (row["name"], row["kind"], row["label"]): row
        for row in read_table(layout.class_summary)
        if (row["partition"], row["level"], row["score"]) == ("test", "recording", "recall")
    }
    shown = ranked[:SHOWN]
    cells = [[found[r.name, r.kind, label] for label in classes] for r in shown]
    names = [plain(name if len(name) <= 24 else name[:23] + "…") for name in classes]
    places = list(range(len(classes)))
    written = len(classes) <= WRITTEN
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": places,
        "y": [r.name for r in shown],
        "z": [[_short(cell["mean"]) for cell in row] for row in cells],
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "$ground"], [1, "$first"]],
        "colorbar": {"title": {"text": "recall", "side": "right"}, "thickness": 10},
        "text": [
            [_recall(r.name, label, cell) for label, cell in zip(classes, row, strict=True)]
            for r, row in zip(shown, cells, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if written:
        trace["texttemplate"] = "%{z:.2f}"
    return figure(
        [trace],
        max(220, 150 + 24 * len(shown)),
        "Recall of each class on test, mean over folds and seeds, a row a system.",
        xaxis={
            "tickvals": places,
            "ticktext": names,
            "tickangle": -50,
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "type": "category",
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
        },
    )


def _recall(name: str, label: str, cell: dict[str, str]) -> str:
    lead = f"<b>{plain(name)}</b><br>{plain(label)}: "
    if not cell["mean"]:
        return lead + "no test items"
    mean, low, high = (float(cell[key]) for key in ("mean", "low", "high"))
    return f"{lead}{mean:.3f}<br>95 % interval {low:.3f} to {high:.3f}"


def _short(text: str) -> float | None:
    return float(f"{float(text):.4g}") if text and np.isfinite(float(text)) else None
