"""Figures of a paper's size, as SVG and PDF, the same bytes each time."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepself.report.paper.writing import one_line
from deepself.store.files import atomic_path

COLUMN, PAGE = 89 / 25.4, 183 / 25.4
"""Width of one column, and of two, in inches."""

MODEL, FUSION, QUIET = "#14639e", "#b8531a", "#6b7280"
"""Blue and orange differ for all eyes, and in grey by the symbols beside them."""

STYLE: dict[Any, Any] = {
    "font.size": 7,
    "font.family": ["DejaVu Sans"],
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType, which journals ask for, and which keeps text editable
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "deepself",  # ids that do not change from time to time
    "text.parse_math": False,  # a class called $x$ is only a name
    "axes.formatter.use_mathtext": False,
}

LONGEST = 28
"""Characters of a name that are shown."""


@contextmanager
def drawing(width: float, height: float, folder: Path, name: str) -> Iterator[Any]:
    """A figure to draw on; at the end it is written to `folder` as SVG and as PDF.

    Parameters
    ----------
    width, height
        In inches.
    folder, name
        Where it goes, and its name without a suffix.

    Yields
    ------
    matplotlib.figure.Figure
        With a layout that makes room for all labels.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(), _quiet():
        mpl.rcdefaults()  # a matplotlibrc of the user's would change the bytes
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        figure.draw_without_rendering()
        figure.set_layout_engine(None)  # found once, it serves both files; each is drawn once
        for suffix, metadata in ((".svg", {"Date": None}), (".pdf", {"CreationDate": None})):
            with atomic_path(folder / f"{name}{suffix}") as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=metadata)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning for each letter that the font lacks: it is drawn as a box."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            yield
    finally:
        logger.setLevel(level)


def short(name: str) -> str:
    """A name that leaves room for the figure: its start and its end, where names differ."""
    plain = one_line(name)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 9]}…{plain[-8:]}"
