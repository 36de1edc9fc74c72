"""Attributions as figures and pictures: what speaks for a class, beside the item itself."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepself.inference.explaining.result import Attribution
from deepself.report import drawing
from deepself.report.figures import Figure
from deepself.study.augmentation import FILM, PICTURE, SPECTRUM, VECTOR, WAVE

LARGEST = 72 * 200
"""Values of a heat map; more are averaged."""

COLUMNS = 240
"""Of the colours below a wave."""

CLIPPED = 99.5
"""Percentile of the sizes of attributions from which on colours are full: few values would else
leave the others pale."""

FOR, AGAINST = (184, 83, 26), (20, 99, 158)
"""Orange and blue differ for all eyes; of pictures, which have these colours on any page."""

FADED = 0.25
"""Contrast that is left of a picture beneath its attributions."""

SIGNED = [[0, "$first"], [0.5, "$ground"], [1, "$second"]]
"""The page's blue, its ground and its orange."""

READ = "What is read"
SPEAKS = "For and against {target}"

LONGEST = 24
"""Letters of a class that a title has room for."""


@dataclass(frozen=True)
class Look:
    """What one row of an input looks like, with what speaks for a class.

    Attributes
    ----------
    name
        Of the input.
    note
        Which window it is, and the like.
    figure
        Both, one above the other; None of pictures.
    pictures
        The item and its attributions, each with a text for those who cannot see it.
    wide
        Whether the pictures need a row of the page each.
    """

    name: str
    note: str
    figure: Figure | None = None
    pictures: tuple[tuple[str, str], ...] = ()
    wide: bool = False


def looks(one: Attribution, rows: Sequence[int], target: str, largest: int = LARGEST) -> list[Look]:
    """Draw some rows of an attribution, with one scale for all: a weak window looks weak.

    Parameters
    ----------
    one
        Attributions of an input.
    rows
        Which rows: windows, or 0.
    target
        The class that they are about.
    largest
        Values of a heat map at most; neighbours are averaged.
    """
    parts = [_true(one, row) for row in rows]
    if one.sort in (PICTURE, FILM):
        peak = max(limit(places) for _, _, places in parts)
        return [
            _pictured(one, part, target, _note(one, row, part), peak)
            for row, part in zip(rows, parts, strict=True)
        ]
    pairs = [_drawn(one, part, largest) for part in parts]
    if one.sort in (SPECTRUM, WAVE):
        maps = [below["data"][0] for _, below in pairs]
        peak = max(limit(_unpacked(trace["z"])) for trace in maps)
        for trace in maps:
            _in_colours(trace, peak)
    short = target if len(target) <= LONGEST else f"{target[: LONGEST - 1]}…"
    found = []
    for row, part, pair in zip(rows, parts, pairs, strict=True):
        drawn = drawing.stacked(pair, [READ, SPEAKS.format(target=short)])
        drawn["label"] = (
            f"{one.feature}, and below it what speaks for {target} and against it, of the same "
            "places."
        )
        found.append(Look(one.name, _note(one, row, part), drawn))
    return found


def strongest(one: Attribution, count: int) -> list[int]:
    """Rows with the largest attributions, some at most, in the order of time."""
    sizes = np.abs(one.values).reshape(len(one.values), -1).sum(axis=1)
    return sorted(np.argsort(-sizes, kind="stable")[:count].tolist())


def limit(values: np.ndarray) -> float:
    """Size of an attribution from which on its colour is full; 1 where all are 0."""
    sizes = np.abs(values)
    return float(np.percentile(sizes, CLIPPED)) or float(sizes.max()) or 1.0


def overlay(picture: np.ndarray, places: np.ndarray, peak: float | None = None) -> np.ndarray:
    """A pale picture under the colours of its attributions.

    Parameters
    ----------
    picture
        Values in [0, 1], shape (channels, height, width).
    places
        Attributions, shape (height, width).
    peak
        Size of an attribution from which on colours are full; default: `limit` of these.

    Returns
    -------
    ndarray
        Values in [0, 1], shape (3, height, width).
    """
    grey = picture.mean(axis=0).clip(0, 1)
    ground = np.repeat((1 - FADED * (1 - grey))[None], 3, axis=0)
    strength = np.abs(places / (peak or limit(places))).clip(0, 1)[None]
    colour = np.where(places[None] > 0, _as_colour(FOR), _as_colour(AGAINST))
    return ground * (1 - strength) + colour * strength


Part = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A row's item, its attributions, and these by place."""


def _true(one: Attribution, row: int) -> Part:
    """A row up to its true length."""
    item, values, places = one.items[row], one.values[row], one.places()[row]
    if one.lengths is None or one.sort not in (WAVE, SPECTRUM, FILM):
        return item, values, places
    length = max(1, int(one.lengths[row]))
    if one.sort == FILM:
        return item[:, :length], values[:, :length], places[:length]
    return item[..., :length], values[..., :length], places[..., :length]


def _note(one: Attribution, row: int, part: Part) -> str:
    signs = ["what is above 0 speaks for it, what is below against"] * (one.sort == VECTOR)
    return "; ".join([*_window(one, row), *_channels(one, part[1]), *signs])


def _window(one: Attribution, row: int) -> list[str]:
    if one.starts is None:
        return []
    return [f"window from {one.starts[row]:.4g} s, {row + 1} of {len(one.starts)}"]


