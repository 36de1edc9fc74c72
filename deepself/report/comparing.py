"""How systems compare: every pair, their mean ranks, and what fusions gain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deepself.evaluation.comparisons import Comparison
from deepself.evaluation.significance import ALPHA, Ranks, ranks
from deepself.report.figures import Figure, figure, plain
from deepself.report.page import probability, score
from deepself.report.ranking import Ranked

SHOWN = 40
"""Systems in the matrix of pairs and the diagram of ranks, the best ones."""

LISTED = 10
"""Systems whose pairs are listed in full."""

QUANTITIES: dict[str, tuple[str, str]] = {
    "difference": ("difference of UAR", "row minus column"),
    "p_bootstrap_holm": ("p, bootstrap of UAR", "Holm-corrected"),
    "p_t_holm": ("p, corrected resampled t-test", "Holm-corrected"),
    "p_mcnemar_holm": ("p, McNemar", "Holm-corrected"),
    "disagreement": ("disagreement", "share of items that only one has right"),
    "q": ("Q statistic", "1: the same errors; 0: independent ones"),
}
"""What the matrix can show of a pair."""

Pairs = Mapping[frozenset[str], Comparison]


def by_pair(found: Sequence[Comparison]) -> Pairs:
    """Comparisons by the two that they compare."""
    return {frozenset((c.first, c.second)): c for c in found}


def compared(
    ranked: Sequence[Ranked], found: Sequence[Comparison], drawn: dict[str, Figure]
) -> dict[str, Any]:
    """What the template `comparison.html` shows; its figures are added to `drawn`.

    Parameters
    ----------
    ranked
        All systems, the best first.
    found
        All pairs of them.
    drawn
        The page's figures.
    """
    pairs, over_folds = by_pair(found), mean_ranks(ranked)
    if pairs:
        drawn["pairs"] = matrix(ranked, pairs)
    if over_folds is not None:
        drawn["ranks"] = critical_difference(ranked, over_folds)
    return {
        "quantities": QUANTITIES,
        "pairs": listed(ranked, pairs),
        "pairs_listed": LISTED,
        "pairs_total": len(pairs),
        "matrix_shown": SHOWN,
        "ranks": over_folds,
    }


def listed(ranked: Sequence[Ranked], pairs: Pairs) -> list[Comparison]:
    """All pairs of the best systems, each seen from the better one."""
    names = [r.name for r in ranked[:LISTED]]
    return [
        pairs[frozenset((a, b))].seen_from(a)
        for place, a in enumerate(names)
        for b in names[place + 1 :]
    ]


def matrix(ranked: Sequence[Ranked], pairs: Pairs) -> Figure:
    """Every pair of the best systems as a heat map, with a variant for each quantity."""
    names = [r.name for r in ranked[:SHOWN]]
    seen = [
        [pairs[frozenset((a, b))].seen_from(a) if a != b else None for b in names] for a in names
    ]
    text = [[_said(pair) if pair else "" for pair in row] for row in seen]
    variants = {key: _heat_map(names, seen, text, key, len(names) <= 12) for key in QUANTITIES}
    axis = {"type": "category", "showgrid": False, "automargin": True}
    return figure(
        variants["difference"],
        max(340, 150 + 24 * len(names)),
        "Every pair of systems; the table below has the numbers.",
        xaxis={**axis, "tickangle": -50},
        yaxis={**axis, "autorange": "reversed"},
    ) | {"variants": variants}


def _heat_map(
    names: list[str],
    seen: list[list[Comparison | None]],
    text: list[list[str]],
    key: str,
    written: bool,
) -> list[dict[str, Any]]:
    title, _ = QUANTITIES[key]
    values = [[None if c is None else _finite(getattr(c, key)) for c in row] for row in seen]
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": values,
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 10},
        **_scale(key, values),
    }
    if written:
        trace["texttemplate"] = "%{z:+.3f}" if key in ("difference", "q") else "%{z:.2f}"
    return [trace]


def _scale(key: str, values: list[list[float | None]]) -> dict[str, Any]:
    if key == "difference":
        most = max((abs(v) for row in values for v in row if v is not None), default=0) or 1
        colours = [[0, "$second"], [0.5, "$raised"], [1, "$first"]]
        return {"zmin": -most, "zmax": most, "colorscale": colours}
    if key.startswith("p_"):
        edge = ALPHA
        colours = [[0, "$first"], [edge, "$first"], [edge, "$raised"], [1, "$ground"]]
        return {"zmin": 0, "zmax": 1, "colorscale": colours}
    if key == "q":
        colours = [[0, "$first"], [0.5, "$raised"], [1, "$second"]]
        return {"zmin": -1, "zmax": 1, "colorscale": colours}
    return {"zmin": 0, "colorscale": [[0, "$raised"], [1, "$first"]]}


def _said(pair: Comparison) -> str:
    lines = [
        f"<b>{plain(pair.first)}</b> against <b>{plain(pair.second)}</b>",
        f"difference of UAR {score(pair.difference)} ({score(pair.low)} to {score(pair.high)})",
        f"bootstrap p {probability(pair.p_bootstrap_holm)}",
        f"corrected t-test p {probability(pair.p_t_holm)}",
        f"McNemar p {probability(pair.p_mcnemar_holm)}"
        f" ({pair.only_first:g} items against {pair.only_second:g})",
        f"disagreement {score(pair.disagreement)}, Q {score(pair.q)}",
        "can be told apart" if pair.apart else "cannot be told apart",
    ]
    return "<br>".join(lines)


def _finite(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.4g}")


def mean_ranks(ranked: Sequence[Ranked]) -> Ranks | None:
    """Mean ranks over folds of all systems; None of one fold or one system."""
    table = np.array([[fold.mean for fold in r.folds["test"]] for r in ranked]).T
    return ranks(table) if min(table.shape) >= 2 else None


def critical_difference(ranked: Sequence[Ranked], found: Ranks) -> Figure:
    """Mean ranks of the best systems, with bars over those that the ranks cannot tell apart."""
    order = np.argsort(found.means, kind="stable")[:SHOWN].tolist()
    rows = {system: row for row, system in enumerate(order)}
    names = [ranked[system].name for system in order]
    means = [float(found.means[system]) for system in order]
    cliques = [[s for s in clique if s in rows] for clique in found.cliques]
    bars = [[found.means[c[0]], found.means[c[-1]]] for c in cliques if len(c) > 1]
    # Bars stand above the first row, the scale of the critical difference above them.
    heights = [-1 - 0.45 * number for number in range(len(bars))]
    top = -1.4 - 0.45 * len(bars)
    traces = [
        _bar(
            [1, 1 + found.critical], top, "$muted", 2, f"critical difference {found.critical:.2f}"
        ),
        *(
            _bar(ends, at, "$ink", 5, "cannot be told apart")
            for ends, at in zip(bars, heights, strict=True)
        ),
        {
            "type": "scatter",
            "mode": "markers",
            "x": means,
            "y": list(range(len(names))),
            "text": [plain(name) for name in names],
            "marker": {"color": "$first", "size": 10},
            "hovertemplate": "%{text}: mean rank %{x:.2f}<extra></extra>",
        },
    ]
    return figure(
        traces,
        120 + 24 * len(names) + 12 * len(bars),
        f"Mean rank of each system over folds, 1 being the best; two that differ by less than "
        f"{found.critical:.2f} cannot be told apart by their ranks.",
        showlegend=False,
        xaxis={"title": {"text": "mean rank over folds"}, "zeroline": False, "rangemode": "normal"},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [plain(name) for name in names],
            "range": [len(names) - 0.4, top - 0.9],
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
        },
        annotations=[
            {
                "text": f"critical difference {found.critical:.2f}",
                "x": 1,
                "xanchor": "left",
                "y": top,
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": "$muted", "size": 11},
            }
        ],
    )


def _bar(ends: Sequence[float], y: float, colour: str, width: int, said: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [float(end) for end in ends],
        "y": [y, y],
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{said}<extra></extra>",
    }
