"""Which files of a folder are recordings, by their names."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

SUFFIXES = {
    "audio": {
        *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"),
        *(".m4a", ".aac", ".wma", ".amr", ".caf", ".w64", ".3gp"),
    },
    "image": {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"},
    "sensor": {
        *(".txt", ".csv", ".tsv", ".asc", ".dat", ".npy", ".npz", ".mat", ".h5", ".hdf5"),
        *(".parquet", ".edf", ".bdf", ".hea"),
    },
    "video": {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".gif"},
}
"""Suffixes of each kind of modality; of two kinds, the first is meant."""


def kind_of(path: str | Path) -> str | None:
    """What a file is, by its suffix; None where it is no recording."""
    suffix = PurePosixPath(path).suffix.lower()
    return next((kind for kind, known in SUFFIXES.items() if suffix in known), None)


def records(files: Iterable[str]) -> list[str]:
    """Files but for those that belong to another one: a WFDB header stands for its signals."""
    given = list(files)
    headers = {file[:-4] for file in given if file.lower().endswith(".hea")}
    return [f for f in given if f[:-4] not in headers or not f.lower().endswith(".dat")]
