"""Writing a feature file: batch by batch, resumed where it was interrupted, whole at the end."""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.store.files import TakenOverError, canonical_json, write_text
from deepself.store.hdf5 import let_go, named, room
from deepself.store.lock import Lock

CHUNK = 2**18
"""Bytes of items in a chunk: a batch drawn at random reads little that it does not need, and
small items are not read one by one."""

SPARE = 2**17
"""Bytes that a file needs beside its items."""


@dataclass(frozen=True)
class Batch:
    """The items of some recordings.

    Attributes
    ----------
    items
        Shape (rows, *item shape).
    counts
        Rows of each recording: 1, or its number of windows.
    starts
        Where each window begins, in seconds; None without windows.
    lengths
        True length of each row along its time axis; None where nothing is padded.
    """

    items: np.ndarray
    counts: list[int]
    starts: np.ndarray | None = None
    lengths: np.ndarray | None = None


@dataclass(frozen=True)
class Header:
    """What a feature file says of itself.

    Attributes
    ----------
    ids, checksums
        Of the recordings, in order: names, and SHA-256 of the files.
    specification
        All that shapes the content.
    versions
        Versions of the packages that made it.
    frequencies
        Hz of each row of a spectral image, or None.
    frame_rate
        Samples or frames a second along the time axis, or None.
    dtype, compression
        How items are kept.
    """

    ids: list[str]
    checksums: list[str]
    specification: dict[str, Any]
    versions: dict[str, str]
    frequencies: np.ndarray | None = None
    frame_rate: float | None = None
    dtype: str = "float32"
    compression: str = "none"
    shards: list[str] = field(default_factory=list)

    def describe(self, file: Any) -> None:
        """Write all but the items into an open HDF5 file."""
        import h5py

        texts = h5py.string_dtype("utf-8")
        for name in ("ids", "checksums"):
            values = np.array(getattr(self, name), dtype=object)
            file.create_dataset(name, data=values, dtype=texts)
        if self.frequencies is not None:
            file["frequencies"] = np.asarray(self.frequencies, dtype=np.float64)
        if self.frame_rate is not None:
            file.attrs["frame_rate"] = self.frame_rate
        if self.shards:
            file.attrs["shards"] = json.dumps(self.shards)
        file.attrs["compression"] = self.compression
        file.attrs["specification"] = canonical_json(self.specification)
        file.attrs["versions"] = canonical_json(self.versions)


