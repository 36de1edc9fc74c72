"""Figures as plotly's JSON.

Colours are names that begin with `$`: the page resolves them from its style sheet, so that one
figure serves the light, the dark and the printed page.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deepself.report.ranking import Ranked

Figure = dict[str, Any]
Histories = Mapping[str, list[dict[str, str]]]
"""Training history of a model by the name of the run (fold, and seed where there are several)."""

MAX_POINTS = 200
"""Epochs drawn a curve; longer ones are thinned."""


def figure(traces: list[dict[str, Any]], height: int, label: str, /, **layout: Any) -> Figure:
    """A figure: its height in pixels, and a text for those who cannot see it."""
    return {"data": traces, "layout": {"height": height, **layout}, "label": label}


def plain(text: str) -> str:
    """Text that plotly shows as it is: it would read tags in it as its own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def packed(values: np.ndarray) -> dict[str, str]:
    """An array in plotly's binary form: 4 bytes a value, not up to 20 characters."""
    array = np.ascontiguousarray(values, dtype="<f4")
    shape = ", ".join(map(str, array.shape))
    return {"dtype": "f4", "bdata": base64.b64encode(array.tobytes()).decode(), "shape": shape}


def forest(ranked: Sequence[Ranked], chance: float) -> Figure:
    """Mean test UAR with its interval, and each run's, the best on top."""
    runs = [(r.name, uar) for r in ranked for fold in r.folds["test"] for uar in fold.seeds]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "one run",
            "y": [name for name, _ in runs],
            "x": [uar for _, uar in runs],
            "marker": {"color": "$muted", "size": 6, "opacity": 0.45},
            "hovertemplate": "%{y}, one run: %{x:.3f}<extra></extra>",
        }
    ]
    for kind, colour, symbol in (("model", "$first", "circle"), ("fusion", "$second", "diamond")):
        own = [r for r in ranked if r.kind == kind]
        if own:
            traces.append(_means(own, kind, colour, symbol))
    low = min([chance, *(uar for _, uar in runs), *(r.test.low for r in ranked)])
    line = {"color": "$muted", "width": 1, "dash": "dot"}
    return figure(
        traces,
        110 + 30 * len(ranked),
        "Mean test UAR of each model and fusion with its 95 % interval; the table below has "
        "the numbers.",
        xaxis={
            "title": {"text": "test UAR"},
            "range": [max(0, low - 0.04), 1.02],
            "zeroline": False,
        },
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [r.name for r in reversed(ranked)],
            "range": [-0.6, len(ranked) - 0.4],
            "automargin": True,
            "showgrid": False,
        },
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        shapes=[
            {
                "type": "line",
                "x0": chance,
                "x1": chance,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": line,
            }
        ],
        annotations=[
            {
                "text": "chance",
                "x": chance,
                "xanchor": "left",
                "yref": "paper",
                "y": 0,
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": "$muted", "size": 11},
            }
        ],
    )


def _means(own: list[Ranked], kind: str, colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{kind}: mean, 95 % interval",
        "y": [r.name for r in own],
        "x": [r.test.mean for r in own],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [r.test.high - r.test.mean for r in own],
            "arrayminus": [r.test.mean - r.test.low for r in own],
            "color": colour,
            "thickness": 2,
            "width": 5,
        },
        "marker": {"color": colour, "size": 10, "symbol": symbol},
        "customdata": [[r.test.low, r.test.high] for r in own],
        "hovertemplate": (
            "%{y}: %{x:.3f}<br>95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}"
            "<extra></extra>"
        ),
    }


def curves(histories: Histories, best: Mapping[str, int], quantity: str) -> Figure:
    """Train and dev curves of all runs of a network; the chosen epoch is marked on dev.

    Parameters
    ----------
    histories
        Rows of history.csv by run.
    best
        Chosen epoch by run.
    quantity
        `loss` or `uar`.
    """
    title = {"loss": "loss", "uar": "UAR"}[quantity]
    traces = []
    for partition, colour, width in (("train", "$second", 1), ("dev", "$first", 1.5)):
        x, y, text = _joined(histories, "epoch", f"{partition}_{quantity}")
        if y:
            traces.append(_lines(x, y, text, f"{partition} {title}", colour, width))
    x, y, text = [], [], []
    for run, rows in histories.items():
        for row in rows:
            value = _number(row.get(f"dev_{quantity}"))
            if value is not None and int(row["epoch"]) == best.get(run):
                x.append(int(row["epoch"]))
                y.append(value)
                text.append(plain(run))
    traces.append(_marks(x, y, text, "chosen epoch"))
    return figure(
        traces,
        250,
        f"Train and dev {title} by epoch, one line a run.",
        xaxis={"title": {"text": "epoch"}},
        yaxis={"title": {"text": title}, "rangemode": "tozero" if quantity == "loss" else "normal"},
    )


