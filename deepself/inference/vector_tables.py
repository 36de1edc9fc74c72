"""Vectors of recordings as a table that grows: CSV, ARFF, Parquet or HDF5.

The columns are those that DeepSpectrum writes, so that what reads its tables reads these: `name`,
`timeStamp` (of windows, in seconds), `neuron_0`, `neuron_1`, …, and `class`.
"""

import csv
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepself.inference.growing import Growing, check_output

NAME, TIME, NEURON, LABEL = "name", "timeStamp", "neuron_", "class"

GROUP = 2**24
"""Bytes of vectors that wait in memory for a Parquet or HDF5 file: such files are written by
groups of rows."""

PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
"""What ARFF takes without quotes."""


@dataclass(frozen=True)
class Form:
    """What a table holds.

    Attributes
    ----------
    size
        Length of a vector.
    windowed
        Whether rows are windows, with the seconds at which they begin.
    labels
        Every label that any row may have; None for a table without labels.
    about
        What made the vectors; kept in the file but for CSV, which has no place for it.
    """

    size: int
    windowed: bool
    labels: Sequence[str] | None
    about: Mapping[str, Any]

    @property
    def neurons(self) -> list[str]:
        """Names of a vector's columns."""
        return [f"{NEURON}{number}" for number in range(self.size)]

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in their order."""
        timed, labelled = [TIME] * self.windowed, [LABEL] * (self.labels is not None)
        return [NAME, *timed, *self.neurons, *labelled]


@dataclass(frozen=True)
class Rows:
    """Vectors of one recording, float32 (rows, size), each beginning at some second."""

    name: str
    values: np.ndarray
    starts: Sequence[float] | None
    label: str | None


class _Table(ABC):
    def __init__(self, path: Path, form: Form):
        self.form = form

    @abstractmethod
    def write(self, rows: Rows) -> None:
        """Add rows."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""


class _Csv(_Table):
    def __init__(self, path: Path, form: Form):
        super().__init__(path, form)
        self._file = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(form.columns)

    def write(self, rows: Rows) -> None:
        label = [] if self.form.labels is None else [rows.label or ""]
        for time, vector in _texts(self.form, rows):
            self._writer.writerow([rows.name, *time, *vector, *label])

    def close(self) -> None:
        self._file.close()


class _Arff(_Table):
    """Weka's format; https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/."""

    def __init__(self, path: Path, form: Form):
        super().__init__(path, form)
        self._file = open(path, "w", newline="\n", encoding="utf-8")  # noqa: SIM115
        self._file.write(f"% {json.dumps(form.about)}\n@relation deepself\n\n")
        kinds = {NAME: "string", LABEL: _arff_kind(form.labels or ())}
        for column in form.columns:
            self._file.write(f"@attribute {column} {kinds.get(column, 'numeric')}\n")
        self._file.write("\n@data\n")

    def write(self, rows: Rows) -> None:
        label = "" if self.form.labels is None else f",{_arff_text(rows.label)}"
        for time, vector in _texts(self.form, rows):
            values = ",".join([_arff_text(rows.name, plain=False), *time, *vector])
            self._file.write(f"{values}{label}\n")

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Block:
    """Rows of several recordings, column by column; no starts without windows."""

    names: list[str]
    starts: list[float]
    values: np.ndarray
    labels: list[str | None]

    @classmethod
    def of(cls, waiting: Sequence[Rows]) -> "_Block":
        return cls(
            [one.name for one in waiting for _ in one.values],
            [start for one in waiting for start in one.starts or []],
            np.concatenate([one.values for one in waiting]),
            [one.label for one in waiting for _ in one.values],
        )


class _Grouped(_Table):
    """A table of which many rows are written at once."""

    def __init__(self, path: Path, form: Form):
        super().__init__(path, form)
        self._waiting: list[Rows] = []
        self._bytes = 0

    def write(self, rows: Rows) -> None:
        self._waiting.append(rows)
        self._bytes += rows.values.nbytes
        if self._bytes >= GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._append(_Block.of(self._waiting))
        self._waiting, self._bytes = [], 0

    @abstractmethod
    def _append(self, block: _Block) -> None:
        """Write rows at once."""


