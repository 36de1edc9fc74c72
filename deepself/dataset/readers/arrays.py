"""Arrays of numbers: NumPy's files, and which array is meant and how.

Rows are samples and columns are channels, unless the modality's `rows` says otherwise; an array
with one axis, or with one row, is one channel. MATLAB's arrays are meant as MATLAB shows them,
whichever version of the file.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding
from deepself.dataset.readers.selection import listed, oriented, select, suggestion
from deepself.study.dataset import SensorModality


def read_npy(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read NumPy's `.npy`; pickled objects are never loaded."""
    if not content.startswith(b"\x93NUMPY"):  # NumPy would take it for a pickle
        raise ReadError("cannot be decoded as NPY: does not begin as one")
    with decoding("NPY"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
    return select(modality, as_signal(modality, array))


def read_npz(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read one array of NumPy's `.npz`: the modality's `variable`, or the only one."""
    if not content.startswith(b"PK"):
        raise ReadError("cannot be decoded as NPZ: does not begin as one")
    with decoding("NPZ"):
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        arrays = {}
        for name in archive.files:
            if modality.variable in (None, name):
                arrays[name] = _member(archive, name)
            else:
                arrays[name] = np.empty(0)  # only its name is of interest
    return select(modality, as_signal(modality, choose(modality.variable, arrays)))


def _member(archive: Any, name: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        return np.empty(0, dtype=object)  # pickled, and refused only if it is the one


def choose(variable: str | None, arrays: Mapping[str, Any]) -> Any:
    """Find the array with the samples.

    Parameters
    ----------
    variable
        Its name; None: the only one with more than one real number.
    arrays
        Arrays, or data sets of HDF5, by name.

    Raises
    ------
    ReadError
        It is not there, there is none, or there are several.
    """
    if variable is not None:
        if variable not in arrays:
            inside = [name for name in arrays if name.startswith(f"{variable.rstrip('/')}/")]
            if inside:
                raise ReadError(f"{variable!r} is a group; name one of {listed(inside)} in it")
            raise ReadError(f"has no array {variable!r}{suggestion(variable, list(arrays))}")
        return arrays[variable]
    found = [name for name, array in arrays.items() if not odd(array.dtype) and array.size > 1]
    if len(found) > 1:
        raise ReadError(f"holds several arrays ({listed(found)}); name one by variable")
    if not found:
        others = [f"{name}: {odd(a.dtype) or _size(a)}" for name, a in arrays.items()]
        raise ReadError(f"holds no array of real numbers ({listed(others) or 'is empty'})")
    return arrays[found[0]]


def _size(array: Any) -> str:
    return "1 number" if array.size else "empty"


def odd(dtype: np.dtype) -> str:
    """Say what an array holds other than real numbers; empty where it holds those."""
    if dtype.names is not None:
        # HDF5 has no complex numbers; writers of them use pairs with these names.
        return "complex" if {*dtype.names} in ({"real", "imag"}, {"r", "i"}) else "a struct"
    kinds = {"c": "complex", "O": "a cell array or objects", "U": "text", "S": "text"}
    return "" if dtype.kind in "fiub" else kinds.get(dtype.kind, f"of type {dtype}")


def refuse_odd(dtype: np.dtype, axes: int) -> None:
    """Refuse an array of other than real numbers, or with other than one or two axes."""
    kind = odd(dtype)
    if kind:
        hint = {
            "a struct": "; save the field with the samples as a variable of its own",
            "complex": "; save its real part or its magnitude",
        }.get(kind, "")
        raise ReadError(f"does not hold one array of real numbers but is {kind}{hint}")
    if axes not in (1, 2):
        raise ReadError(f"has {axes} axes; expected samples in rows, channels in columns")


def as_signal(modality: SensorModality, array: np.ndarray) -> np.ndarray:
    """Turn rows of samples, or of channels if the modality says so, into (channels, samples)."""
    refuse_odd(array.dtype, array.ndim)
    if array.ndim == 1:
        return array[None]
    return array if len(array) == 1 else oriented(modality, array)
