"""Any table with a column of file names and one of labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepself.dataset.importers.collection import (
    PARTITIONS,
    Collection,
    Entry,
    relative,
    settle_partitions,
    unique_ids,
)
from deepself.dataset.importers.delimited import Row, open_text, read_rows
from deepself.dataset.importers.folders import needed_rate
from deepself.dataset.suffixes import SUFFIXES, kind_of
from deepself.errors import UserError

SHOWN = 5


@dataclass(frozen=True)
class Columns:
    """The table's columns by what they mean; None where it has none."""

    path: str
    label: str
    id: str | None = None
    fold: str | None = None
    group: str | None = None
    partition: str | None = None

    @property
    def extra(self) -> dict[str, str]:
        """Those beside id, file and label, by their name in the manifest."""
        named = {"fold": self.fold, "group": self.group, "partition": self.partition}
        return {name: column for name, column in named.items() if column}


def import_table(
    source: Path,
    folder: Path,
    columns: Columns,
    root: Path,
    suffix: str = "",
    modality: str | None = None,
    sample_rate: float | None = None,
) -> Collection:
    """Read a table that names files and labels.

    Parameters
    ----------
    source
        The table, separated by comma, semicolon or tab.
    folder
        Of the manifest: paths in it are relative to it.
    columns
        Which column means what.
    root
        Folder of the files that the table names.
    suffix
        To put after each name, such as `.jpg`.
    modality
        Kind of the files; default: by suffix.
    sample_rate
        In Hz, of sensor files.

    Raises
    ------
    UserError
        A column or a file is missing, a cell is empty, two rows have one id, or a partition's
        name is unknown.
    """
    if (folder / "manifest.csv").resolve() == source.resolve():
        raise UserError(f"{source}: is itself where the manifest goes; give --to another folder")
    wanted = [columns.path, columns.label, *filter(None, [columns.id]), *columns.extra.values()]
    with open_text(source) as lines:
        rows = list(read_rows(lines, str(source), wanted))
    if not rows:
        raise UserError(f"{source}: holds no rows")
    _report(source, "{} cells are empty", [_at(r, c) for r in rows for c in wanted if not r[1][c]])
    files = [root / f"{row[columns.path]}{suffix}" for _, row in rows]
    lacking = [
        f"{file} (row {line})"
        for file, (line, _) in zip(files, rows, strict=True)
        if not file.is_file()
    ]
    _report(source, "{} files are missing; --root and --suffix say where they are", lacking)
    kind = modality or _one_kind(source, files)
    names = [row[columns.id] for _, row in rows] if columns.id else None
    paths = [relative(file, folder) for file in files]
    _report(source, "{} rows stand there twice", _twins(rows, names or paths))
    names = names or unique_ids([relative(file, root) for file in files])
    entries = [
        Entry(name, path, row[columns.label], _extra(columns, row, f"{source}: row {line}"))
        for name, path, (line, row) in zip(names, paths, rows, strict=True)
    ]
    collection = Collection(
        about=f"Made by `deepself import table` from {source.name}.",
        modality=kind,
        kind=kind,
        entries=entries,
        sample_rate=needed_rate(kind, paths, sample_rate),
    )
    if columns.partition and not columns.fold:
        settle_partitions(collection, source)
    return collection


def _extra(columns: Columns, row: dict[str, str], where: str) -> dict[str, str]:
    extra = {name: row[column] for name, column in columns.extra.items()}
    if "partition" in extra:
        found = PARTITIONS.get(extra["partition"].lower())
        if found is None:
            known = ", ".join(PARTITIONS)
            raise UserError(
                f"{where}: {columns.partition} {extra['partition']!r} is none of {known}"
            )
        extra["partition"] = found
    if "fold" in extra and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", extra["fold"]):
        raise UserError(
            f"{where}: {columns.fold} is {extra['fold']!r}; name folds by letters, digits, _, . "
            "and -"
        )
    return extra


def _one_kind(source: Path, files: Sequence[Path]) -> str:
    kinds = {kind_of(file): file for file in files}
    if None in kinds:
        known = ", ".join(sorted(suffix for found in SUFFIXES.values() for suffix in found))
        raise UserError(
            f"{source}: {kinds[None].name} has no known suffix ({known}); give --suffix or "
            "--modality"
        )
    if len(kinds) > 1:
        named = " and ".join(f"{kind} ({file.name})" for kind, file in kinds.items())
        raise UserError(f"{source}: names files of several kinds, {named}; give --modality")
    return str(next(iter(kinds)))


def _twins(rows: list[Row], names: list[str]) -> list[str]:
    first: dict[str, int] = {}
    twins = []
    for (line, _), name in zip(rows, names, strict=True):
        if name in first:
            twins.append(f"{name} (rows {first[name]} and {line})")
        first.setdefault(name, line)
    return twins


def _at(row: Row, column: str) -> str:
    return f"{column} (row {row[0]})"


def _report(source: Path, what: str, found: list[str]) -> None:
    """Raise one line that names the first of what was found, if anything was."""
    if found:
        more = ", …" if len(found) > SHOWN else ""
        raise UserError(f"{source}: {what.format(len(found))}: {', '.join(found[:SHOWN])}{more}")
