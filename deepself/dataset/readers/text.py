"""Delimited text: numbers in rows, one a channel, with or without a header."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.selection import listed, oriented, select
from deepself.study.dataset import SensorModality

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": None}
"""Character of each delimiter; None is any run of white space."""

COMMENTS = ("#", "%")
FIGURES = set("0123456789+-.,;|: \t")
NO_NAMES = {"na", "n/a", "null", "none", "-", "?"}
"""What stands for a missing number, and never for a channel."""


class Form(NamedTuple):
    """How the numbers of a file are written."""

    delimiter: str | None
    decimal_comma: bool

    def cells(self, line: str) -> list[str]:
        """Split a line; one delimiter at its end is allowed."""
        if self.delimiter is None:
            return line.split()
        return line.rstrip(" ").removesuffix(self.delimiter).split(self.delimiter)

    def numbers(self, line: str) -> list[float] | None:
        """Values of a line, or None: an empty cell is no number, so that no column shifts."""
        unwanted = "_." if self.decimal_comma else "_"  # Python reads 1_000
        if any(mark in line for mark in unwanted):
            return None
        try:
            return [
                float(cell.replace(",", ".") if self.decimal_comma else cell)
                for cell in self.cells(line)
            ]
        except ValueError:
            return None


def read_text(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read delimited text: rows are samples, columns are channels.

    - Lines that begin with `#` or `%` before the data are comments; empty lines are passed over.
    - A first line in which no cell is a number is a header, and names the channels.
    - The delimiter, where the modality gives none, is the first of semicolon, tab, bar, comma and
      white space that the second line holds.
    - A comma is the decimal mark if the modality says so, or if it stands in the data and is not
      the delimiter: `1,5;2,5` and `1,5 2,5` hold two numbers. A comma alone is a delimiter: `1,5`
      is two numbers, unless the modality's decimal mark is the comma.

    Raises
    ------
    ReadError
        With the number of the first line that is no row of numbers, or is of another length.
    """
    lines = _text(path, content).splitlines()
    filled = (i for i, line in enumerate(lines) if line.strip())
    start = next((i for i in filled if not lines[i].lstrip().startswith(COMMENTS)), None)
    if start is None:
        raise ReadError("holds no samples")
    second = next(filled, None)
    form = _form(modality, lines[start if second is None else second], lines[start:])
    header = _header(lines[start], form) if form.numbers(lines[start]) is None else None
    first = start if header is None else second
    if first is None:
        raise ReadError("holds no samples, only a header")
    values = _fast(lines[first:], form)
    if values is None:
        values = _slow(lines, first, form)
    names = _names(lines[start], header, values.shape[1], start + 1) if header else ()
    if names and modality.rows != "channels":
        return select(modality, values.T, None, names)  # a header names columns: they are channels
    return select(modality, oriented(modality, values))


def _text(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as Excel saves "Unicode text"
        encoding = "utf-16"
    elif b"\0" in content:
        record = path.with_suffix(".hea")
        if path.suffix.lower() == ".dat" and record.is_file():
            raise ReadError(f"is a signal file of WFDB; name its header {record.name}")
        raise ReadError("is not a text file")
    else:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding).rstrip("\x1a")  # the end of a file, for DOS
    except UnicodeDecodeError:
        return content.decode("latin-1")  # µV in a header; elsewhere its line is named


def _form(modality: SensorModality, sample: str, lines: list[str]) -> Form:
    """Find how numbers are written.

    Parameters
    ----------
    modality
        What it says is not looked for.
    sample
        The second line, which a header cannot be; the first where it is the only one.
    lines
        All, from the header or the first row.
    """
    if modality.delimiter == "comma" and modality.decimal == "comma":
        raise ReadError("cannot have the comma as both delimiter and decimal mark")
    if modality.delimiter is not None:
        delimiter = DELIMITERS[modality.delimiter]
    else:
        delimiter = next((d for d in (";", "\t", "|") if d in sample), None)
        comma_free = modality.decimal == "comma" or "," not in sample
        if delimiter is None and not comma_free:
            # Of white space with decimal commas, `1,5 2,5`, commas make no numbers.
            spaced = len(sample.split()) > 1 and Form(None, True).numbers(sample) is not None
            delimiter = None if spaced and Form(",", False).numbers(sample) is None else ","
    if delimiter == ",":
        return Form(delimiter, False)
    if modality.decimal is not None:
        return Form(delimiter, modality.decimal == "comma")
    comma = Form(delimiter, True)
    # The first line's commas may be those of names.
    first = "," in lines[0] and comma.numbers(lines[0]) is not None
    if not first and not any("," in line for line in lines[1:]):
        return Form(delimiter, False)
    # One number in the second line, and commas elsewhere: rather a row that lacks a column.
    alone = modality.delimiter is None and delimiter is None and len(sample.split()) == 1
    return Form(",", False) if alone else comma


def _header(line: str, form: Form) -> list[str] | None:
    """Names in a header; None where the line has a number, and so is damaged data."""
    cells = [cell.strip() for cell in form.cells(line)]
    for cell in cells:
        cell = cell.strip('"')
        if set(cell) <= FIGURES and any(mark.isdigit() for mark in cell):
            return None
        try:
            float(cell.replace(",", "."))
        except ValueError:
            continue
        return None
    if all(not cell or cell.lower() in NO_NAMES for cell in cells):
        return None
    if '"' in line:
        cells = next(csv.reader([line.strip()], delimiter=form.delimiter or " "))
    return [cell.strip() for cell in cells]


def _names(line: str, header: list[str], columns: int, number: int) -> tuple[str, ...]:
    if columns == 1:
        return (line.strip().strip('"') if len(header) > 1 else header[0],)
    if len(header) != columns:
        raise ReadError(
            f"line {number} names {len(header)} channels ({listed(header)}), "
            f"the data have {columns}"
        )
    return tuple(header)


def _fast(lines: list[str], form: Form) -> np.ndarray | None:
    """Read clean data; None for whatever must be looked at line by line."""
    if form.decimal_comma:
        if any("." in line for line in lines):
            return None
        lines = [line.replace(",", ".") for line in lines]
    try:
        return np.loadtxt(lines, delimiter=form.delimiter, comments=None, ndmin=2)
    except ValueError:
        return None


def _slow(lines: list[str], first: int, form: Form) -> np.ndarray:
    """Read data line by line, to name the line at fault."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip():
            continue
        values = form.numbers(line)
        if values is None:
            raise ReadError(f"line {number} is not numeric: {line.strip()[:40]!r}")
        if rows and len(values) != len(rows[0]):
            raise ReadError(f"line {number} has {len(values)} values, the first {len(rows[0])}")
        rows.append(values)
    return np.array(rows, dtype=np.float64)