class _Parquet(_Grouped):
    def __init__(self, path: Path, form: Form):
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(path, form)
        kinds = {NAME: pa.string(), TIME: pa.float64(), LABEL: pa.string()}
        fields = [(column, kinds.get(column, pa.float32())) for column in form.columns]
        self._schema = pa.schema(fields, {"deepself": json.dumps(form.about)})
        self._writer = pq.ParquetWriter(path, self._schema)

    def _append(self, block: _Block) -> None:
        import pyarrow as pa

        columns: list[Any] = [block.names]
        columns += [block.starts] if self.form.windowed else []
        columns += list(np.ascontiguousarray(block.values.T))
        columns += [block.labels] if self.form.labels is not None else []
        arrays = [
            pa.array(own, kind) for own, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        super().close()
        self._writer.close()


class _Hdf5(_Grouped):
    """Datasets names, starts, features (rows, size) and labels; about it, attributes in JSON."""

    def __init__(self, path: Path, form: Form):
        import h5py

        super().__init__(path, form)
        self._file = h5py.File(path, "w")
        for key, value in form.about.items():
            self._file.attrs[key] = json.dumps(value)
        text, rows = h5py.string_dtype(), 256
        kinds: dict[str, Any] = {"names": text}
        kinds |= {"starts": np.float64} if form.windowed else {}
        kinds |= {"labels": text} if form.labels is not None else {}
        for name, kind in kinds.items():
            self._file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(rows,))
        self._file.create_dataset(
            "features", (0, form.size), np.float32, maxshape=(None, form.size), chunks=True
        )

    def _append(self, block: _Block) -> None:
        texts = [label or "" for label in block.labels]
        given = {"names": block.names, "starts": block.starts, "labels": texts}
        given["features"] = block.values
        for name, dataset in self._file.items():
            before = len(dataset)
            dataset.resize(before + len(block.values), axis=0)
            dataset[before:] = given[name]

    def close(self) -> None:
        super().close()
        self._file.close()


FORMATS: dict[str, type[_Table]] = {
    ".csv": _Csv,
    ".arff": _Arff,
    ".parquet": _Parquet,
    ".h5": _Hdf5,
}


class VectorTable(AbstractContextManager):
    """A file of vectors; it takes its name when it is whole, and is named `….part` until then.

    Parameters
    ----------
    path
        The file, whose suffix says the format.
    form
        What it holds.

    Raises
    ------
    UserError
        Of another suffix, or where the path is a folder.
    """

    def __init__(self, path: Path, form: Form):
        check_output(path, FORMATS)
        self._file, self._rows = Growing(path), 0
        self._table = FORMATS[path.suffix.lower()](self._file.part, form)

    def write(self, rows: Rows) -> None:
        """Add rows."""
        self._rows += len(rows.values)
        self._table.write(rows)

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Give the file its name; what was interrupted keeps the name of a part."""
        self._table.close()
        self._file.end(kind is not None, "made", self._rows)


def _texts(form: Form, rows: Rows) -> Iterator[tuple[list[str], list[str]]]:
    """Start and values of each row; a value with as many digits as tell it from its neighbours."""
    for number, vector in enumerate(rows.values.astype(np.float32, copy=False).astype("U")):
        time = []
        if form.windowed:
            assert rows.starts is not None
            time = [repr(float(rows.starts[number]))]
        yield time, vector.tolist()


def _arff_kind(labels: Sequence[str]) -> str:
    """How ARFF declares labels: as classes, or as numbers where one of them has a fraction."""
    if labels and all(map(_is_number, labels)) and any(map(_has_fraction, labels)):
        return "numeric"
    return f"{{{','.join(_arff_text(label) for label in sorted(set(labels)))}}}"


def _has_fraction(number: str) -> bool:
    return "." in number or not float(number).is_integer()


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _arff_text(text: str | None, plain: bool = True) -> str:
    if text is None:
        return "?"
    if plain and PLAIN.fullmatch(text):
        return text
    for special, written in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(special, written)
    return f"'{text}'"
