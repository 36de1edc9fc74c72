"""Small files, written whole or not at all."""

import csv
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deepself.errors import UserError

MADE_BY = {
    "inventory.csv": "check",
    "skipped.csv": "check",
    "folds.csv": "split",
    "dataset.json": "split",
    "run.json": "train",
    "history.csv": "train",
    "fusion.json": "fuse",
    "scores.csv": "score",
    "summary.csv": "score",
    "confusion.csv": "score",
    "class_scores.csv": "score",
    "class_summary.csv": "score",
    "comparisons.csv": "score",
    "reliability.csv": "score",
}
"""The verb that makes each file."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error.

    A reader, or a run after a crash, sees the old file or the new one, never half of one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # a full disk names no file, a folder without access the temporary one
        if error.filename is None or error.filename == str(temporary):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name when the block ends without an error.

    An earlier folder of that name is replaced.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        if folder.exists():
            old = temporary.with_name(f"{temporary.name}.old")
            os.rename(folder, old)
            os.rename(temporary, folder)
            shutil.rmtree(old)
        else:
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class TakenOverError(UserError):
    """Another job has claimed the folder that this one was to write to."""


class Claim:
    """A claim to a folder: whoever claims it last may write to it.

    A job whose workflow was killed may live on and end after the job that was started in its
    place, perhaps for another study; its results must not replace the newer ones.
    """

    def __init__(self, folder: Path):
        self._file = folder / ".claim"
        self._token = uuid.uuid4().hex
        write_text(self._file, self._token)

    def verify(self) -> None:
        """Raise TakenOverError if another job has claimed the folder since."""
        if not self._file.exists() or self._file.read_text() != self._token:
            raise TakenOverError(f"{self._file.parent}: another job took over; nothing written")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_remedy(path)}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from None


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV table atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV table; every value is text."""
    return [row for _, row in read_lines(path)]


def read_lines(path: str | Path) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV table with the line on which each row ends; the header is line 1."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            for name in names:
                if list(names).count(name) > 1:
                    raise UserError(f"{path}: column {name!r} stands there twice; rename one")
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_remedy(path)}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV table in UTF-8 ({error})") from None
    for line, row in rows:
        if None in row or None in row.values():
            fields = sum(value is not None for name, value in row.items() if name is not None)
            fields += len(row.get(None, []))
            raise UserError(f"{path}: row {line} has {fields} fields, the header {len(names)}")
    return rows


def _remedy(path: str | Path) -> str:
    verb = MADE_BY.get(Path(path).name)
    return f"run {verb}" if verb else "check the path"


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal content is equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
