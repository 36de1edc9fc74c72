"""Feature files: one HDF5 a feature, written whole, read without locks."""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.store.files import atomic_path

CHUNK = 2**18
"""Bytes of items in a chunk."""


SPARE = 2**17
"""Bytes that a file needs beside its items."""


class FeatureWriter(AbstractContextManager):
    """Write a feature file item by item; it takes its name when all items are in.

    Parameters
    ----------
    path
        The file to make.
    ids
        Names of the items, in order.
    specification
        All that shapes the content; kept as an attribute.
    versions
        Versions of the packages that made it; kept as an attribute.
    frequencies
        Hz of each row, for spectral images.
    frame_rate
        Samples or frames a second along the last axis, for features with a time axis.

    Notes
    -----
    A chunk holds as many items as fit in 256 KiB: a batch drawn at random reads little that it
    does not need, and small items are not read one by one.
    """

    def __init__(
        self,
        path: str | Path,
        ids: list[str],
        specification: dict[str, Any],
        versions: dict[str, str],
        *,
        frequencies: np.ndarray | None = None,
        frame_rate: float | None = None,
    ):
        self._path = Path(path)
        self._ids = ids
        self._attributes: dict[str, Any] = {
            "specification": json.dumps(specification, sort_keys=True),
            "versions": json.dumps(versions, sort_keys=True),
        }
        if frame_rate is not None:
            self._attributes["frame_rate"] = frame_rate
        self._frequencies = frequencies
        self._written = 0
        self._items: Any = None

    def __enter__(self) -> "FeatureWriter":
        import h5py

        self._rename = atomic_path(self._path)
        self._file = h5py.File(self._rename.__enter__(), "w")
        return self

    def append(self, items: np.ndarray) -> None:
        """Append a batch: float32, shape (batch, *item shape)."""
        if self._items is None:
            self._require_space(len(self._ids) * items[0].nbytes)
            self._items = self._file.create_dataset(
                "items",
                shape=(len(self._ids), *items.shape[1:]),
                dtype=np.float32,
                chunks=(min(len(self._ids), max(1, CHUNK // items[0].nbytes)), *items.shape[1:]),
            )
        if items.shape[1:] != self._items.shape[1:]:
            raise ValueError(f"items of shape {items.shape[1:]} after {self._items.shape[1:]}")
        self._items[self._written : self._written + len(items)] = items
        self._written += len(items)

    def _require_space(self, needed: int) -> None:
        """Refuse before writing: HDF5 cannot close a file that no longer fits."""
        free = shutil.disk_usage(self._path.parent).free
        if needed + SPARE > free:
            raise UserError(
                f"{self._path}: needs {needed / 1e6:.1f} MB, the disk has {free / 1e6:.1f} MB free"
            )

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        import h5py

        if kind is None and self._written != len(self._ids):
            kind, value = ValueError, ValueError(f"{self._written} items of {len(self._ids)}")
        if kind is None:
            texts = h5py.string_dtype("utf-8")
            self._file.create_dataset("ids", data=np.array(self._ids, dtype=object), dtype=texts)
            if self._frequencies is not None:
                self._file["frequencies"] = np.asarray(self._frequencies, dtype=np.float64)
            self._file.attrs.update(self._attributes)
        self._file.close()
        self._rename.__exit__(kind, value, trace)
        if trace is None and value is not None:
            raise value


class FeatureFile(AbstractContextManager):
    """An open feature file.

    Attributes
    ----------
    ids
        Names of the items, in the order of the file.
    shape
        Shape of one item.
    frequencies
        Hz of each row, or None.
    frame_rate
        Samples or frames a second along the last axis, or None.
    specification
        All that shaped the content.
    """

    def __init__(self, path: str | Path):
        import h5py

        try:
            # No lock: many jobs read, none writes; and NFS and Lustre may not lock at all.
            self._file = h5py.File(path, "r", locking=False)
            self._items = self._file["items"]
            self.ids: list[str] = [i.decode() for i in self._file["ids"][:]]
            self.specification = json.loads(self._file.attrs["specification"])
        except FileNotFoundError:
            raise UserError(f"{path}: no such feature file; run extract") from None
        except (OSError, KeyError) as error:
            raise UserError(f"{path}: not a complete feature file ({error}); delete it") from None
        self.shape: tuple[int, ...] = self._items.shape[1:]
        stored = self._file.get("frequencies")
        self.frequencies = None if stored is None else stored[:]
        rate = self._file.attrs.get("frame_rate")
        self.frame_rate = None if rate is None else float(rate)

    def read(self, ids: list[str]) -> np.ndarray:
        """Items by name, in the order asked: float32, shape (len(ids), *item shape)."""
        place = {name: i for i, name in enumerate(self.ids)}
        wanted = np.array([place[name] for name in ids], dtype=np.int64)
        order = np.argsort(wanted)
        out = np.empty((len(ids), *self.shape), dtype=np.float32)
        out[order] = self._items[wanted[order]]  # HDF5 selects in rising order only
        return out

    def __exit__(self, *_: object) -> None:
        self._file.close()
