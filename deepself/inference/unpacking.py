"""Whether content that was sent fits into memory once it is unpacked, found out before it is."""

import io
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from deepself.dataset.readers import ReadError
from deepself.dataset.readers.audio import count_samples
from deepself.inference.bounds import ITEM
from deepself.study.dataset import AnyModality, AudioModality, SensorModality


def require_room(modality: AnyModality, name: str, content: bytes) -> None:
    """Refuse content that says of itself that it holds more than a recording may.

    A few kilobytes of silence may be hours of sound, and whoever sends them need not be trusted. A
    file that lies on this machine is its user's own affair.

    Parameters
    ----------
    modality
        What kind of file it is.
    name
        What it would be called.
    content
        All its bytes.

    Raises
    ------
    ReadError
        It holds more than 2^28 numbers.
    """
    if isinstance(modality, AudioModality):
        numbers = count_samples(Path(name), content)
    elif isinstance(modality, SensorModality):
        numbers = _of_arrays(Path(name).suffix.lower(), content)
    else:
        return  # of pictures and films, the decoders have bounds of their own
    if numbers > ITEM:
        raise ReadError(f"holds {numbers:,} numbers once it is unpacked, more than {ITEM:,}")


def _of_arrays(suffix: str, content: bytes) -> int:
    """Numbers of all arrays; 0 of what is not compressed, or is no such file."""
    try:
        if suffix == ".npz":
            return _of_npz(content)
        if content.startswith(b"\x89HDF"):
            return _of_hdf5(content)
        if suffix == ".mat":
            import scipy.io

            return sum(
                int(np.prod(shape, dtype=object))
                for _, shape, _ in scipy.io.whosmat(io.BytesIO(content))
            )
    except Exception:  # a damaged file fails in many ways; its reader says which
        return 0
    return 0


def _of_npz(content: bytes) -> int:
    """By the arrays' shapes, which NumPy makes room for; anything else is unpacked byte by byte."""
    numbers = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for one in archive.infolist():
            with archive.open(one) as member:
                numbers += _of_npy(member) if one.filename.endswith(".npy") else one.file_size
    return numbers


def _of_npy(file: IO[bytes]) -> int:
    major, _ = np.lib.format.read_magic(file)
    read = getattr(np.lib.format, f"read_array_header_{min(major, 2)}_0")
    shape, _, _ = read(file)
    return int(np.prod(shape, dtype=object))


def _of_hdf5(content: bytes) -> int:
    import h5py

    sizes = []

    def count(_: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            sizes.append(int(node.size or 0))

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(count)
    return sum(sizes)
