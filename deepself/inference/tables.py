"""Predictions as a table, written row by row: CSV, Parquet or JSON lines."""

import csv
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

from deepself.inference.answers import Answer, Asked
from deepself.inference.growing import Growing, check_output
from deepself.store.predictions import PREFIX

GROUP = 4096
"""Rows of a Parquet file that are kept in memory until they are written."""

Row = dict[str, Any]


def columns(classes: Sequence[str], asked: Asked, labelled: bool) -> list[str]:
    """Names of the columns, in their order."""
    return [
        "id",
        *(["start", "end"] if asked.window is not None else []),
        *(["true"] if labelled else []),
        "label",
        *(["unsure"] if asked.unsure is not None else []),
        *(PREFIX + name for name in classes),
        "notes",
    ]


def rows(answer: Answer, asked: Asked, true: str | None, labelled: bool) -> list[Row]:
    """A row a prediction; see `columns`."""
    found = []
    for one in answer.predictions:
        row: Row = {"id": answer.name}
        if asked.window is not None:
            row |= {"start": one.start, "end": one.end}
        if labelled:
            row["true"] = true or ""
        row["label"] = one.label
        if asked.unsure is not None:
            row["unsure"] = one.unsure
        row |= {PREFIX + name: value for name, value in one.probabilities.items()}
        row["notes"] = "; ".join(one.notes)
        found.append(row)
    return found


class Table(AbstractContextManager, ABC):
    """A table that grows; a file takes its name when it is whole."""

    @abstractmethod
    def write(self, row: Row) -> None:
        """Add a row."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""

    def __exit__(self, *_: object) -> None:
        self.close()


class _Csv(Table):
    def __init__(self, file: TextIO, columns: list[str]):
        self._file = file
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(columns)
        self._columns = columns

    def write(self, row: Row) -> None:
        self._writer.writerow([_text(row[name]) for name in self._columns])

    def close(self) -> None:
        self._file.flush()


class _Lines(Table):
    def __init__(self, file: TextIO):
        self._file = file

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.flush()


class _Parquet(Table):
    def __init__(self, path: Path, columns: list[str]):
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"start": pa.float64(), "end": pa.float64(), "unsure": pa.bool_()}
        self._schema = pa.schema(
            [
                (name, pa.float64() if name.startswith(PREFIX) else kinds.get(name, pa.string()))
                for name in columns
            ]
        )
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
            self._rows = []


FORMATS = (".csv", ".parquet", ".jsonl")


class Output(AbstractContextManager):
    """Where predictions go: a file that takes its name when it is whole, or the terminal.

    Parameters
    ----------
    path
        The file, whose suffix says the form; None for the standard output, as CSV.
    columns
        Names of the columns.

    Attributes
    ----------
    rows
        Written so far.

    Raises
    ------
    UserError
        Of another suffix, or where the file cannot be written.
    """

    def __init__(self, path: Path | None, columns: list[str]):
        self._growing: Growing | None = None
        self._file: TextIO | None = None
        self.rows = 0
        if path is None:
            self._table: Table = _Csv(sys.stdout, columns)
            return
        check_output(path, FORMATS)
        self._growing = Growing(path)
        part, suffix = self._growing.part, path.suffix.lower()
        if suffix == ".parquet":
            self._table = _Parquet(part, columns)
        else:
            self._file = open(part, "w", newline="", encoding="utf-8")  # noqa: SIM115
            self._table = _Csv(self._file, columns) if suffix == ".csv" else _Lines(self._file)

    def write(self, row: Row) -> None:
        """Add a row."""
        self.rows += 1
        self._table.write(row)

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Give the file its name; what was interrupted keeps the name of a part."""
        self._table.close()
        if self._file is not None:
            self._file.close()
        if self._growing is not None:
            self._growing.end(kind is not None, "predicted", self.rows)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
