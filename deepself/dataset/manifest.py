"""The manifest: one row a recording, read and checked as a table."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from deepself.errors import UserError
from deepself.store.files import read_lines, read_table
from deepself.study.dataset import Dataset
from deepself.study.explain import nearest


@dataclass(frozen=True)
class Item:
    """One row of the manifest.

    Attributes
    ----------
    row
        Line in the file; the header is line 1.
    id, label, group
        Name, class, and group (empty without a group column).
    paths
        File of each modality.
    columns
        The row as it stands, for columns that a split names.
    """

    row: int
    id: str
    label: str
    group: str
    paths: dict[str, Path]
    columns: dict[str, str]


def data_root(dataset: Dataset) -> Path:
    """Find the data set's folder: as given, or below the folder that DEEPSELF_DATA names."""
    given = Path(dataset.root).expanduser()
    shared = os.environ.get("DEEPSELF_DATA")
    places = [given, *([Path(shared) / given] if shared else [])]
    for place in places:
        if (place / dataset.manifest).is_file():
            return place
    looked = " and ".join(dict.fromkeys(str(place / dataset.manifest) for place in places))
    hint = "" if shared else ", or DEEPSELF_DATA to the folder that holds it"
    raise UserError(
        f"no manifest (looked for {looked}): set dataset.root to the data set's folder{hint}"
    )


def read_manifest(dataset: Dataset) -> list[Item]:
    """Read the manifest of a data set.

    Raises
    ------
    UserError
        One line a problem: a column that is missing, a row without id, label or file, an id that
        stands twice, a label that is not among the declared classes or is merged in vain.
    """
    root = data_root(dataset)
    path = root / dataset.manifest
    rows = read_lines(path)
    if not rows:
        raise UserError(f"{path}: holds no rows")
    files = {name: m.column or name for name, m in dataset.modalities.items()}
    _require_columns(path, rows[0][1], dataset, files)
    problems: list[str] = []
    first_row: dict[str, int] = {}
    items = []
    for number, row in rows:
        where = f"{path}: row {number}"
        problems += _row_problems(where, row, dataset, files)
        name = row[dataset.id]
        if name in first_row:
            problems.append(
                f"{where}: id {name!r} stands in row {first_row[name]} too; make it unique"
            )
        first_row.setdefault(name, number)
        items.append(
            Item(
                row=number,
                id=name,
                label=dataset.class_of(row[dataset.label] or ""),
                group=row[dataset.group] if dataset.group else "",
                paths={m: root / (row[column] or "") for m, column in files.items()},
                columns=row,
            )
        )
    problems += _merged_in_vain(path, dataset, {row[dataset.label] or "" for _, row in rows})
    if problems:
        raise UserError("\n".join(problems))
    return items


def classes_of(dataset: Dataset, items: list[Item]) -> list[str]:
    """The declared classes, or all labels: numbers by value, then text by name."""
    if dataset.classes is not None:
        return dataset.classes
    labels = {item.label for item in items}
    return sorted(labels, key=lambda x: (0, float(x), x) if is_number(x) else (1, 0.0, x))


def recordings_digest(checksums: list[tuple[str, str]]) -> str:
    """Digest of one modality's recordings: their ids and checksums, in the manifest's order."""
    digest = hashlib.sha256()
    for name, checksum in checksums:
        digest.update(f"{name}\t{checksum}\n".encode())
    return digest.hexdigest()


def manifest_digest(dataset: Dataset) -> str:
    """SHA-256 of the manifest, in hexadecimal."""
    return hashlib.sha256((data_root(dataset) / dataset.manifest).read_bytes()).hexdigest()


def fingerprint(dataset: Dataset) -> str:
    """The manifest, and sizes and times of all recordings, as a digest: cheap, so taken each time.

    A file that is missing counts as such; `check` says so in words.
    """
    try:
        root = data_root(dataset)
        rows = read_table(root / dataset.manifest)
    except UserError:
        return "no manifest yet"
    digest = hashlib.sha256((root / dataset.manifest).read_bytes())
    for name, modality in dataset.modalities.items():
        for row in rows:
            path = root / (row.get(modality.column or name) or "")
            for file in (path, *_companions(path)):
                try:
                    state = file.stat()
                    digest.update(f"{file}\t{state.st_size}\t{state.st_mtime_ns}\n".encode())
                except OSError:
                    digest.update(f"{file}\tmissing\n".encode())
    return digest.hexdigest()[:16]


def _companions(path: Path) -> list[Path]:
    if path.suffix.lower() != ".hea":
        return []
    # Not above: the readers bring NumPy, and this is asked at each parse of the workflow.
    from deepself.dataset.readers import companions

    return companions(path)


def _require_columns(
    path: Path, row: dict[str, str], dataset: Dataset, files: dict[str, str]
) -> None:
    wanted = {"dataset.id": dataset.id, "dataset.label": dataset.label}
    if dataset.group:
        wanted["dataset.group"] = dataset.group
    wanted |= {f"dataset.modalities.{name}.column": column for name, column in files.items()}
    present = [column for column in row if column]
    problems = [
        f"{path}: no column {column!r} (has {', '.join(present)}); set {key}"
        for key, column in wanted.items()
        if column not in present
    ]
    if problems:
        raise UserError("\n".join(problems))


def _row_problems(
    where: str, row: dict[str, str], dataset: Dataset, files: dict[str, str]
) -> list[str]:
    needed = [dataset.id, dataset.label, *files.values()]
    if dataset.group:
        needed.append(dataset.group)
    problems = [f"{where}: {column} is empty" for column in needed if not row.get(column)]
    problems += [
        f"{where}: {column} begins or ends with a space: {row[column]!r}"
        for column in needed
        if row.get(column) and row[column] != row[column].strip()
    ]
    label = dataset.class_of(row.get(dataset.label) or "")
    if label and dataset.classes is not None and label not in dataset.classes:
        known = ", ".join(dataset.classes)
        problems.append(f"{where}: label {label!r} is none of dataset.classes ({known})")
    return problems


def _merged_in_vain(path: Path, dataset: Dataset, labels: set[str]) -> list[str]:
    """Labels that a class takes in, of which there are none: written wrongly, it would stay out."""
    return [
        f"{path}: no row has the label {label!r}{nearest(label, sorted(labels))}; "
        f"see dataset.merge.{name}"
        for name, own in dataset.merge.items()
        for label in own
        if label not in labels
    ]


def is_number(text: str) -> bool:
    """Whether a text is a number, not NaN."""
    try:
        return float(text) == float(text)
    except ValueError:
        return False
