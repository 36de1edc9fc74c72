"""An explanation as a page, and as a picture."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepself.inference.explaining.result import Attribution, Explanation, Member
from deepself.report.evidence import AGAINST, FOR, Look, limit, looks, overlay, strongest
from deepself.report.figures import Figure
from deepself.report.page import write_page
from deepself.report.paper.canvas import PAGE, STYLE
from deepself.store.files import atomic_path
from deepself.study.augmentation import FILM, PICTURE, SPECTRUM, WAVE

WINDOWS = 3
"""Windows of a recording that are shown."""

METHODS = {
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
}
"""What the methods are called."""


@dataclass(frozen=True)
class Shown:
    """What the page shows of a member: its looks, each with the key of its figure."""

    member: Member
    method: str
    said: str
    looks: list[tuple[str, Look]]


def write_explanation(found: Explanation, page: Path) -> Path:
    """Write an explanation as one HTML page; return its path."""
    figures: dict[str, Figure] = {}
    shown = [_shown(found, place, figures) for place in range(len(found.members))]
    ranked = sorted(found.probabilities.items(), key=lambda pair: -pair[1])
    return write_page(
        page, "explain.html", found=found, shown=shown, ranked=ranked, figures=figures
    )


def in_words(member: Member, target: str, brief: bool = False) -> str:
    """What a member's attributions are, in a few sentences.

    Parameters
    ----------
    member
        The model.
    target
        The class.
    brief
        Leave out what is of one recording.
    """
    of = f"the {member.quantity} of {target}"
    baselines = " and ".join(dict.fromkeys(one.baseline for one in member.inputs))
    many = f" Mean of {len(member.runs)} runs." if len(member.runs) > 1 else ""
    if member.method == "integrated_gradients":
        assert member.completeness is not None
        missed = (
            "; the sum of all differs from what it should be by "
            f"{100 * member.completeness.error:.2g} %."
        )
        return (
            f"How much each value adds to {of}, on the way from a baseline ({baselines}) to the "
            f"item, in {member.completeness.steps} steps{'.' if brief else missed}{many}"
        )
    if member.method == "occlusion":
        return (
            f"By how much {of} falls where a part of the item is hidden, replaced by {baselines}: "
            f"it {member.about}.{many}"
        )
    return (
        f"Which places of the last convolutional maps speak for {of}: {member.about}, which are "
        f"all that can be told apart.{many}"
    )


def _shown(found: Explanation, place: int, figures: dict[str, Figure]) -> Shown:
    member = found.members[place]
    shown = []
    for number, one in enumerate(member.inputs):
        rows = strongest(one, WINDOWS)
        for row, drawn in zip(rows, looks(one, rows, found.target), strict=True):
            key = f"member-{place}-{number}-{row}"
            if drawn.figure is not None:
                figures[key] = drawn.figure
            shown.append((key, drawn))
    return Shown(member, METHODS[member.method], in_words(member, found.target), shown)


def write_picture(found: Explanation, path: Path) -> Path:
    """Write an explanation as a PNG: each item, and beside it what speaks for the class."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    rows = [
        (member, one, row)
        for member in found.members
        for one in member.inputs
        for row in strongest(one, 1)
    ]
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Canvas(figsize=(PAGE, 0.6 + 1.9 * len(rows)), layout="constrained", dpi=200)
        figure.suptitle(
            f"{found.bundle}: {found.label} ({found.probabilities[found.label]:.2f}); "
            f"orange speaks for {found.target}, blue against it",
            fontsize=8,
        )
        axes = figure.subplots(len(rows), 2, squeeze=False)
        for (left, right), (member, one, row) in zip(axes, rows, strict=True):
            _draw(left, right, one, row)
            left.set_title(f"{member.name}: {one.name}")
            right.set_title(METHODS[member.method])
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def _draw(left: Any, right: Any, one: Attribution, row: int) -> None:
    """One input: the item on the left, its attributions on the right."""
    item, places = one.items[row], one.places()[row]
    length = None if one.lengths is None else max(1, int(one.lengths[row]))
    if one.sort == FILM:
        middle = (length or item.shape[1]) // 2
        item, places = item[:, middle], places[middle]
    if one.sort in (PICTURE, FILM):
        left.imshow(_pixels(item), interpolation="nearest")
        right.imshow(_pixels(overlay(item, places)), interpolation="nearest")
        for axes in (left, right):
            axes.set_axis_off()
        return
    if one.sort not in (SPECTRUM, WAVE):
        left.plot(item.reshape(-1), linewidth=0.6)
        right.plot(places.reshape(-1), linewidth=0.6, color=_hex(FOR))
        right.axhline(0, color="0.5", linewidth=0.5)
        for axes in (left, right):
            axes.set_xlabel("dimension")
        return
    item = item[..., :length]
    end = item.shape[-1] if one.seconds is None else item.shape[-1] * float(one.seconds[1])
    for axes in (left, right):
        axes.set_xlabel("frame" if one.seconds is None else "seconds")
    if one.sort == SPECTRUM:
        _spectrum(left, one, item[0], end, cmap="viridis")
        values, rows = places[..., :length], None
        _spectrum(right, one, values, end, **_signed(values))
        return
    rows = one.values[row][..., :length]
    left.plot(np.linspace(0, end, item.shape[1]), item.T, linewidth=0.4)
    step = max(1, rows.shape[1] // 400)
    kept = rows[:, : rows.shape[1] // step * step].reshape(len(rows), -1, step).mean(axis=2)
    extent = (0, end, len(rows) + 0.5, 0.5)
    right.imshow(kept, aspect="auto", extent=extent, interpolation="nearest", **_signed(kept))
    left.set_xlim(0, end)
    ticks = range(1, len(rows) + 1, max(1, len(rows) // 8))
    right.set_yticks(ticks if len(rows) > 1 else [])
    right.set_ylabel("channel" if len(rows) > 1 else "")


def _spectrum(axes: Any, one: Attribution, image: np.ndarray, end: float, **settings: Any) -> None:
    """Rows equally high, as a network sees them, with the frequencies of some."""
    rows = len(image)
    extent = (0, end, -0.5, rows - 0.5)
    axes.imshow(
        image, origin="lower", aspect="auto", extent=extent, interpolation="nearest", **settings
    )
    if one.frequencies is not None:
        places = np.unique(np.linspace(0, rows - 1, 5).round().astype(int))
        axes.set_yticks(places, [f"{one.frequencies[i]:.0f}" for i in places])
        axes.set_ylabel("Hz")
    else:
        axes.set_ylabel("row")


def _signed(values: np.ndarray) -> dict[str, Any]:
    """Colours that part at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    peak = limit(values)
    colours = LinearSegmentedColormap.from_list("signed", [_hex(AGAINST), "#ffffff", _hex(FOR)])
    return {"cmap": colours, "vmin": -peak, "vmax": peak}


def _pixels(picture: np.ndarray) -> np.ndarray:
    """A picture (channels, height, width) as matplotlib takes it."""
    three = picture if len(picture) == 3 else np.repeat(picture[:1], 3, axis=0)
    return three.clip(0, 1).transpose(1, 2, 0)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
