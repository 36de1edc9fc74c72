"""What `check` has found in files before, so that it reads only what is new or has changed."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from deepself.dataset.readers import companions
from deepself.errors import UserError
from deepself.store.files import read_table, write_table
from deepself.study.dataset import AnyModality
from deepself.study.identity import VERSIONS, digest


class Checked(AbstractContextManager):
    """Facts of files by path, kept from one `check` to the next.

    A file whose size and time of change are the same, and which is read in the same way, is
    taken to be the same file. What is new is written even if the check ends in an error.

    Parameters
    ----------
    path
        Where they are kept.
    columns
        Names of the facts.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]):
        self._path = path
        self._columns = ("settings", "state", *columns)
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._changed = False
        try:
            rows = read_table(path)
        except UserError:  # none yet, or not whole: the files are read again
            rows = []
        if rows and set(rows[0]) == set(self._columns):
            self._rows = {(row["settings"], row["path"]): row for row in rows}

    def find(self, modality: AnyModality, path: Path) -> dict[str, Any] | None:
        """Facts of a file that has not changed since; None if it must be read."""
        row = self._rows.get((_settings(modality), str(path)))
        if row is None or state_of(path) != row["state"]:
            return None
        return {name: row[name] for name in self._columns[2:]}

    def add(self, modality: AnyModality, path: Path, facts: dict[str, Any], state: str) -> None:
        """Keep the facts of a file, with its state before it was read."""
        settings = _settings(modality)
        self._rows[settings, str(path)] = {"settings": settings, "state": state, **facts}
        self._changed = True

    def __exit__(self, *_: object) -> None:
        if self._changed:
            rows = ([row.get(name, "") for name in self._columns] for row in self._rows.values())
            write_table(self._path, self._columns, rows)


def _settings(modality: AnyModality) -> str:
    """Digest of all that shapes how a file is read."""
    chosen = modality.model_dump(mode="json", exclude={"column", "duration", "resampling"})
    chosen["version"] = VERSIONS["check"]
    return digest(chosen)[:12]


def state_of(path: Path) -> str:
    """Size and time of change of a file, and of those that belong to it."""
    try:
        states = [file.stat() for file in (path, *companions(path))]
    except OSError:
        return "missing"
    return " ".join(f"{state.st_size}:{state.st_mtime_ns}" for state in states)
