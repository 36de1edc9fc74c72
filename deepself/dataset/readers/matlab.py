"""MATLAB's files: version 4 to 7 by SciPy, version 7.3 as the HDF5 that it is."""

import io
import struct
from pathlib import Path

import numpy as np

from deepself.dataset.readers.arrays import as_signal, choose
from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding
from deepself.dataset.readers.hdf5 import SIGNATURE, read_hdf5
from deepself.dataset.readers.selection import select
from deepself.study.dataset import SensorModality

MATRIX, COMPRESSED = 14, 15
TYPES = {*range(1, 8), 9, *range(12, 19)}
"""Of data elements (MAT-File Format, table 1-1)."""


def read_mat(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read one array of a `.mat`: the modality's `variable`, or the only one with samples.

    Rows are samples and columns are channels; an array with one row is one channel.
    """
    if SIGNATURE in (content[:8], content[512:520]):  # version 7.3: HDF5, mostly behind some text
        return read_hdf5(modality, path, content)
    from scipy.io import loadmat

    with decoding("MAT"):
        if content[126:128] in (b"IM", b"MI"):
            _check_types(content, 128, len(content), "<" if content[126:127] == b"I" else ">")
        loaded = loadmat(io.BytesIO(content))
        arrays = {
            name: array.toarray() if hasattr(array, "toarray") else np.asarray(array)
            for name, array in loaded.items()
            if not name.startswith("__")
        }
    return select(modality, as_signal(modality, choose(modality.variable, arrays)))


def _check_types(content: bytes, at: int, end: int, order: str) -> None:
    """Refuse elements of unknown types in version 5: SciPy looks them up outside its memory.

    Compressed ones have a checksum, which tells damage.
    """
    while at + 8 <= end:
        kind, size = struct.unpack_from(f"{order}II", content, at)
        inside = at + 8
        if kind >> 16:  # a small element: its size and at most 4 bytes are in its tag
            kind, size = kind & 0xFFFF, 0
        if kind not in TYPES or inside + size > end:
            raise ReadError("cannot be decoded as MAT: has a damaged element")
        if kind == MATRIX:
            _check_types(content, inside, inside + size, order)
        at = inside + (size if kind == COMPRESSED else -(-size // 8) * 8)
