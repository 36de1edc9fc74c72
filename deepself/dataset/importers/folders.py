"""A folder a class: `dog/1.wav`, `rain/2.wav`; or below `train/` and `test/`."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from deepself.dataset.importers.collection import (
    PARTITIONS,
    SAY_THEIR_RATE,
    Collection,
    Entry,
    relative,
    settle_partitions,
    unique_ids,
)
from deepself.dataset.suffixes import SUFFIXES, kind_of, records
from deepself.errors import UserError


def import_folders(
    source: Path, folder: Path, modality: str | None = None, sample_rate: float | None = None
) -> Collection:
    """Take each folder of `source` as a class, with all recordings below it.

    Where all folders are called train, dev, test or the like, the classes are the folders in them.

    Parameters
    ----------
    source
        Holds the folders.
    folder
        Of the manifest: paths are relative to it.
    modality
        Kind of the files; default: what most of them are, by suffix.
    sample_rate
        In Hz, of sensor files.

    Raises
    ------
    UserError
        There are no recordings, or as many of one kind as of another.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    files = sorted(_files(source))
    if not files:
        raise UserError(f"{source}: no files in folders; expected a folder a class")
    kind = modality or _usual_kind(source, files)
    known = SUFFIXES[kind]
    chosen = [file for file in files if Path(file).suffix.lower() in known]
    chosen = records(chosen)
    if not chosen:
        raise UserError(f"{source}: no {kind} files ({', '.join(sorted(known))})")
    left = [file for file in files if Path(file).suffix.lower() not in known]
    extra, labels = _classes(source, chosen)
    paths = [relative(source / file, folder) for file in chosen]
    entries = [
        Entry(name, path, label, columns)
        for name, path, label, columns in zip(unique_ids(chosen), paths, labels, extra, strict=True)
    ]
    collection = Collection(
        about=f"Made by `deepself import folders` from {source.name}: a folder a class.",
        modality=kind,
        kind=kind,
        entries=entries,
        sample_rate=needed_rate(kind, chosen, sample_rate),
        notes=_left_out(left, kind),
    )
    if "partition" in collection.extra:
        settle_partitions(collection, source)
    return collection


def needed_rate(kind: str, files: Iterable[str], sample_rate: float | None) -> float | None:
    """The sampling rate, which most sensor files need and others say themselves."""
    if kind == "sensor" and sample_rate is None:
        silent = [file for file in files if Path(file).suffix.lower() not in SAY_THEIR_RATE]
        if silent:
            raise UserError(f"{silent[0]} does not say how fast it was sampled: give --sample-rate")
    if sample_rate is not None and not 0 < sample_rate < float("inf"):
        raise UserError(f"--sample-rate {sample_rate:g}: must be above 0, in Hz")
    return sample_rate


def _files(source: Path) -> Iterator[str]:
    """Files in folders of `source`, with `/`; hidden ones and what a Mac adds are passed over."""
    for place, folders, names in os.walk(source):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__MACOSX"]
        below = Path(place).relative_to(source)
        if below.parts:
            yield from ((below / name).as_posix() for name in names if not name.startswith("."))


def _usual_kind(source: Path, files: list[str]) -> str:
    kinds = Counter(kind for file in files if (kind := kind_of(file))).most_common(2)
    if not kinds:
        shown = ", ".join(files[:3])
        raise UserError(f"{source}: holds no recordings by their suffix, only {shown} and the like")
    if len(kinds) == 2 and kinds[0][1] == kinds[1][1]:
        raise UserError(
            f"{source}: holds as many {kinds[0][0]} as {kinds[1][0]} files; give --modality"
        )
    return kinds[0][0]


def _classes(source: Path, files: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Partition and class of each file, by its folders."""
    tops = {file.split("/")[0] for file in files}
    if len(tops) < 2 or not all(top.lower() in PARTITIONS for top in tops):
        return [{} for _ in files], [file.split("/")[0].strip() for file in files]
    loose = [file for file in files if file.count("/") < 2]
    if loose:
        raise UserError(
            f"{source}: {loose[0]} lies in a partition, but in no class; expected "
            f"{loose[0].split('/')[0]}/CLASS/{Path(loose[0]).name}"
        )
    extra = [{"partition": PARTITIONS[file.split("/")[0].lower()]} for file in files]
    return extra, [file.split("/")[1].strip() for file in files]


def _left_out(files: list[str], kind: str) -> list[str]:
    if not files:
        return []
    by_suffix: dict[str, int] = defaultdict(int)
    for file in files:
        by_suffix[Path(file).suffix.lower() or "no suffix"] += 1
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(by_suffix.items()))
    shown = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")
    return [f"left out, as they are not {kind} files: {counts} ({shown})"]
