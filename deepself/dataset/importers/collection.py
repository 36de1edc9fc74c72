"""What an importer finds: recordings with labels, and how they may be split."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from deepself.errors import UserError

SAY_THEIR_RATE = {".edf", ".bdf", ".hea"}
"""Sensor formats that hold their sampling rate."""

PARTITIONS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What others call the partitions."""


@dataclass(frozen=True)
class Entry:
    """One row of the manifest to be: `extra` holds fold, group, partition and the like."""

    id: str
    path: str
    label: str
    extra: dict[str, str] = field(default_factory=dict)


@dataclass
class Collection:
    """A data set, ready to be written.

    Attributes
    ----------
    about
        What it is, in a line or two, for the head of the study.
    modality, kind
        Name of the modality, and what its files are: audio, image, sensor or video.
    entries
        The rows; paths are relative to the folder of the manifest.
    sample_rate
        In Hz; None where the files themselves say.
    notes
        Lines for the user.
    """

    about: str
    modality: str
    kind: str
    entries: list[Entry]
    sample_rate: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def extra(self) -> list[str]:
        """Columns beside id, file and label."""
        return list(self.entries[0].extra)

    @property
    def counts(self) -> dict[str, int]:
        """Items of each class, by name."""
        return dict(sorted(Counter(entry.label for entry in self.entries).items()))


def relative(path: Path, folder: Path) -> str:
    """A file's path from the manifest's folder, with `/`; it must be UTF-8, as the manifest is."""
    if path.is_relative_to(folder) and ".." not in path.parts:
        found = path.relative_to(folder).as_posix()
    else:  # `..` leads out of where a link points to
        found = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    try:
        found.encode()
    except UnicodeEncodeError:
        shown = found.encode(errors="backslashreplace").decode()
        raise UserError(f"{shown}: its name is not UTF-8; rename it") from None
    return found


def unique_ids(paths: Iterable[str]) -> list[str]:
    """A name for each file: its stem, or its path with `-` for `/` where stems are equal."""
    files = [PurePosixPath(path) for path in paths]
    names = [file.stem.strip() for file in files]
    for finer in (lambda file: file.with_suffix(""), lambda file: file):
        count = Counter(names)
        names = [
            str(finer(file)).replace("/", "-").strip() if count[name] > 1 else name
            for name, file in zip(names, files, strict=True)
        ]
    _refuse_twins(names, [str(file) for file in files])
    return names


def _refuse_twins(names: list[str], files: list[str]) -> None:
    first: dict[str, str] = {}
    for name, file in zip(names, files, strict=True):
        if name in first:
            raise UserError(f"{first[name]} and {file} would both be called {name!r}; rename one")
        first[name] = file


def draw_dev(entries: list[Entry]) -> list[Entry]:
    """Make every fifth item (or group) of a class in train one of dev, where there is no dev."""
    units: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in entries:
        if entry.extra["partition"] == "train":
            units[entry.label][_unit(entry)] = None
    chosen = {
        unit for found in units.values() for unit in (list(found)[4::5] or list(found)[1:][-1:])
    }
    return [
        Entry(e.id, e.path, e.label, {**e.extra, "partition": "dev"})
        if e.extra["partition"] == "train" and _unit(e) in chosen
        else e
        for e in entries
    ]


def _unit(entry: Entry) -> str:
    return entry.extra.get("group", entry.id)


def settle_partitions(collection: Collection, source: Path) -> None:
    """Complete partitions that lack dev; refuse those that lack train or test."""
    found = {entry.extra["partition"] for entry in collection.entries}
    missing = [part for part in ("train", "test") if part not in found]
    if missing:
        raise UserError(
            f"{source}: nothing is in partition {' or '.join(missing)}; a study needs train and "
            "test (dev is drawn from train where there is none)"
        )
    if "dev" not in found:
        collection.entries = draw_dev(collection.entries)
        drawn = sum(entry.extra["partition"] == "dev" for entry in collection.entries)
        collection.notes.append(
            f"no dev partition: {drawn} items of train, every fifth of a class, became dev"
        )
