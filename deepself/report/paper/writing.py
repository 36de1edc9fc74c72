"""Tables as CSV, Markdown and LaTeX."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepself.store.files import write_text

TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "\N{MINUS SIGN}": r"$-$",
    "|": r"\textbar{}",
    "[": "{[}",  # at the start of a row these two would belong to the row before
    "*": "{*}",
}
"""What LaTeX would read as its own, and signs that its fonts keep elsewhere."""

MARKDOWN = {sign: "\\" + sign for sign in "\\|*`[]$~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


@dataclass(frozen=True)
class Table:
    """A table, with every digit and as it is read.

    Attributes
    ----------
    name
        Of the files.
    caption
        What the numbers are.
    columns, rows
        As they are read: texts, already rounded. Of bold ones the row is the best.
    text
        How many of the columns, from the left, are text; the others are numbers.
    full_columns, full_rows
        For CSV: values with every digit; None is an empty cell.
    best
        Rows that are set in bold.
    rule
        Rows above which a line is drawn.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: int
    full_columns: Sequence[str]
    full_rows: Sequence[Sequence[Any]]
    best: frozenset[int] = frozenset()
    rule: frozenset[int] = frozenset()


def write_all(table: Table, folder: Path, study: str) -> None:
    """Write a table in each form."""
    forms = {
        ".csv": as_csv(table.full_columns, table.full_rows),
        ".md": as_markdown(table),
        ".tex": as_latex(table, f"tab:{study}-{table.name}"),
    }
    for suffix, text in forms.items():
        write_text(folder / f"{table.name}{suffix}", text)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated values, every digit kept."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """A table with pipes, as GitHub and Pandoc read it, below its caption."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    marks = ["---" if place < table.text else "---:" for place in range(len(table.columns))]
    lines = [_escaped(table.caption, MARKDOWN), ""]
    lines += [line(_escaped(column, MARKDOWN) for column in table.columns), line(marks)]
    for number, row in enumerate(table.rows):
        cells = [_escaped(cell, MARKDOWN) for cell in row]
        lines.append(
            line([f"**{c}**" if c else c for c in cells] if number in table.best else cells)
        )
    return "\n".join(lines) + "\n"


def as_latex(table: Table, label: str) -> str:
    """A floating table with the rules of the package booktabs."""
    kinds = "l" * table.text + "r" * (len(table.columns) - table.text)
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(table.caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        " & ".join(map(tex, table.columns)) + r" \\",
        r"\midrule",
    ]
    for number, row in enumerate(table.rows):
        if number in table.rule:
            lines.append(r"\midrule")
        cells = [tex(cell) for cell in row]
        if number in table.best:
            cells = [rf"\textbf{{{cell}}}" if cell else cell for cell in cells]
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def tex(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    apart = re.sub("-(?=-)", "-{}", _escaped(text, TEX))  # two hyphens would become a dash
    return apart.replace("–", "--")


def one_line(text: str) -> str:
    """Text without breaks and control characters, which neither LaTeX nor XML can hold."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cs"))


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in one_line(text))
