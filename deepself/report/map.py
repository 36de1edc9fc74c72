"""The map of the items as a figure that the page places and colours anew when asked to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np

from deepself.report.figures import Figure, figure, packed, plain
from deepself.report.placing import about
from deepself.store.files import read_json, read_table
from deepself.study import Layout
from deepself.study.identity import read_dataset

KEY = "map"
"""Of the figure."""

COLOURS = tuple(f"$hue{letter}" for letter in "abcdefghij")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "triangle-down")
"""The numbers of colours and of symbols have no common factor: 70 values differ in one of them."""

LEGEND = 20
"""Values that a legend names; of more, hovering does."""

HEIGHT = 540

NONE = "none"
"""In place of a value that an item does not have."""


@dataclass(frozen=True)
class Map:
    """What the template shows of the map.

    Attributes
    ----------
    about
        Which run it is of, how many values an item has there, and how they were placed.
    places, colourings
        What the page's controls offer: keys with what the reader sees.
    repeated
        Of colourings with more values than colours and symbols tell apart: their numbers.
    unnamed
        Of those with more values than a legend can name: their numbers.
    """

    about: dict[str, Any]
    places: dict[str, str]
    colourings: dict[str, str]
    repeated: dict[str, int]
    unnamed: dict[str, int]


def items_map(layout: Layout, drawn: dict[str, Figure]) -> Map | None:
    """The map, its figure added to `drawn`; None where there is no map."""
    if not (layout.map.is_file() and about(layout).is_file()):
        return None
    rows, said = read_table(layout.map), read_json(about(layout))
    dataset = read_dataset(layout)
    values = {
        "label": _values([row["label"] for row in rows], dataset["classes"]),
        "fold": _values([row["fold"] for row in rows], dataset["folds"]),
        "group": _values([row["group"] for row in rows], []),
        "partition": _values([row["partition"] for row in rows], ["train", "dev", "test"]),
    }
    if not any(row["group"] for row in rows):
        del values["group"]
    names = {"label": "class", "fold": "fold that tests it", "group": "group"}
    names["partition"] = f"partition in fold {said['fold']}"
    places = {"tsne": "t-SNE", "pca": "PCA"}
    drawn[KEY] = _figure(rows, said, places, {key: (names[key], *values[key]) for key in values})
    counted = {key: len(found) for key, (found, _) in values.items()}
    return Map(
        said,
        places,
        {key: names[key] for key in values},
        {key: n for key, n in counted.items() if n > len(COLOURS) * len(SYMBOLS)},
        {key: n for key, n in counted.items() if n > LEGEND},
    )


def _values(column: list[str], order: Sequence[str]) -> tuple[list[str], list[int]]:
    """Distinct values, those of a known order first, and which of them each item has."""
    there = dict.fromkeys(column)
    known = [value for value in order if value in there]
    values = [*known, *sorted(there.keys() - {*known, ""}), *([""] if "" in there else [])]
    number = {value: i for i, value in enumerate(values)}
    return [value or NONE for value in values], [number[value] for value in column]


def _figure(
    rows: list[dict[str, str]],
    said: dict[str, Any],
    places: dict[str, str],
    colourings: dict[str, tuple[str, list[str], list[int]]],
) -> Figure:
    """A figure whose traces the page makes of `points`, by what its controls say."""
    titles = {
        "tsne": ["t-SNE, no unit"] * 2,
        "pca": [
            f"principal component {number} ({100 * share:.0f} % of the variance)"
            for number, share in enumerate(said["shares"], start=1)
        ],
    }
    # Distances mean what they are only where both axes have one scale.
    own = figure(
        [],
        HEIGHT,
        "Items in the plane.",
        xaxis={"zeroline": False, "showticklabels": False},
        yaxis={"zeroline": False, "showticklabels": False, "scaleanchor": "x"},
        showlegend=True,
        hovermode="closest",
    )
    own["points"] = {
        "names": [plain(row["id"]) for row in rows],
        "places": {
            key: {
                "label": f"Items placed by {places[key]}",
                "x": packed(np.array([float(row[f"{key}_x"]) for row in rows])),
                "y": packed(np.array([float(row[f"{key}_y"]) for row in rows])),
                "titles": titles[key],
            }
            for key in places
        },
        "colourings": {
            key: {
                "label": f"coloured by {name}",
                "name": name,
                "values": [plain(value) for value in values],
                "of": numbers,
                "colours": list(islice(cycle(COLOURS), len(values))),
                "symbols": list(islice(cycle(SYMBOLS), len(values))),
                "legend": len(values) <= LEGEND,
            }
            for key, (name, values, numbers) in colourings.items()
        },
    }
    return own
