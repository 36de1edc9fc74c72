"""What the recordings are: how many of which class and group, and how long."""

from collections import defaultdict
from statistics import median
from typing import Any

import numpy as np

from deepself.report import tables
from deepself.report.figures import Figure, figure, plain
from deepself.store.files import read_table
from deepself.study import Layout
from deepself.study.identity import read_dataset

BINS = 40
"""Of a histogram of durations."""

LISTED = 30
"""Groups that are listed, those with most items."""


def described(layout: Layout, drawn: dict[str, Figure]) -> dict[str, Any]:
    """What the template `data.html` shows; its figures are added to `drawn`."""
    lengths = durations(layout)
    if lengths is not None:
        drawn["durations"] = lengths
    return {
        "counts": tables.counts(layout),
        "groups": groups(layout),
        "recordings": tables.recordings(layout),
        "equal": tables.equal_files(layout),
        "skipped": tables.skipped(layout),
    }


def groups(layout: Layout) -> dict[str, Any] | None:
    """How items are spread over groups; None without groups.

    Returns
    -------
    dict
        `least`, `median` and `most` items of a group; `rows`, the largest groups with their
        items, classes and the folds that test them; `more`, how many are not listed.
    """
    rows = read_table(layout.folds)
    found = defaultdict(list)
    for row in rows:
        if row["group"]:
            found[row["group"]].append(row)
    if not found:
        return None
    folds, classes = read_dataset(layout)["folds"], read_dataset(layout)["classes"]
    sizes = [len(own) for own in found.values()]
    largest = sorted(found, key=lambda name: -len(found[name]))
    lines = []
    for name in largest[:LISTED]:
        own = found[name]
        labels = {row["label"] for row in own}
        tested = [f for f in folds if any(row[f"fold-{f}"] == "test" for row in own)]
        lines.append(
            {
                "group": name,
                "items": len(own),
                "labels": [label for label in classes if label in labels],
                "tested": tested,
            }
        )
    return {
        "least": min(sizes),
        "median": median(sizes),
        "most": max(sizes),
        "rows": lines,
        "more": len(found) - len(lines),
    }


def durations(layout: Layout) -> Figure | None:
    """Histogram of how long recordings are; None if none lasts, or all last equally long."""
    seconds = defaultdict(list)
    for row in read_table(layout.inventory):
        if row["duration"]:
            seconds[row["modality"]].append(float(row["duration"]))
    every = [value for own in seconds.values() for value in own]
    if not every or min(every) == max(every):
        return None
    edges = np.histogram_bin_edges(every, BINS)
    middles = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
    ends = np.stack([edges[:-1], edges[1:]], axis=1).round(4).tolist()
    traces = [
        {
            "type": "bar",
            "name": plain(modality),
            "x": middles,
            "y": np.histogram(own, edges)[0].tolist(),
            "customdata": ends,
            "marker": {"color": colour},
            "hovertemplate": "%{customdata[0]:.3g} to %{customdata[1]:.3g} s: %{y} recordings"
            f"<extra>{plain(modality)}</extra>",
        }
        for (modality, own), colour in zip(
            seconds.items(), ["$first", "$second", "$muted", "$ink"] * len(seconds), strict=False
        )
    ]
    return figure(
        traces,
        240,
        "How many recordings last how long; the table above has shortest, median and longest.",
        barmode="stack",
        bargap=0.05,
        xaxis={"title": {"text": "seconds"}},
        yaxis={"title": {"text": "recordings"}},
    )
