"""One item of a feature as a figure or a picture."""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from deepself.report.figures import Figure, figure, packed, plain

POINTS = 500
CHANNELS = 4

PIXELS = 256
"""Longest side of a picture; larger ones are averaged."""

FRAMES = 6
"""Frames of a film that are shown."""

GAP = 4
"""Pixels between two frames."""

FRAME = 160
"""Longest side of a frame."""

STRIP = FRAMES * (FRAME + GAP)
"""Longest side of frames side by side."""

BETWEEN = 0.08
"""Share of a figure's height that stays free above and below it, among figures in one."""

PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def waveform(array: np.ndarray, rate: float | None) -> Figure:
    """Lines, one below the other; of long ones the lowest and highest value of each bin."""
    channels, samples = array.shape
    step = max(1, -(-samples // POINTS))
    time = np.arange(samples) / (rate or 1)
    if step > 1:
        whole = samples // step * step
        bins = array[:, :whole].reshape(channels, -1, step)
        ends = np.stack([bins.min(axis=2), bins.max(axis=2)], axis=2)
        array, time = ends.reshape(channels, -1), np.repeat(time[:whole:step], 2)
    finite = array[np.isfinite(array)]
    spread = (float(np.ptp(finite)) if finite.size else 0.0) or 1.0
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": _rounded(time),
            "y": _rounded(channel - number * spread),
            "line": {"color": "$first", "width": 1},
            "hoverinfo": "skip",
        }
        for number, channel in enumerate(array)
    ]
    return figure(
        traces,
        200 + 40 * (channels - 1),
        "Waveform.",
        xaxis={"title": {"text": "seconds" if rate else "sample"}},
        yaxis={"title": {"text": "value"}, "showticklabels": channels == 1},
    )


def vector(array: np.ndarray) -> Figure:
    """A line through the values of a vector."""
    trace = {
        "type": "scatter",
        "mode": "lines",
        "y": _rounded(array),
        "line": {"color": "$first", "width": 1},
    }
    axes = {"xaxis": {"title": {"text": "dimension"}}, "yaxis": {"title": {"text": "value"}}}
    return figure([trace], 200, "Values of a vector.", **axes)


