"""Files to arrays: one function a format.

Each takes the modality, the file's path and its content, so that a file is read from disk once,
for its checksum and for its samples. To read a new format of sensors, add its suffix to the table
below and say how.
"""

from collections.abc import Callable
from pathlib import Path

from deepself.dataset.readers.arrays import read_npy, read_npz
from deepself.dataset.readers.audio import read_audio
from deepself.dataset.readers.biosignal import read_edf, read_wfdb, signal_files
from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.hdf5 import read_hdf5
from deepself.dataset.readers.image import read_image
from deepself.dataset.readers.matlab import read_mat
from deepself.dataset.readers.table import read_parquet
from deepself.dataset.readers.text import read_text
from deepself.dataset.readers.video import read_video
from deepself.study.dataset import AnyModality, AudioModality, SensorModality, VideoModality

__all__ = ["FROM_DISK", "SENSOR_FORMATS", "Decoded", "ReadError", "companions", "read"]

SENSOR_FORMATS: dict[str, Callable[[SensorModality, Path, bytes], Decoded]] = {
    **dict.fromkeys((".txt", ".csv", ".tsv", ".asc", ".dat"), read_text),
    ".npy": read_npy,
    ".npz": read_npz,
    ".mat": read_mat,
    **dict.fromkeys((".h5", ".hdf5"), read_hdf5),
    **dict.fromkeys((".edf", ".bdf"), read_edf),
    ".hea": read_wfdb,
    ".parquet": read_parquet,
}
"""Reader of each suffix."""

FROM_DISK = (".edf", ".bdf", ".hea")
"""Formats whose libraries open the file by themselves."""


def read(modality: AnyModality, path: Path, content: bytes) -> Decoded:
    """Decode one file.

    Parameters
    ----------
    modality
        What kind of file it is, and how to read it. The channels that it lists are chosen here;
        their mean is not taken here.
    path
        Where the file lies; its suffix says a sensor's or a film's format.
    content
        All its bytes. EDF, BDF and WFDB are read from the path again.

    Returns
    -------
    Decoded
        Values, rate and channel names.

    Raises
    ------
    ReadError
        The file cannot be decoded, or not as the modality says.
    """
    if not content:
        raise ReadError("is empty")
    if isinstance(modality, AudioModality):
        return read_audio(modality, path, content)
    if isinstance(modality, VideoModality):
        return read_video(modality, path, content)
    if isinstance(modality, SensorModality):
        suffix = path.suffix.lower()
        if suffix not in SENSOR_FORMATS:
            raise ReadError(f"unknown sensor format {suffix!r}; known: {', '.join(SENSOR_FORMATS)}")
        return SENSOR_FORMATS[suffix](modality, path, content)
    return read_image(modality, path, content)


def companions(path: Path) -> list[Path]:
    """Further files that belong to one: a WFDB header's signal files that lie beside it."""
    return signal_files(path) if path.suffix.lower() == ".hea" else []
