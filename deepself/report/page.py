"""HTML pages: one file each, with its style, script and plotly inside."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepself.store.files import write_text

TEMPLATES = Path(__file__).parent / "templates"

SCRIPTS = ("report.js", "switch.js", "variants.js")
"""In their order: the others use what the first has defined."""


def write_page(path: Path, template: str, **content: Any) -> Path:
    """Render a template and write it; return its path.

    Parameters
    ----------
    path
        The page to write.
    template
        Name of the template, one of `templates/`.
    **content
        All that it shows, with the page's `figures` by key.
    """
    from plotly.offline import get_plotlyjs

    page = (
        _environment()
        .get_template(template)
        .render(
            **content,
            style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
            script="".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS),
            plotly=get_plotlyjs(),
        )
    )
    write_text(path, page)
    return path


@functools.cache
def _environment() -> Any:
    """Where templates are found, compiled once for all pages."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # labels, ids and paths come from the data set, whoever made it
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": score,
        "seconds": seconds,
        "size": size,
        "several": several,
        "counted": counted,
        "probability": probability,
    }
    return environment


def score(value: float) -> str:
    """Three digits, a true minus sign, and no minus before 0; a dash where there is no value."""
    if math.isnan(value):
        return "–"
    return f"{value:z.3f}".replace("-", "\N{MINUS SIGN}")


def probability(p: float) -> str:
    """A probability as papers write it; a dash where there is none."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float | None) -> str:
    """A time in the unit that suits it."""
    if value is None:
        return "–"
    if value >= 3600:
        return f"{value / 3600:.1f} h"
    if value >= 120:
        return f"{value / 60:.1f} min"
    return f"{value:.1f} s" if value >= 0.1 else f"{1000 * value:.2g} ms"


def size(number: float) -> str:
    """A number of bytes in the unit that suits it, a kB being 1000."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            digits = ".0f" if number >= 100 * factor else ".3g"
            return f"{number / factor:{digits}} {unit}"
    return f"{number:.0f} bytes"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 model`, `2 models`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def several(names: Sequence[str], limit: int = 5) -> str:
    """Names as a phrase, in bold: `a, b and c`; of very many, the first few."""
    from markupsafe import Markup

    shown = [Markup("<b>{}</b>").format(name) for name in names]
    if len(shown) > limit:
        shown = [*shown[: limit - 1], Markup("{} others").format(len(shown) - limit + 1)]
    *lead, last = shown
    return Markup(" and ").join([Markup(", ").join(lead), last] if lead else [last])
