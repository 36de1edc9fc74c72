"""FER2013: faces of 48 x 48 pixels with seven expressions, as a table of pixels.

I. Goodfellow et al., "Challenges in Representation Learning", ICONIP 2013. The form read here is
that of its Kaggle page: `fer2013.csv` (or `icml_face_data.csv`, the same with other headings), as
it is or in an archive.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from deepself.dataset.importers.archive import open_archive, place
from deepself.dataset.importers.collection import Collection, Entry
from deepself.dataset.importers.delimited import open_text, read_rows
from deepself.errors import UserError

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Expressions, in the order of their numbers."""

USAGE = {"Training": "train", "PublicTest": "dev", "PrivateTest": "test"}
SIDE = 48
TABLES = ("fer2013.csv", "icml_face_data.csv")
PUBLISHED = {"train": 28709, "dev": 3589, "test": 3589}


def import_fer2013(source: Path, folder: Path, force: bool = False) -> Collection:
    """Write the table's faces as PNG pictures, row by row.

    Parameters
    ----------
    source
        The table, or an archive that holds it.
    folder
        Of the manifest. Pictures are written to `images/<partition>/<label>/` in it.
    force
        Whether files with another content are replaced.

    Raises
    ------
    UserError
        A column is missing, or a row holds something else than a face; the line names it.
    """
    entries = []
    with _lines(source) as (lines, where):
        rows = read_rows(lines, where, ("emotion", "pixels", "Usage"))
        for number, (line, row) in enumerate(rows, start=1):
            label, part = _label(row, f"{where}: row {line}"), row["Usage"]
            if part not in USAGE:
                known = ", ".join(USAGE)
                raise UserError(f"{where}: row {line}: Usage {part!r} is none of {known}")
            name = f"{number:05d}"
            path = f"images/{USAGE[part]}/{label}/{name}.png"
            place(_png(row["pixels"], f"{where}: row {line}"), folder / path, force)
            entries.append(Entry(name, path, label, {"partition": USAGE[part]}))
    if not entries:
        raise UserError(f"{where}: holds no rows")
    return Collection(
        about="FER2013 (Goodfellow et al. 2013): faces, seven expressions, official partitions.",
        modality="image",
        kind="image",
        entries=entries,
    )


def problems(collection: Collection) -> list[str]:
    """What differs from the published set: seven classes, and so many faces a partition."""
    counts = Counter(entry.extra["partition"] for entry in collection.entries)
    found = [
        f"partition {part} has {counts[part]} faces, {published} were published"
        for part, published in PUBLISHED.items()
        if counts[part] != published
    ]
    lacking = [label for label in LABELS if label not in collection.counts]
    return found + ([f"no faces are {', '.join(lacking)}"] if lacking else [])


@contextmanager
def _lines(source: Path) -> Iterator[tuple[Iterable[str], str]]:
    """The table's lines, and its name for messages."""
    if source.suffix.lower() == ".csv":
        with open_text(source) as lines:
            yield lines, str(source)
        return
    with open_archive(source) as archive:
        names = {PurePosixPath(name).name: name for name in archive.names}
        table = next((names[name] for name in TABLES if name in names), None)
        if table is None:
            raise UserError(f"{source}: holds no {' or '.join(TABLES)}")
        with (
            archive.open(table) as stream,
            io.TextIOWrapper(stream, "utf-8-sig", newline="") as text,
        ):
            yield text, f"{source}: {table}"


def _label(row: dict[str, str], where: str) -> str:
    known = {str(number): label for number, label in enumerate(LABELS)}
    if row["emotion"] not in known:
        raise UserError(f"{where}: emotion {row['emotion']!r} is no number from 0 to 6")
    return known[row["emotion"]]


def _png(pixels: str, where: str) -> bytes:
    from PIL import Image

    try:
        values = bytes(map(int, pixels.split()))
    except ValueError:
        raise UserError(f"{where}: pixels are not all whole numbers from 0 to 255") from None
    if len(values) != SIDE * SIDE:
        raise UserError(f"{where}: {len(values)} pixels, not {SIDE} x {SIDE}")
    file = io.BytesIO()
    Image.frombytes("L", (SIDE, SIDE), values).save(file, format="PNG")
    return file.getvalue()
