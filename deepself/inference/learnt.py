"""Which recordings a bundle has learnt from: of those, what it says proves nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from deepself.dataset.recordings import Recording
from deepself.store.checksums import file_digest
from deepself.store.files import read_table, write_table
from deepself.study import Layout

FILE = "recordings.csv"
"""In a bundle: the recordings of the study by their checksums, and their partition in each fold."""

DIGITS = 16
"""Of a recording's SHA-256: enough to know it by."""

NOTE = "one of the recordings that it has learnt from"


class Learnt:
    """Recordings of a study, known by the content of their files.

    Parameters
    ----------
    path
        The table; it is read when it is first asked for.
    """

    def __init__(self, path: Path):
        self._path = path

    def notes(self, recordings: Iterable[Recording], folds: Sequence[str]) -> list[str]:
        """Say so where a file has been in the training or dev partition of any of some folds."""
        files = [one.checksum[:DIGITS] for one in recordings if one.size]  # no values in memory
        known = any(fold in self._folds.get(checksum, ()) for checksum in files for fold in folds)
        return [NOTE] if known else []

    @cached_property
    def _folds(self) -> dict[str, set[str]]:
        """Folds in which a file is trained on or chosen by, by the beginning of its checksum."""
        found: dict[str, set[str]] = {}
        for row in read_table(self._path):
            learnt = {
                name.removeprefix("fold-")
                for name, partition in row.items()
                if name.startswith("fold-") and partition in ("train", "dev")
            }
            found.setdefault(row["sha256"], set()).update(learnt)
        return found


def identified(part: Recording, source: object) -> Recording:
    """A part of a recording with its file's checksum, if it lacks that: only the part was read."""
    if part.size or not isinstance(source, str | Path):
        return part
    return replace(part, checksum=file_digest(Path(source)), size=Path(source).stat().st_size)


def write_learnt(path: Path, layout: Layout, folds: Iterable[str]) -> None:
    """Write the table of a study's recordings.

    Parameters
    ----------
    path
        The table.
    layout
        Where the study's inventory and folds lie.
    folds
        Those that matter.
    """
    columns = [f"fold-{fold}" for fold in dict.fromkeys(folds)]
    partitions = {row["id"]: [row[c] for c in columns] for row in read_table(layout.folds)}
    rows = {
        (row["sha256"][:DIGITS], *partitions[row["id"]])
        for row in read_table(layout.inventory)
        if row["id"] in partitions
    }
    write_table(path, ["sha256", *columns], sorted(rows))
