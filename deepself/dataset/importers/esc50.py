"""ESC-50 and its part ESC-10: environmental sounds of 5 s in five given folds.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015. The form
read here is that of the authors' repository: `meta/esc50.csv`, and `audio/` with WAV files.
"""

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from deepself.dataset.importers.archive import Archive, open_archive
from deepself.dataset.importers.collection import Collection, Entry, relative
from deepself.dataset.importers.delimited import Row, open_text, read_rows
from deepself.errors import UserError

TABLE = "meta/esc50.csv"
COLUMNS = ("filename", "fold", "category", "esc10", "src_file")


def import_esc50(
    source: Path, folder: Path, esc10: bool = False, force: bool = False
) -> Collection:
    """Read ESC-50 from its archive, or from the folder that this was unpacked to.

    Parameters
    ----------
    source
        The archive, or the folder.
    folder
        Of the manifest. Sounds from an archive are written to `audio/` in it.
    esc10
        Whether to take only the ten classes of ESC-10.
    force
        Whether files with another content are replaced.

    Raises
    ------
    UserError
        The table is missing or lacks a column, a sound is missing, or the archive is damaged.
    """
    if source.is_dir():
        rows, paths = _from_folder(source, folder, esc10)
    else:
        with open_archive(source) as archive:
            rows, paths = _from_archive(archive, folder, esc10, force)
    entries = [
        Entry(
            PurePosixPath(row["filename"]).stem,
            path,
            row["category"],
            {"fold": row["fold"], "group": row["src_file"]},
        )
        for (_, row), path in zip(rows, paths, strict=True)
    ]
    part = "ESC-10, ten classes of ESC-50" if esc10 else "ESC-50"
    return Collection(
        about=f"{part}: environmental sounds in five given folds (Piczak 2015, CC BY-NC).",
        modality="audio",
        kind="audio",
        entries=entries,
    )


def problems(collection: Collection, esc10: bool) -> list[str]:
    """What differs from the published set: 40 sounds of each class, 8 of them in each fold."""
    classes = 10 if esc10 else 50
    found = []
    if len(collection.entries) != 40 * classes:
        found.append(f"{len(collection.entries)} sounds, {40 * classes} were published")
    if set(collection.counts.values()) != {40} or len(collection.counts) != classes:
        found.append(f"{len(collection.counts)} classes, not {classes} of 40 sounds each")
    folds = Counter(entry.extra["fold"] for entry in collection.entries)
    if folds != {str(fold): 8 * classes for fold in range(1, 6)}:
        found.append(f"folds are not five of {8 * classes} sounds")
    return found


def _from_folder(source: Path, folder: Path, esc10: bool) -> tuple[list[Row], list[str]]:
    tables = [source / TABLE, *sorted(source.glob(f"*/{TABLE}"))]
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise UserError(f"{source}: holds no {TABLE}; give ESC-50's archive or its folder")
    with open_text(table) as lines:
        rows = _rows(read_rows(lines, str(table), COLUMNS), str(table), esc10)
    sounds = table.parents[1] / "audio"
    lacking = [row for row in rows if not (sounds / row[1]["filename"]).is_file()]
    _refuse_lacking(str(table), lacking, str(sounds))
    return rows, [relative(sounds / row["filename"], folder) for _, row in rows]


def _from_archive(
    archive: Archive, folder: Path, esc10: bool, force: bool
) -> tuple[list[Row], list[str]]:
    table = next((name for name in archive.names if f"/{name}".endswith(f"/{TABLE}")), None)
    if table is None:
        raise UserError(f"{archive.path}: holds no {TABLE}; give ESC-50's archive")
    where = f"{archive.path}: {table}"
    with archive.open(table) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        rows = _rows(read_rows(text, where, COLUMNS), where, esc10)
    sounds = PurePosixPath(table).parents[1] / "audio"
    there = set(archive.names)
    lacking = [row for row in rows if str(sounds / row[1]["filename"]) not in there]
    _refuse_lacking(where, lacking, f"{sounds} in the archive")
    for _, row in rows:
        name = row["filename"]
        archive.extract(str(sounds / name), folder / "audio" / name, force)
    return rows, [f"audio/{row['filename']}" for _, row in rows]


def _rows(rows: Iterable[Row], where: str, esc10: bool) -> list[Row]:
    kept: list[Row] = []
    for line, row in rows:
        if "/" in row["filename"] or row["filename"] in ("", ".", ".."):
            raise UserError(f"{where}: row {line}: filename {row['filename']!r} is no file's name")
        if not esc10 or row["esc10"].lower() == "true":
            kept.append((line, row))
    if not kept:
        raise UserError(f"{where}: holds no rows{' with esc10 True' if esc10 else ''}")
    return kept


def _refuse_lacking(where: str, lacking: list[Row], place: str) -> None:
    if lacking:
        shown = ", ".join(f"{row['filename']} (row {line})" for line, row in lacking[:3])
        raise UserError(f"{where}: {len(lacking)} files are not in {place}: {shown}")
