"""What the models see: one item of a few recordings, of each feature."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepself.errors import UserError
from deepself.report import drawing
from deepself.report.figures import Figure
from deepself.report.specification import Part, kind_of, parts_of, setting, specification_text
from deepself.store.features import FeatureFile
from deepself.study.augmentation import SPECTRUM, WAVE, sort_of
from deepself.study.features import FILMS, PICTURES

CLASSES = 3
"""Examples a feature: one of each of the first classes."""

BUDGET = 800_000
"""Values of all spectral images together, about 4 MB in the page."""

LARGEST = 160 * 240

NAMES = {
    "picture": "Picture",
    "rendered": "Rendered picture",
    "joined_pictures": "Joined pictures",
    "film": "Frames of the film",
    "joined_films": "Frames of the joined films",
}
"""Of pictures, for those who cannot see them."""


@dataclass(frozen=True)
class Example:
    """One item: a figure, or a picture as a data URI.

    The note says what part of it is shown; a film's picture takes so much of the page's width
    that frames are equally large whatever their number.
    """

    item: str
    label: str
    note: str = ""
    figure: Figure | None = None
    picture: str | None = None
    alt: str = ""
    share: float | None = None


@dataclass(frozen=True)
class FeatureExamples:
    """Examples of one feature, or why there are none.

    Attributes
    ----------
    shape, axes
        Shape of one item, and what each axis counts; empty if there are no examples.
    note
        What is to be said of all examples.
    specification
        What made the file, as text.
    wide
        Whether each example needs a row of the page.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    note: str
    items: list[Example]
    axes: tuple[str, ...] = ()
    specification: str = ""
    wide: bool = False


def examples(
    name: str, kind: str, path: str, items: Sequence[tuple[str, str]], features: int
) -> FeatureExamples:
    """Examples of a feature.

    Parameters
    ----------
    name, kind, path
        The feature and its file.
    items
        Id and label of each recording to show; of one with windows, the first window.
    features
        How many features the page shows: together they share the budget of values.
    """
    try:
        with FeatureFile(path) as file:
            return examples_in(file, name, items, features)
    except UserError as error:
        # The cache may have been cleared since: the scores stand, only the pictures are missing.
        return FeatureExamples(name, kind, (), f"No examples: {error}.", [])