def choices(histories: Histories, best: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Dev UAR of a classifier by what was chosen from; the chosen one is marked.

    Parameters
    ----------
    histories
        Rows of history.csv by run: settings that were tried, and their UAR on dev.
    best
        What was chosen, by run.
    """
    rows = [row for own in histories.values() for row in own]
    columns = [name for name in rows[0] if name not in ("dev_uar", "seconds")] if rows else []
    along = "complexity" if "complexity" in columns or not columns else columns[0]
    others = [name for name in columns if name != along]
    lines: dict[str, list[dict[str, str]]] = {}
    points = []
    for run, own in histories.items():
        for row in own:
            label = ", ".join([run, *(f"{name} {row[name]}" for name in others)])
            lines.setdefault(label, []).append(row)
            if all(float(row[name]) == best[run].get(name) for name in columns):
                points.append((float(row[along]), _number(row["dev_uar"]), plain(label)))
    chosen = [list(column) for column in zip(*points, strict=True)] or [[], [], []]
    x, y, text = _joined(lines, along, "dev_uar")
    axis: dict[str, Any] = {"title": {"text": along}}
    if along == "complexity":
        axis |= {"type": "log", "dtick": 1, "exponentformat": "power"}
    return figure(
        [
            _lines(x, y, text, "dev UAR", "$first", 1.5),
            _marks(chosen[0], chosen[1], chosen[2], f"chosen {along}"),
        ],
        250,
        f"Dev UAR by {along}, one line a run{' and ' + ', '.join(others) if others else ''}.",
        xaxis=axis,
        yaxis={"title": {"text": "UAR"}},
    )


def rates(classes: Sequence[str], counts: np.ndarray) -> Figure:
    """A large confusion matrix: row rates as colour, counts on hovering."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [plain(name if len(name) <= 24 else name[:23] + "…") for name in classes]
    axis = {"tickvals": list(range(len(names))), "ticktext": names, "automargin": True}
    trace = {
        "type": "heatmap",
        "z": packed(share),
        "customdata": counts.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "$ground"], [1, "$first"]],
        "colorbar": {"title": {"text": "row rate"}, "thickness": 10},
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{customdata} items, rate %{z:.2f}"
        "<extra></extra>",
    }
    return figure(
        [trace],
        max(360, min(900, 160 + 13 * len(names))),
        "Confusion matrix: share of each true class (row) that was taken for each class (column).",
        xaxis={"title": {"text": "predicted"}, "tickangle": -60, "showgrid": False, **axis},
        yaxis={"title": {"text": "true"}, "autorange": "reversed", "showgrid": False, **axis},
    )


def _joined(histories: Histories, along: str, column: str) -> tuple[list, list, list[str]]:
    """All runs' curves as one, with a gap between two runs."""
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for run, rows in histories.items():
        points = [(float(row[along]), _number(row.get(column))) for row in rows]
        points = [point for point in points if point[1] is not None]
        step = -(-len(points) // MAX_POINTS) or 1
        thin = points[::step] + (points[-1:] if (len(points) - 1) % step else [])
        if thin:
            x += [*(p[0] for p in thin), None]
            y += [*(p[1] for p in thin), None]
            text += [plain(run)] * (len(thin) + 1)
    return x, y, text


def _number(text: str | None) -> float | None:
    if not text:
        return None
    value = float(text)
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _lines(x: list, y: list, text: list[str], name: str, colour: str, width: float) -> dict:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "connectgaps": False,
        "opacity": 0.75,
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{name} %{{y:.3f}} at %{{x}}, %{{text}}<extra></extra>",
    }


def _marks(x: list, y: list, text: list[str], name: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "marker": {"color": "$ink", "size": 7, "symbol": "circle-open", "line": {"width": 2}},
        "hovertemplate": f"{name} %{{x}}: dev %{{y:.3f}}, %{{text}}<extra></extra>",
    }
