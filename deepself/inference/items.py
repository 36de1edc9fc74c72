"""Which recordings are to be predicted: files, all files of a folder, or the rows of a manifest."""

import csv
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from deepself.dataset.manifest import is_number
from deepself.dataset.suffixes import SUFFIXES, records
from deepself.errors import UserError
from deepself.store.files import read_table
from deepself.study.dataset import AnyModality, SensorModality

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Item:
    """One recording to be predicted.

    Attributes
    ----------
    name
        What the table calls it: its path, or its id in the manifest.
    paths
        Its file, by modality.
    label
        Its class, if the manifest says one.
    """

    name: str
    paths: dict[str, Path]
    label: str | None = None


def find_items(
    given: Sequence[Path],
    modalities: Mapping[str, AnyModality],
    merge: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Item]:
    """The recordings that some paths stand for.

    Parameters
    ----------
    given
        Files; folders, of which all files of the modality's kind count, wherever in them; or one
        manifest: a CSV table with a column a modality, and perhaps `id` and `label`.
    modalities
        That the model reads.
    merge
        Labels of a manifest that are one class, by its name.

    Raises
    ------
    UserError
        There is no such file, no recording in a folder, or the model needs a manifest.
    """
    for path in given:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    if len(given) == 1:
        table = given[0]
        if table.is_dir() and len(modalities) > 1:
            table = table / MANIFEST
        if table.is_file() and is_manifest(table, modalities):
            class_of = {label: name for name, labels in merge.items() for label in labels}
            return _rows(table, modalities, class_of)
    for path in given if len(given) > 1 else ():
        if path.is_file() and is_manifest(path, modalities):
            raise UserError(f"{path}: a manifest is given alone, without other recordings")
    if len(modalities) > 1:
        columns = ", ".join(m.column or name for name, m in modalities.items())
        raise UserError(
            f"the model reads {len(modalities)} modalities: give a manifest, a CSV table with the "
            f"columns {columns}, and perhaps id and label"
        )
    ((name, modality),) = modalities.items()
    return [Item(str(path), {name: path}) for path in _files(given, modality)]


def is_manifest(path: Path, modalities: Mapping[str, AnyModality]) -> bool:
    """Whether a file is a table that names files, rather than a recording of a sensor."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return False
    if not any(isinstance(m, SensorModality) for m in modalities.values()):
        return True  # sound and pictures are not kept in tables
    head = first_rows(path)
    if path.name == MANIFEST:
        return bool(head)
    columns = [m.column or name for name, m in modalities.items()]
    if not head or not set(columns) <= set(head[0]):
        return False
    named = dict(zip(head[0], head[1], strict=False)) if len(head) > 1 else {}
    return not any(is_number(named.get(column, "")) for column in columns)  # those are samples


def first_rows(path: Path) -> list[list[str]]:
    """The header of a table and its first row; fewer of what is shorter, or is no table."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [line for line in (file.readline(2**16), file.readline(2**16)) if line]
            return list(csv.reader(lines))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _rows(
    path: Path, modalities: Mapping[str, AnyModality], class_of: Mapping[str, str]
) -> list[Item]:
    rows = read_table(path)
    if not rows:
        raise UserError(f"{path}: holds no rows")
    columns = {name: m.column or name for name, m in modalities.items()}
    lacking = [column for column in columns.values() if column not in rows[0]]
    if lacking:
        has = ", ".join(name for name in rows[0] if name)
        raise UserError(f"{path}: no column {lacking[0]!r} (has {has})")
    items = []
    for number, row in enumerate(rows, 2):
        empty = [column for column in columns.values() if not row[column]]
        if empty:
            raise UserError(f"{path}: row {number}: {empty[0]} is empty")
        paths = {name: path.parent / row[column] for name, column in columns.items()}
        first = next(iter(columns.values()))
        label = row.get("label") or None
        items.append(Item(row.get("id") or row[first], paths, label and class_of.get(label, label)))
    return items


def _files(given: Sequence[Path], modality: AnyModality) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = list(_inside(path, SUFFIXES[modality.kind]))
        if not found:
            known = ", ".join(sorted(SUFFIXES[modality.kind]))
            raise UserError(f"{path}: holds no recordings of kind {modality.kind} ({known})")
        yield from found


def _inside(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Recordings of a folder and those in it, in the order of their names; no hidden ones."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen = (n for n in sorted(names) if not n.startswith(".") and n != MANIFEST)
        for name in records(n for n in seen if Path(n).suffix.lower() in suffixes):
            yield Path(root) / name