def spectral(
    image: np.ndarray,
    kind: str,
    frequencies: np.ndarray | None,
    rate: float | None,
    largest: int,
) -> Figure:
    """A heat map with the lowest row at the bottom, in the network's own rows.

    Parameters
    ----------
    image
        Shape (rows, frames).
    kind
        Of the feature: it says what rows without a frequency are.
    frequencies
        Hz of each row, or None.
    rate
        Frames a second, or None.
    largest
        Values to draw at most; neighbours are averaged.
    """
    rows, frames = image.shape
    down = max(1, -(-rows // 160))
    along = max(1, -(-frames // max(1, largest // -(-rows // down))))
    image = averaged(averaged(image, down, axis=0), along, axis=1)
    title, names, ticks = _row_names(kind, rows, frequencies, down)
    hover = {"Hz": "%{y} Hz", "pitch class": "%{y}"}.get(title, f"{title} %{{y}}")
    trace = {
        "type": "heatmap",
        "z": packed(image),
        "x0": 0.5 * along / (rate or 1),
        "dx": along / (rate or 1),
        "colorscale": "Viridis",
        "colorbar": {"thickness": 8, "len": 1},
        "hovertemplate": f"%{{x:.3g}}, {hover}: %{{z:.3g}}<extra></extra>",
    }
    yaxis: dict[str, Any] = {"title": {"text": title}, "showgrid": False, **ticks}
    if names:
        trace["y"] = names
        # Rows are drawn equally high, as a network sees them, whatever the scale of the
        # frequencies; so they are categories.
        yaxis["type"] = "category"
    xaxis = {"title": {"text": "seconds" if rate else "frame"}, "showgrid": False}
    return figure([trace], 220, "Spectral image.", xaxis=xaxis, yaxis=yaxis)


def stacked(figures: Sequence[Figure], names: Sequence[str]) -> Figure:
    """Several figures as one, one above the other, each with its own axes and its name on top."""
    height = sum(one["layout"]["height"] for one in figures)
    traces, layout, top = [], dict[str, Any](), 1.0
    titles = []
    for i, (one, name) in enumerate(zip(figures, names, strict=True)):
        number = "" if i == 0 else str(i + 1)
        share = one["layout"]["height"] / height
        low, high = top - share * (1 - BETWEEN), top - share * BETWEEN
        for trace in one["data"]:
            placed = {**trace, "xaxis": f"x{number}", "yaxis": f"y{number}"}
            if "colorbar" in trace:
                placed["colorbar"] = {
                    **trace["colorbar"],
                    "len": round(high - low, 4),
                    "y": round((low + high) / 2, 4),
                }
            traces.append(placed)
        across, up = dict(one["layout"].get("xaxis", {})), dict(one["layout"].get("yaxis", {}))
        if i < len(figures) - 1:  # time is the same in all, and is written below the last
            across |= {"title": {"text": ""}, "showticklabels": False}
        layout[f"xaxis{number}"] = {**across, "anchor": f"y{number}"}
        domain = [round(low, 4), round(high, 4)]
        layout[f"yaxis{number}"] = {**up, "domain": domain, "anchor": f"x{number}"}
        titles.append(
            {
                "text": plain(name),
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": domain[1],
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
        top -= share
    label = f"{len(figures)} parts: {', '.join(names)}."
    return figure(traces, height, label, annotations=titles, showlegend=False, **layout)


def row_title(kind: str, frequencies: np.ndarray | None) -> str:
    """What the rows of a spectral image are."""
    if frequencies is not None:
        return "Hz"
    return {"mfcc": "coefficient", "chroma": "pitch class"}.get(kind, "row")


def _row_names(
    kind: str, rows: int, frequencies: np.ndarray | None, down: int
) -> tuple[str, list[str], dict[str, Any]]:
    """What rows are, a distinct name of each (none: its number), and what ticks say."""
    title = row_title(kind, frequencies)
    if frequencies is not None:
        centres = averaged(np.asarray(frequencies, np.float64), down, axis=0)
        return title, *_hertz(centres)
    if kind == "chroma" and rows == len(PITCH_CLASSES):
        naturals = [name for name in PITCH_CLASSES if len(name) == 1]
        return title, list(PITCH_CLASSES), {"tickvals": naturals, "ticktext": naturals}
    return title, [], {}


def _hertz(centres: np.ndarray) -> tuple[list[str], dict[str, Any]]:
    """A distinct name of each row, and six rows that get a tick."""
    digits = 4
    while len(names := [f"{hz:.{digits}g}" for hz in centres]) != len(set(names)) and digits < 17:
        digits += 1
    chosen = np.unique(np.linspace(0, len(centres) - 1, 6).round().astype(int))
    short = [f"{centres[i]:.0f}" if centres[i] >= 10 else f"{centres[i]:.2g}" for i in chosen]
    return names, {"tickvals": [names[i] for i in chosen], "ticktext": short}


def film_frames(frames: int) -> list[int]:
    """The frames of a film that are shown: a few, evenly spaced, with the first and the last."""
    chosen = np.linspace(0, frames - 1, min(FRAMES, frames)).round().astype(int)
    return np.unique(chosen).tolist()


def strip(film: np.ndarray) -> np.ndarray:
    """Frames of a film side by side.

    Parameters
    ----------
    film
        Values in [0, 1], shape (1 or 3, frames, height, width).

    Returns
    -------
    ndarray
        Values in [0, 1], shape (1 or 3, height, total width); white between frames.
    """
    return beside([_small(film[:, i], FRAME) for i in film_frames(film.shape[1])], axis=2)


def beside(pictures: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Pictures of one size as one, white between them: along axis 1 or 2, below or beside."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.ones(shape, dtype=pictures[0].dtype)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=axis)


def coloured(picture: np.ndarray) -> np.ndarray:
    """A picture, or film, in three colours: of other than three channels the first, as grey."""
    return picture if len(picture) == 3 else np.repeat(picture[:1], 3, axis=0)


def png(picture: np.ndarray, longest: int = PIXELS) -> str:
    """A picture as a PNG in a data URI.

    Parameters
    ----------
    picture
        Values in [0, 1], shape (1 or 3, height, width).
    longest
        Pixels of the longest side; larger pictures are averaged.

    References
    ----------
    Portable Network Graphics (PNG) Specification, W3C, sections 5 (chunks) and 9 (filtering).
    """
    small = _small(picture, longest)
    if small.shape[0] not in (1, 3):
        small = small[:1]
    pixels = (small.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    height, width, channels = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)  # filter 0: values as they are
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")):
        checksum = zlib.crc32(name + body)
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _small(picture: np.ndarray, longest: int) -> np.ndarray:
    step = max(1, -(-max(picture.shape[1:]) // longest))
    return averaged(averaged(picture, step, axis=1), step, axis=2)


def averaged(values: np.ndarray, step: int, axis: int) -> np.ndarray:
    """Mean of every `step` entries along an axis; the last may be of fewer."""
    if step == 1:
        return values
    starts = np.arange(0, values.shape[axis], step)
    sizes = np.diff([*starts, values.shape[axis]])
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    return np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)


def _rounded(values: np.ndarray) -> list[float | None]:
    """Four digits; what is not finite is left out, for JSON has no word for it."""
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in values.tolist()]
