"""Which recordings a bundle has learnt from: of those, what it says proves nothing."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

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

    def knows(self, checksum: str, folds: Sequence[str]) -> bool:
        """Whether a file has been in the training or dev partition of any of some folds."""
        return any(fold in self._folds.get(checksum[:DIGITS], ()) for fold in folds)

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
