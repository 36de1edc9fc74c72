"""What each fusion gains over its best member, and how different its members' errors are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepself.evaluation.comparisons import Comparison
from deepself.report.comparing import by_pair
from deepself.report.figures import Figure, figure, plain
from deepself.report.ranking import Ranked
from deepself.study import Study
from deepself.study.references import members


@dataclass(frozen=True)
class Gain:
    """A fusion against its best member.

    Attributes
    ----------
    name, method
        Of the fusion.
    members
        How many models it may draw on.
    best
        The member with the highest mean UAR on dev, as one would choose without a look at test.
    pair
        The fusion compared with it, on test.
    disagreement, q
        Means over all pairs of members, on test; NaN of a single member, or where no pair has one.
    """

    name: str
    method: str
    members: int
    best: str
    pair: Comparison
    disagreement: float
    q: float


def gains(
    study: Study,
    ranked: Sequence[Ranked],
    compared: Sequence[Comparison],
    drawn: dict[str, Figure],
) -> list[Gain]:
    """The gain of each fusion, in the order of the ranking; their figure is added to `drawn`."""
    pairs = by_pair(compared)
    dev = {r.name: r.dev for r in ranked}
    found = []
    for r in ranked:
        if r.kind != "fusion":
            continue
        names = members(study, study.fusions[r.name].members)
        best = max(names, key=dev.__getitem__)
        between = [
            pairs[frozenset((a, b))] for place, a in enumerate(names) for b in names[place + 1 :]
        ]
        found.append(
            Gain(
                r.name,
                study.fusions[r.name].method.type,
                len(names),
                best,
                pairs[frozenset((r.name, best))].seen_from(r.name),
                _mean([pair.disagreement for pair in between]),
                _mean([pair.q for pair in between]),
            )
        )
    if found:
        drawn["gains"] = gain_figure(found)
    return found


def gain_figure(found: Sequence[Gain]) -> Figure:
    """Gains with their intervals."""
    names = [gain.name for gain in found]
    middle = [gain.pair.difference for gain in found]
    line = {"color": "$muted", "width": 1, "dash": "dot"}
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": middle,
        "y": names,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [gain.pair.high - gain.pair.difference for gain in found],
            "arrayminus": [gain.pair.difference - gain.pair.low for gain in found],
            "color": "$second",
            "thickness": 2,
            "width": 5,
        },
        "marker": {"color": "$second", "size": 10, "symbol": "diamond"},
        "text": [f"{plain(gain.name)} minus {plain(gain.best)}" for gain in found],
        "customdata": [[gain.pair.low, gain.pair.high] for gain in found],
        "hovertemplate": (
            "%{text}: %{x:.3f}<br>95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}"
            "<extra></extra>"
        ),
    }
    return figure(
        [trace],
        100 + 30 * len(found),
        "Gain of each fusion in test UAR over its best member, with its 95 % interval; the table "
        "below has the numbers.",
        xaxis={"title": {"text": "test UAR, fusion minus best member"}, "zeroline": False},
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names[::-1],
            "range": [-0.6, len(names) - 0.4],
            "automargin": True,
            "showgrid": False,
        },
        shapes=[
            {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        ],
    )


def _mean(values: list[float]) -> float:
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")