def _channels(one: Attribution, values: np.ndarray) -> list[str]:
    """Which channels the attributions lie in, where they are told apart."""
    if one.sort not in (WAVE, SPECTRUM) or len(values) < 2:
        return []
    sizes = np.abs(values).reshape(len(values), -1).sum(axis=1)
    if not sizes.sum() or np.ptp(sizes) < 1e-3 * sizes.max():  # of all channels the same
        return []
    shares = 100 * sizes / sizes.sum()
    most = np.argsort(-shares, kind="stable")[:3]
    said = ", ".join(f"{shares[i]:.0f} % in channel {i + 1}" for i in most)
    return [f"{said}{' of all' if len(values) > 3 else ''}"]


def _drawn(one: Attribution, part: Part, largest: int) -> list[Figure]:
    """The item, and its attributions as they are."""
    item, values, places = part
    if one.sort == WAVE:
        return _waves(one, item, values, largest)
    if one.sort != SPECTRUM:
        return [drawing.vector(item.reshape(-1)), _line(values.reshape(-1))]
    above, below = (
        drawing.spectral(image, one.kind, one.frequencies, _rate(one), largest)
        for image in (item[0], places)
    )
    _in_bytes(above["data"][0])
    return [above, below]


def _waves(one: Attribution, item: np.ndarray, values: np.ndarray, largest: int) -> list[Figure]:
    """The wave, and a row of colours for each of its channels."""
    rate = _rate(one)
    above = drawing.waveform(item[: drawing.CHANNELS], rate)
    below = drawing.spectral(values, "", None, rate, min(largest, COLUMNS * len(values)))
    channels = len(values)
    below["data"][0]["y0"] = 0.5 + 0.5 * -(-channels // 160)
    below["data"][0]["dy"] = -(-channels // 160)
    below["layout"]["height"] = min(360, 110 + 12 * channels)
    ticks: dict[str, Any] = {"tickvals": []}
    if channels > 1:
        ticks = {"dtick": max(1, channels // 8), "tick0": 1}
    title = "channel" if channels > 1 else ""
    below["layout"]["yaxis"] = {
        "title": {"text": title},
        "showgrid": False,
        "autorange": "reversed",
        **ticks,
    }
    across = {"range": [0, item.shape[1] / (rate or 1)]}
    for figure in (above, below):
        figure["layout"]["xaxis"] = {**figure["layout"]["xaxis"], **across}
    return [above, below]


def _line(values: np.ndarray) -> Figure:
    """A line through the attributions of a vector."""
    figure = drawing.vector(values)
    figure["data"][0]["line"] = {"color": "$second", "width": 1}
    return figure


def _pictured(one: Attribution, part: Part, target: str, note: str, peak: float) -> Look:
    item, _, places = part
    said = f"{one.feature} in grey, under orange where it speaks for {target}, blue where against"
    if one.sort == FILM:
        colours = drawing.coloured(item)
        over = np.stack([overlay(colours[:, i], p, peak) for i, p in enumerate(places)], axis=1)
        pair = (drawing.strip(colours), drawing.strip(over))
        frames = drawing.film_frames(len(places))
        note = "; ".join(filter(None, [note, f"frames {', '.join(map(str, frames))}"]))
        pngs = tuple(drawing.png(values, drawing.STRIP) for values in pair)
    else:
        pngs = (drawing.png(item), drawing.png(overlay(item, places, peak)))
    pictures = tuple(zip(pngs, (f"{one.feature} as it is read", said), strict=True))
    return Look(one.name, note, pictures=pictures, wide=one.sort == FILM)


def _in_bytes(trace: dict[str, Any]) -> None:
    """Values of a heat map as 256 steps, without a scale: a fourth of the page's bytes."""
    values = _unpacked(trace["z"])
    low, spread = float(values.min()), float(np.ptp(values)) or 1.0
    trace["z"] = _packed(((values - low) * (255 / spread)).round().astype(np.uint8), "u1")
    trace |= {"showscale": False, "hoverinfo": "skip"}
    del trace["colorbar"], trace["hovertemplate"]


def _in_colours(trace: dict[str, Any], peak: float) -> None:
    """Values of a heat map as per cent of the strongest, in colours that part at 0."""
    values = _unpacked(trace["z"])
    shares = (100 * values / peak).clip(-100, 100).round()
    trace["z"] = _packed(shares.astype(np.int8), "i1")
    trace |= {
        "zmin": -100,
        "zmax": 100,
        "colorscale": SIGNED,
        "colorbar": {
            "thickness": 8,
            "len": 1,
            "tickvals": [-100, 0, 100],
            "ticktext": ["against", "0", "for"],
        },
        "hovertemplate": "%{x:.3g}, %{y}: %{z} % of the strongest<extra></extra>",
    }


def _unpacked(packed: dict[str, str]) -> np.ndarray:
    shape: Sequence[int] = [int(size) for size in packed["shape"].split(",")]
    return np.frombuffer(base64.b64decode(packed["bdata"]), "<f4").reshape(shape)


def _packed(values: np.ndarray, dtype: str) -> dict[str, str]:
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"dtype": dtype, "bdata": data, "shape": ", ".join(map(str, values.shape))}


def _rate(one: Attribution) -> float | None:
    """Samples or frames a second."""
    if one.seconds is None or len(one.seconds) < 2:
        return None
    return float(1 / (one.seconds[1] - one.seconds[0]))


def _as_colour(colour: tuple[int, int, int]) -> np.ndarray:
    return np.array(colour, dtype=np.float64).reshape(3, 1, 1) / 255
