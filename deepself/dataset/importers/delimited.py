"""Tables that others wrote: separated by comma, semicolon or tab, read row by row."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deepself.errors import UserError

Row = tuple[int, dict[str, str]]
"""Line on which a row ends (the header is line 1), and its cells by column."""


@contextmanager
def open_text(path: Path) -> Iterator[Iterable[str]]:
    """Lines of a UTF-8 text file."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            yield file
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read: {error.strerror}") from None


def read_rows(lines: Iterable[str], source: str, wanted: Iterable[str]) -> Iterator[Row]:
    """Read a table row by row.

    Parameters
    ----------
    lines
        Of the file.
    source
        Names the file in messages.
    wanted
        Columns that must be there.

    Raises
    ------
    UserError
        A column is missing, a row has more or fewer cells than the header, or it is no text table.
    """
    try:
        stream = iter(lines)
        header = next(stream, "")
        delimiter = max(",;\t", key=lambda mark: len(_cells(header, mark)))
        columns = [cell.strip() for cell in _cells(header, delimiter)]
        missing = [column for column in wanted if column not in columns]
        if missing:
            named = ", ".join(repr(column) for column in missing)
            raise UserError(
                f"{source}: no column {named} (has {', '.join(columns)[:200] or 'no header'})"
            )
        reader = csv.reader(stream, delimiter=delimiter)
        for cells in reader:
            line = reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(columns):
                raise UserError(
                    f"{source}: row {line} has {len(cells)} fields, the header {len(columns)}"
                )
            yield line, {c: cell.strip() for c, cell in zip(columns, cells, strict=True)}
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{source}: not a table in UTF-8 ({error})") from None


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])
