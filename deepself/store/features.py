"""Feature files: one HDF5 a feature, whole or absent, read without locks."""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.store.feature_writer import Header
from deepself.store.files import atomic_path

BLOCK = 2**22
"""Bytes read at once."""


class FeatureFile(AbstractContextManager):
    """An open feature file.

    Attributes
    ----------
    ids, checksums
        Names of the recordings and SHA-256 of their files, in the order of the file.
    offsets
        Rows of recording i are `offsets[i]` to `offsets[i + 1]`: one row, or one a window.
    shape
        Shape of one row.
    starts
        Where each row's window begins, in seconds; None without windows.
    lengths
        True length of each row along its time axis; None where nothing is padded.
    frequencies
        Hz of each row of a spectral image, or None.
    frame_rate
        Samples or frames a second along the time axis, or None.
    specification, versions
        All that shaped the content.
    shards
        Files that hold the items, if they are not in this one.
    """

    def __init__(self, path: str | Path):
        import h5py

        self._path = path
        try:
            # No lock: many jobs read, none writes; and NFS and Lustre may not lock at all.
            self._file = h5py.File(path, "r", locking=False)
            self._items = self._file["items"]
            self.ids, self.checksums = (
                [text.decode() for text in self._file[name][:]] for name in ("ids", "checksums")
            )
            self.offsets: np.ndarray = self._file["offsets"][:]
            self.specification: dict[str, Any] = json.loads(self._file.attrs["specification"])
            self.versions: dict[str, str] = json.loads(self._file.attrs["versions"])
            self.compression = str(self._file.attrs["compression"])
        except FileNotFoundError:
            raise UserError(f"{path}: no such feature file; run extract") from None
        except (OSError, KeyError, ValueError) as error:
            raise UserError(
                f"{path}: not a whole feature file ({error}); if extract made it, delete it and "
                "run again"
            ) from None
        self.shape: tuple[int, ...] = self._items.shape[1:]
        self.dtype = str(self._items.dtype)
        self.starts, self.lengths, self.frequencies = (
            None if name not in self._file else self._file[name][:]
            for name in ("starts", "lengths", "frequencies")
        )
        rate = self._file.attrs.get("frame_rate")
        self.frame_rate = None if rate is None else float(rate)
        names = json.loads(self._file.attrs.get("shards", "[]"))
        self.shards = [Path(path).parent / name for name in names]
        for shard in self.shards:
            if not shard.exists():  # HDF5 would give zeros in its place
                raise UserError(f"{shard}: missing, {path} is made of it; delete both, run again")
        self._place = {name: i for i, name in enumerate(self.ids)}

    def counts(self, ids: list[str]) -> np.ndarray:
        """Number of rows of each of some recordings: int64, shape (len(ids),)."""
        return np.diff(self.offsets)[self._places(ids)]

    def rows(self, ids: list[str]) -> np.ndarray:
        """Rows of some recordings, in the order asked: int64, shape (rows,)."""
        counts = self.counts(ids)
        # Each recording's first row, and how far into the recording each row is.
        begins = np.repeat(self.offsets[self._places(ids)], counts)
        return begins + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)

    def _places(self, ids: list[str]) -> np.ndarray:
        try:
            return np.array([self._place[name] for name in ids], dtype=np.int64)
        except KeyError as error:
            raise UserError(f"{self._path}: no recording {error}; was it made of others?") from None

    @property
    def block(self) -> int:
        """Rows that are read at once: whole chunks, as HDF5 is slow at picking single rows."""
        size = max(1, int(np.prod(self.shape)) * 4)
        chunk = (self._items.chunks or (1,))[0]
        return max(1, BLOCK // (size * chunk)) * chunk

    def read(self, ids: list[str]) -> np.ndarray:
        """Items of some recordings, in the order asked: float32, shape (rows, *item shape)."""
        return self.read_rows(self.rows(ids))

    def read_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the order asked: float32, shape (len(rows), *item shape)."""
        out = np.empty((len(rows), *self.shape), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        blocks = rows[order] // self.block
        edges = np.flatnonzero(np.diff(blocks)) + 1
        for places in np.split(order, edges):
            if len(places):
                first, last = rows[places[0]], rows[places[-1]] + 1
                out[places] = self._items[first:last][rows[places] - first]
        return out

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def shards_of(path: str | Path) -> list[Path]:
    """Files that hold the items of a feature that stands, if they are not in it itself."""
    path = Path(path)
    if not (path.parent / "shards" / path.stem).is_dir():
        return []
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        return [path.parent / name for name in json.loads(file.attrs.get("shards", "[]"))]


def join(path: Path, shards: list[Path]) -> None:
    """Make one feature of several files without copying their items.

    Parameters
    ----------
    path
        The file to make; the shards are named relative to its folder.
    shards
        Parts of the same feature, in order.
    """
    import h5py

    files = [FeatureFile(shard) for shard in shards]
    names = [os.path.relpath(shard, path.parent) for shard in shards]
    first, lengths = files[0], [int(f.offsets[-1]) for f in files]
    layout = h5py.VirtualLayout((sum(lengths), *first.shape), dtype=first.dtype)
    row = 0
    for file, name, length in zip(files, names, lengths, strict=True):
        if file.shape != first.shape:
            raise UserError(f"{name}: items of shape {file.shape}, not {first.shape}; delete it")
        source = h5py.VirtualSource(name, "items", (length, *first.shape), dtype=first.dtype)
        layout[row : row + length] = source
        row += length
    header = Header(
        ids=[i for f in files for i in f.ids],
        checksums=[c for f in files for c in f.checksums],
        specification=first.specification,
        versions=first.versions,
        frequencies=first.frequencies,
        frame_rate=first.frame_rate,
        compression=first.compression,
        shards=names,
    )
    counts = np.concatenate([np.diff(f.offsets) for f in files])
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as out:
        out.create_virtual_dataset("items", layout)
        out["offsets"] = np.cumsum([0, *counts], dtype=np.int64)
        for column in ("starts", "lengths"):
            if getattr(first, column) is not None:
                out[column] = np.concatenate([getattr(f, column) for f in files])
        header.describe(out)
    for file in files:
        file.close()