def examples_in(
    file: FeatureFile, name: str, items: Sequence[tuple[str, str]], features: int
) -> FeatureExamples:
    """Examples of a feature whose file is open; see `examples`."""
    largest = min(LARGEST, BUDGET // max(1, features * len(items)))
    known = set(file.ids)
    kind = kind_of(file)
    return FeatureExamples(
        name,
        kind,
        file.shape,
        _note(file, kind),
        [_example(file, kind, item, label, largest) for item, label in items if item in known],
        axis_names(file),
        specification_text(file.specification),
        kind in FILMS,
    )


def figures_of(features: Sequence[FeatureExamples]) -> dict[str, Figure]:
    """The figures of all examples, by the keys that the page knows them by."""
    return {
        f"example-{i}-{j}": example.figure
        for i, feature in enumerate(features)
        for j, example in enumerate(feature.items)
        if example.figure
    }


def axis_names(file: FeatureFile) -> tuple[str, ...]:
    """What each axis of an item counts."""
    kind, dimensions = kind_of(file), len(file.shape)
    if kind in PICTURES:
        return ("channels", "height", "width")
    if kind in FILMS:
        return ("channels", "frames", "height", "width")
    if dimensions == 3:
        title = drawing.row_title(kind, file.frequencies)
        rows = {"Hz": "frequencies", "pitch class": "pitch classes"}.get(title, f"{title}s")
        return ("channels", rows, "frames")
    return ("channels", "samples") if dimensions == 2 else ("dimensions",) * dimensions


def time_axis(file: FeatureFile) -> int | None:
    """Which axis of an item is time, if any is."""
    names = axis_names(file)
    return next((i for i, axis in enumerate(names) if axis in ("frames", "samples")), None)


def cropped(item: np.ndarray, axis: int | None, length: int | None) -> np.ndarray:
    """An item without what fills it up to the longest."""
    if axis is None or length is None:
        return item
    return item[(slice(None),) * axis + (slice(int(length)),)]


def _note(file: FeatureFile, kind: str) -> str:
    channels = file.shape[0]
    parts = parts_of(file)
    if parts:
        counted = axis_names(file)[joined_axis(file)]
        said = ", ".join(f"{part.size} of {part.label}" for part in parts)
        drawn = len(parts) if joined_axis(file) == 0 else 1
        first = sort_of(kind) in (WAVE, SPECTRUM) and channels > drawn
        return f"Joined {counted}: {said}{'; the first channel of each is shown' * first}."
    if kind in PICTURES or kind in FILMS or len(file.shape) < 2 or channels == 1:
        return ""
    if len(file.shape) == 2:
        shown = drawing.CHANNELS
        return f"The first {shown} of {channels} channels." if channels > shown else ""
    order = setting(file, "deltas") or 0
    if channels == 1 + order:
        others = "is its difference" if order == 1 else "are its first and second difference"
        return f"The first of {channels} channels; the other{'s' * (order > 1)} {others} in time."
    differences = f", {'half' if order == 1 else 'two thirds'} of them differences in time"
    return f"The first of {channels} channels{differences * bool(order)}."


def _example(file: FeatureFile, kind: str, item: str, label: str, largest: int) -> Example:
    rows = file.rows([item])
    row, axis = rows[0], time_axis(file)
    array = file.read_rows(rows[:1])[0]
    length = None if file.lengths is None else int(file.lengths[row])
    array = cropped(array, axis, length)
    notes = []
    if file.starts is not None:
        notes.append(f"window from {file.starts[row]:g} s, the first of {len(rows)}")
    if axis is not None and length is not None and length < file.shape[axis]:
        unit = axis_names(file)[axis]
        notes.append(f"true length: {length} of {file.shape[axis]} {unit}")
    parts = _parts(file, array)
    if kind in PICTURES:
        alt = f"{NAMES[kind]} of {item}"
        if parts and joined_axis(file) == 0:
            array = drawing.beside([drawing.coloured(one) for _, one in parts], axis=2)
        return Example(item, label, "; ".join(notes), picture=drawing.png(array), alt=alt)
    if kind in FILMS:
        frames = array.shape[1]
        notes.append(_frames(frames, file.frame_rate))
        strips = [drawing.strip(drawing.coloured(one)) for _, one in parts]
        strip = drawing.beside(strips, axis=1) if parts else drawing.strip(array)
        picture = drawing.png(strip, drawing.STRIP)
        alt = f"{NAMES[kind]} {item}"
        share = min(1.0, frames / drawing.FRAMES)
        return Example(item, label, "; ".join(notes), picture=picture, alt=alt, share=share)
    if parts and kind != "joined_vectors":
        share_of_each = largest // len(parts)
        figures = [_figure(file, p.kind, values[:1], share_of_each) for p, values in parts]
        drawn = drawing.stacked(figures, [p.label for p, _ in parts])
    else:
        drawn = _figure(file, kind, array, largest)
    return Example(item, label, "; ".join(notes), drawn)


def joined_axis(file: FeatureFile) -> int:
    """The axis of an item along which features are joined."""
    return {"bins": 1, "height": 1, "width": 2}.get(setting(file, "along"), 0)


def _parts(file: FeatureFile, array: np.ndarray) -> list[tuple[Part, np.ndarray]]:
    """What each feature gave to an item of a joined one; nothing for others."""
    parts = parts_of(file)
    ends = np.cumsum([part.size for part in parts])[:-1]
    cut = np.split(array, ends, axis=joined_axis(file)) if parts else []
    return list(zip(parts, cut, strict=True))


def _figure(file: FeatureFile, kind: str, array: np.ndarray, largest: int) -> Figure:
    if array.ndim == 3:
        return drawing.spectral(array[0], kind, file.frequencies, file.frame_rate, largest)
    if array.ndim == 2:
        return drawing.waveform(array[: drawing.CHANNELS], file.frame_rate)
    return drawing.vector(array.reshape(-1))


def _frames(frames: int, rate: float | None) -> str:
    shown = drawing.film_frames(frames)
    if rate is None:
        return f"frames {', '.join(map(str, shown))} of {frames}"
    times = ", ".join(f"{frame / rate:.3g}" for frame in shown)
    return f"{len(shown)} of {frames} frames, at {times} s"