class FeatureWriter(AbstractContextManager):
    """Write a feature file recording by recording; it takes its name when all are in.

    What is written lies in a hidden file beside the feature's, with a journal of what is whole
    in it. A job that was killed leaves both; the next one verifies them and goes on.

    Parameters
    ----------
    path
        The file to make.
    header
        What the file says of itself.
    lock
        The lock of the file, if several jobs may want to make it.

    Attributes
    ----------
    done
        Number of recordings that are written.
    """

    def __init__(self, path: str | Path, header: Header, lock: Lock | None = None):
        self._path = Path(path)
        self._part = self._path.with_name(f".{self._path.name}.part")
        self._journal = self._path.with_name(f".{self._path.name}.journal")
        self._header = header
        self._lock = lock
        self._rows = 0
        self._items: Any = None
        self.done = 0

    def __enter__(self) -> "FeatureWriter":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A job that was taken for dead may still write into what it left.
        if (self._lock and self._lock.forced) or not self._resume():
            self._begin()
        return self

    def append(self, batch: Batch) -> None:
        """Append the items of the next recordings."""
        if not np.isfinite(batch.items).all():
            raise UserError(f"{self._path}: values that are not finite; see what makes them")
        with np.errstate(over="ignore"):  # refused below, in words
            items = batch.items.astype(self._header.dtype, copy=False)
        if items.dtype == np.float16 and not np.isfinite(items).all():
            raise UserError(
                f"{self._path}: values above 65504 do not fit float16; set dtype: float32"
            )
        if self._items is None:
            self._create(batch, items)
        if items.shape[1:] != self._items.shape[1:]:
            raise ValueError(f"items of shape {items.shape[1:]} after {self._items.shape[1:]}")
        rows = slice(self._rows, self._rows + len(items))
        columns = {"starts": batch.starts, "lengths": batch.lengths}
        # A chunk may hold little more than is new, and is written as a whole.
        with self._named(), room(self._file, items.nbytes + self._chunk + SPARE):
            for name, values in {"items": items, **columns}.items():
                if values is not None:
                    self._file[name].resize(rows.stop, axis=0)
                    self._file[name][rows] = values
        self._require_lock()
        entry = {"counts": batch.counts, "crc": _crc(items, batch.starts, batch.lengths)}
        with self._named(), open(self._journal, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(entry) + "\n")
        self._rows, self.done = rows.stop, self.done + len(batch.counts)
        self._counts += batch.counts

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if kind is not None:
            let_go(self._file)  # a full disk: the file is not whole, and the journal knows
            lost = issubclass(kind, TakenOverError)  # then what lies there is another job's
            if not lost and (self.done == 0 or issubclass(kind, ValueError)):
                self._discard()
            return
        self._require_lock()
        if self.done != len(self._header.ids):
            self._file.close()
            raise ValueError(f"{self.done} recordings of {len(self._header.ids)}")
        try:
            with self._named(), room(self._file, SPARE + 400 * len(self._header.ids)):
                self._file["offsets"] = np.cumsum([0, *self._counts], dtype=np.int64)
                self._header.describe(self._file)
        except OSError:
            let_go(self._file)
            raise
        self._file.close()
        os.replace(self._part, self._path)
        self._journal.unlink()

    @property
    def _chunk(self) -> int:
        """Bytes of a chunk of items."""
        return int(np.prod(self._items.chunks)) * self._items.dtype.itemsize

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error of the disk name the feature, and say how much of it is kept."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            of = f"{self.done} of {len(self._header.ids)} recordings are kept"
            raise named(error, f"{self._path} ({of})") from None

    def _require_lock(self) -> None:
        if self._lock is not None and self._lock.lost:
            raise TakenOverError(f"{self._path}: another job took over; nothing written")

    def _begin(self) -> None:
        import h5py

        self._counts: list[int] = []
        with self._named():
            self._discard()
            self._journal.write_text(self._title() + "\n", encoding="utf-8")
            self._file = h5py.File(self._part, "w")

    def _discard(self) -> None:
        for file in (self._journal, self._part):
            file.unlink(missing_ok=True)

    def _title(self) -> str:
        """The journal's first line: what is being made, of what, by what."""
        made = [self._header.specification, self._header.versions, self._header.checksums]
        return str(zlib.crc32(json.dumps(made, sort_keys=True).encode()))

    def _create(self, batch: Batch, items: np.ndarray) -> None:
        """Make the datasets, once the first items say what shape they have."""
        size = items[0].nbytes
        share = len(batch.items) / len(batch.counts)
        self._require_space(int(len(self._header.ids) * share * size))
        whole = batch.starts is None  # one row a recording: their number is known
        rows = max(1, CHUNK // size)
        codec = None if self._header.compression == "none" else self._header.compression
        self._items = self._file.create_dataset(
            "items",
            shape=(0, *items.shape[1:]),
            maxshape=(None, *items.shape[1:]),
            dtype=items.dtype,
            chunks=(min(len(self._header.ids), rows) if whole else rows, *items.shape[1:]),
            compression=codec,
            shuffle=codec is not None,
        )
        for name, values in (("starts", batch.starts), ("lengths", batch.lengths)):
            if values is not None:
                kind = np.float64 if name == "starts" else np.int64
                self._file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(4096,))

    def _require_space(self, needed: int) -> None:
        """Refuse before writing: HDF5 cannot close a file that no longer fits."""
        free = shutil.disk_usage(self._path.parent).free
        needed += SPARE
        if self._header.compression == "none" and needed > free:
            raise UserError(
                f"{self._path}: needs {needed / 1e6:.1f} MB, the disk has {free / 1e6:.1f} MB "
                "free; make room and start again"
            )

    def _resume(self) -> bool:
        """Take up what an interrupted job left, as far as it is proven whole."""
        import h5py

        try:
            title, *lines = self._journal.read_text(encoding="utf-8").splitlines()
            if title != self._title():
                return False
            self._file = h5py.File(self._part, "r+")
        except (OSError, ValueError):
            return False
        try:
            kept = self._verify(lines)
        except Exception:  # whatever HDF5 says of a file that was cut off: it is made anew
            kept = []
        if not kept:
            let_go(self._file)
            return False
        write_text(self._journal, "\n".join([title, *kept]) + "\n")
        return True

    def _verify(self, lines: list[str]) -> list[str]:
        """Keep the journal's entries whose items are as they were written; cut off the rest."""
        for name in {*self._file} - {"items", "starts", "lengths"}:
            del self._file[name]  # of an end that was interrupted
        self._items = self._file["items"]
        columns = [self._file.get(name) for name in ("starts", "lengths")]
        self._counts, kept = [], []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                break
            rows = slice(self._rows, self._rows + sum(entry["counts"]))
            stored = [None if c is None else c[rows] for c in (self._items, *columns)]
            if rows.stop > len(self._items) or _crc(*stored) != entry["crc"]:
                break
            self._rows, self.done = rows.stop, self.done + len(entry["counts"])
            self._counts += entry["counts"]
            kept.append(line)
        for dataset in (self._items, *columns):
            if dataset is not None:
                dataset.resize(self._rows, axis=0)
        return kept


def _crc(*arrays: np.ndarray | None) -> int:
    value = 0
    for array in arrays:
        if array is not None:
            value = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, value)
    return value
