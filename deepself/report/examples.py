"""What the models see: one item of a few classes, of each feature."""

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.report.figures import Figure, figure, packed
from deepself.store.features import FeatureFile

CLASSES = 3
"""Examples a feature: one of each of the first classes."""

BUDGET = 800_000
"""Values of all spectral images together, about 4 MB in the page."""

LARGEST = 160 * 240
POINTS = 500
CHANNELS = 4


@dataclass(frozen=True)
class Example:
    """One item: a figure, or a picture as a data URI."""

    item: str
    label: str
    figure: Figure | None = None
    picture: str | None = None


@dataclass(frozen=True)
class FeatureExamples:
    """Examples of one feature, or why there are none."""

    name: str
    kind: str
    shape: tuple[int, ...]
    path: str
    note: str
    items: list[Example]


def examples(
    name: str, kind: str, path: str, items: list[tuple[str, str]], features: int
) -> FeatureExamples:
    """Examples of a feature.

    Parameters
    ----------
    name, kind, path
        The feature and its file.
    items
        Id and label of each item to show.
    features
        How many features the report shows: together they share the budget of values.
    """
    largest = min(LARGEST, BUDGET // max(1, features * len(items)))
    try:
        with FeatureFile(path) as file:
            known = set(file.ids)
            shown = [(item, label) for item, label in items if item in known]
            arrays = file.read([item for item, _ in shown])
            drawn = [
                _draw(kind, array, file, item, label, largest)
                for array, (item, label) in zip(arrays, shown, strict=True)
            ]
            return FeatureExamples(name, kind, file.shape, path, _note(kind, file.shape), drawn)
    except UserError as error:
        # The cache may have been cleared since: the scores stand, only the pictures are missing.
        return FeatureExamples(name, kind, (), path, f"No examples: {error}.", [])


def _note(kind: str, shape: tuple[int, ...]) -> str:
    if kind == "waveform" and shape[0] > CHANNELS:
        return f"The first {CHANNELS} of {shape[0]} channels."
    if kind not in ("waveform", "picture") and len(shape) == 3 and shape[0] > 1:
        return f"The first of {shape[0]} channels."
    return ""


def _draw(
    kind: str, array: np.ndarray, file: FeatureFile, item: str, label: str, largest: int
) -> Example:
    if kind == "picture":
        return Example(item, label, picture=png(array))
    if array.ndim == 3:
        image = _spectral(array[0], file.frequencies, file.frame_rate, largest)
        return Example(item, label, figure=image)
    if array.ndim == 2:
        return Example(item, label, figure=_waveform(array[:CHANNELS], file.frame_rate))
    trace = {
        "type": "scatter",
        "mode": "lines",
        "y": _rounded(array.reshape(-1)),
        "line": {"color": "$first", "width": 1},
    }
    axes = {"xaxis": {"title": {"text": "dimension"}}, "yaxis": {"title": {"text": "value"}}}
    return Example(item, label, figure=figure([trace], 200, f"Values of {item}.", **axes))


def _waveform(array: np.ndarray, rate: float | None) -> Figure:
    """Lines, one below the other; of long ones the lowest and highest value of each bin."""
    channels, samples = array.shape
    step = max(1, -(-samples // POINTS))
    time = np.arange(samples) / (rate or 1)
    if step > 1:
        whole = samples // step * step
        bins = array[:, :whole].reshape(channels, -1, step)
        ends = np.stack([bins.min(axis=2), bins.max(axis=2)], axis=2)
        array, time = ends.reshape(channels, -1), np.repeat(time[:whole:step], 2)
    spread = float(np.ptp(array)) or 1.0
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


def _spectral(
    image: np.ndarray, frequencies: np.ndarray | None, rate: float | None, largest: int
) -> Figure:
    """A heat map with the lowest frequency at the bottom, in the network's own rows."""
    rows, frames = image.shape
    down = max(1, -(-rows // 160))
    along = max(1, -(-frames // max(1, largest // -(-rows // down))))
    image = _averaged(_averaged(image, down, axis=0), along, axis=1)
    hover = "%{y} Hz" if frequencies is not None else "row %{y}"
    trace = {
        "type": "heatmap",
        "z": packed(image),
        "x0": 0.5 * along / (rate or 1),
        "dx": along / (rate or 1),
        "colorscale": "Viridis",
        "colorbar": {"thickness": 8, "len": 1},
        "hovertemplate": f"%{{x:.3g}}, {hover}: %{{z:.3g}}<extra></extra>",
    }
    yaxis: dict[str, Any] = {"title": {"text": "row"}, "showgrid": False}
    if frequencies is not None:
        centres = _averaged(np.asarray(frequencies, np.float64), down, axis=0)
        trace["y"], ticks = _names(centres)
        yaxis |= {"title": {"text": "Hz"}, "type": "category", **ticks}
    xaxis = {"title": {"text": "seconds" if rate else "frame"}, "showgrid": False}
    return figure([trace], 220, "Spectral image.", xaxis=xaxis, yaxis=yaxis)


def _names(centres: np.ndarray) -> tuple[list[str], dict[str, Any]]:
    """A distinct name of each row, and six rows that get a tick.

    Rows are drawn equally high, as a network sees them, whatever the scale of the frequencies;
    so they are categories.
    """
    digits = 4
    while len(names := [f"{hz:.{digits}g}" for hz in centres]) != len(set(names)) and digits < 17:
        digits += 1
    chosen = np.unique(np.linspace(0, len(centres) - 1, 6).round().astype(int))
    short = [f"{centres[i]:.0f}" if centres[i] >= 10 else f"{centres[i]:.2g}" for i in chosen]
    return names, {"tickvals": [names[i] for i in chosen], "ticktext": short}


def _averaged(values: np.ndarray, step: int, axis: int) -> np.ndarray:
    """Mean of every `step` entries along an axis; the last may be of fewer."""
    if step == 1:
        return values
    starts = np.arange(0, values.shape[axis], step)
    sizes = np.diff([*starts, values.shape[axis]])
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    return np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


def png(picture: np.ndarray) -> str:
    """A picture as a PNG in a data URI.

    Parameters
    ----------
    picture
        Values in [0, 1], shape (1 or 3, height, width); large ones are averaged to 160 pixels.

    References
    ----------
    Portable Network Graphics (PNG) Specification, W3C, sections 5 (chunks) and 9 (filtering).
    """
    step = max(1, -(-max(picture.shape[1:]) // 160))
    small = _averaged(_averaged(picture, step, axis=1), step, axis=2)
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
