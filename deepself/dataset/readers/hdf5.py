"""HDF5, and MATLAB's version 7.3, which is HDF5."""

import io
from pathlib import Path
from typing import Any

from deepself.dataset.readers.arrays import as_signal, choose, refuse_odd
from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding
from deepself.dataset.readers.selection import select
from deepself.study.dataset import SensorModality

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read_hdf5(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read one data set: the modality's `variable`, such as `group/data`, or the only one.

    Rows are samples and columns are channels. MATLAB writes its columns as rows, so its arrays
    are transposed back to what MATLAB shows.
    """
    import h5py

    with decoding("HDF5"), h5py.File(io.BytesIO(content)) as file:
        found: dict[str, Any] = {}

        def visit(name: str, node: Any) -> None:
            # MATLAB keeps what cells and objects hold in groups of such names.
            if isinstance(node, h5py.Dataset) and not name.startswith("#"):
                found[name] = node

        file.visititems(visit)
        variable = modality.variable and modality.variable.strip("/")
        if variable is None:
            found = {n: node for n, node in found.items() if not (_text(node) or _empty(node))}
        node = choose(variable, found)
        if _text(node):
            raise ReadError("does not hold one array of real numbers but is text")
        if _empty(node):
            raise ReadError("holds no samples")
        if node.external:  # it could name any file, and the checksum would not be of it
            raise ReadError("keeps its values in another file; copy them into this one")
        refuse_odd(node.dtype, node.ndim)  # before it is read
        # By its content: a file's name must not change what it holds.
        from_matlab = content.startswith(b"MATLAB") or "MATLAB_class" in node.attrs
        array = node[()]
    return select(modality, as_signal(modality, array.T if from_matlab else array))


def _text(node: Any) -> bool:
    """Whether MATLAB wrote the numbers of characters."""
    return node.attrs.get("MATLAB_class") == b"char"


def _empty(node: Any) -> bool:
    """Whether MATLAB wrote, for an array without values, its size instead."""
    return "MATLAB_empty" in node.attrs
