"""What a feature file holds, in words and as a page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.errors import UserError
from deepself.report.examples import (
    FeatureExamples,
    axis_names,
    cropped,
    examples_in,
    figures_of,
    joined_axis,
    time_axis,
)
from deepself.report.page import counted, size, write_page
from deepself.report.specification import kind_of, parts_of, specification_text
from deepself.store.features import FeatureFile
from deepself.study.explain import nearest

SHOWN = 3
"""Recordings drawn where none are named."""

SAMPLE_ROWS = 1000
SAMPLE_BYTES = 2**26
"""Rows that are looked at for the range of values, and bytes of them at most."""

BATCH_BYTES = 2**22

DATASETS = ("items", "ids", "checksums", "offsets")
ATTRIBUTES = ("specification", "versions")


@dataclass(frozen=True)
class Inspection:
    """What a feature file holds.

    Attributes
    ----------
    path
        The file.
    facts
        What is to be said of it, in order: a name and a text each.
    specification
        What made it, as indented text.
    versions
        Of the packages that made it.
    examples
        Items of a few recordings.
    """

    path: Path
    facts: dict[str, str]
    specification: str
    versions: dict[str, str]
    examples: FeatureExamples


def inspect_feature(path: Path, recordings: list[str] | None = None) -> Inspection:
    """Look into a feature file.

    Parameters
    ----------
    path
        The file.
    recordings
        Ids of those to draw; default: the first, the middle and the last.

    Raises
    ------
    UserError
        It is no whole feature file, or has no such recording.
    """
    _require_feature_file(path)
    with FeatureFile(path) as file:
        if not file.ids or not file.offsets[-1]:
            raise UserError(f"{path}: holds no recordings; delete it and run extract again")
        chosen = _chosen(file, path, recordings)
        return Inspection(
            path,
            _facts(file, path),
            specification_text(file.specification),
            dict(sorted(file.versions.items(), key=lambda pair: _rank(pair[0]))),
            examples_in(file, kind_of(file) or path.name, [(name, "") for name in chosen], 1),
        )


def write_inspection(found: Inspection, page: Path) -> Path:
    """Write what was found as one HTML page; return its path."""
    figures = figures_of([found.examples])
    return write_page(page, "inspect.html", found=found, figures=figures)


def page_of(path: Path, results: Path) -> Path:
    """Where the page about a file goes: for one of the results among them, else right here."""
    name = path.stem
    if path.parent.parent.name == "shards":  # it is named by its place only
        name = f"{path.parent.name}-{name}"
    inside = path.resolve().is_relative_to(results.resolve())
    return (results / "inspect" if inside else Path()) / f"{name}.html"


def _require_feature_file(path: Path) -> None:
    """Say what a file is that is no feature file: nobody should delete a file of another kind."""
    import h5py

    if path.is_dir():
        raise UserError(f"{path}: a folder; name one feature file, such as KIND-….h5 in it")
    if not path.is_file():
        raise UserError(f"{path}: no such file; feature files lie in results/features")
    if path.name.startswith(".") and path.name.endswith(".part"):
        raise UserError(f"{path}: interrupted, not whole yet; run extract again, it goes on there")
    if not h5py.is_hdf5(path):
        raise UserError(f"{path}: no HDF5 file; name a feature file, such as KIND-….h5")
    try:
        with h5py.File(path, "r", locking=False) as file:
            missing = [name for name in DATASETS if name not in file]
            missing += [name for name in ATTRIBUTES if name not in file.attrs]
            shards = json.loads(file.attrs.get("shards", "[]"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: damaged ({reason}); delete it and run extract again") from None
    if missing:
        raise UserError(
            f"{path}: HDF5, but no feature file of this version: lacks {', '.join(missing)}"
        )
    gone = [name for name in shards if not (path.parent / name).exists()]
    if gone:
        raise UserError(
            f"{path}: made of {counted(len(shards), 'shard')}, of which {', '.join(gone)} "
            f"{'is' if len(gone) == 1 else 'are'} missing; delete it and run extract again"
        )


def _chosen(file: FeatureFile, path: Path, wanted: list[str] | None) -> list[str]:
    if not wanted:
        places = np.linspace(0, len(file.ids) - 1, SHOWN).round().astype(int)
        return [file.ids[i] for i in np.unique(places)]
    known = set(file.ids)
    for name in wanted:
        if name not in known:
            hint = nearest(name, file.ids)
            raise UserError(f"--recordings: {path} has no recording {name!r}{hint}")
    return list(dict.fromkeys(wanted))


def _facts(file: FeatureFile, path: Path) -> dict[str, str]:
    names, axis = axis_names(file), time_axis(file)
    facts = {
        "kind": kind_of(file) or "unknown",
        "recordings": str(len(file.ids)),
        "rows": _rows(file),
        "shape": f"{' × '.join(map(str, file.shape))} ({' × '.join(names)})",
    }
    if parts_of(file):
        said = ", ".join(f"{part.size} of {part.label}" for part in parts_of(file))
        facts["joined"] = f"{names[joined_axis(file)]}: {said}"
    if axis is not None and file.frame_rate:
        # Frames of a spectrum overlap, and reach over its ends.
        about = "" if names[axis] == "samples" or len(file.shape) == 4 else "about "
        facts["lasts"] = f"{about}{file.shape[axis] / file.frame_rate:.4g} s"
    if file.frequencies is not None:
        low, high = file.frequencies[0], file.frequencies[-1]
        facts["frequencies"] = f"{low:.4g} to {high:.4g} Hz in {len(file.frequencies)} rows"
    if axis is not None and file.frame_rate:
        facts["rate"] = f"{file.frame_rate:.6g} {names[axis]} a second"
    if file.lengths is not None and axis is not None:
        low, middle, high = (f"{f(file.lengths):g}" for f in (np.min, np.median, np.max))
        facts["true lengths"] = (
            f"shortest {low}, median {middle}, longest {high} of {file.shape[axis]} {names[axis]}"
        )
    facts["values"] = _values(file, axis)
    facts["kept as"] = f"{file.dtype}, compression: {file.compression}"
    facts["size"] = _size(file, path)
    if file.shards:
        listed = ", ".join(str(shard) for shard in file.shards)
        facts["shards"] = f"{len(file.shards)}, all there: {listed}"
    else:
        facts["shards"] = "none, it is one file"
    return facts


def _rank(package: str) -> tuple[int, str]:
    """The order of packages: ourselves, Python, and the rest by name."""
    return {"deepself": 0, "python": 1}.get(package, 2), package.lower()


def _rows(file: FeatureFile) -> str:
    rows = int(file.offsets[-1])
    if file.starts is None:
        return f"{rows}, one a recording" if rows == len(file.ids) else str(rows)
    counts = np.diff(file.offsets)
    if counts.min() == counts.max():
        return f"{rows} windows, {counts[0]} a recording"
    return (
        f"{rows} windows: {counts.min()} to {counts.max()} a recording, "
        f"{rows / len(file.ids):.3g} on average"
    )


def _size(file: FeatureFile, path: Path) -> str:
    files = [path, *file.shards]
    on_disk = sum(one.stat().st_size for one in files)
    items = int(file.offsets[-1]) * int(np.prod(file.shape))
    whole = items * np.dtype(file.dtype).itemsize
    unpacked = f", {size(whole)} unpacked" if file.compression != "none" else ""
    return f"{size(on_disk)} on disk{unpacked}; {size(items * 4)} in memory, as float32"


def _values(file: FeatureFile, axis: int | None) -> str:
    """Range and mean over a sample of rows, without what fills them up."""
    rows = int(file.offsets[-1])
    each = 4 * int(np.prod(file.shape))
    many = max(1, min(rows, SAMPLE_ROWS, SAMPLE_BYTES // each))
    places = np.unique(np.linspace(0, rows - 1, many).round().astype(np.int64))
    low, high, total, number, bad = np.inf, -np.inf, 0.0, 0, 0
    for values in _items(file, places, axis, max(1, BATCH_BYTES // each)):
        finite = values[np.isfinite(values)]
        bad += values.size - finite.size
        number += finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            total += float(finite.sum(dtype=np.float64))
    where = "all rows" if many == rows else f"{len(places)} of {rows} rows, evenly spaced"
    if file.lengths is not None:
        where += ", up to their true lengths"
    said = f"{low:.4g} to {high:.4g}, mean {total / number:.4g}" if number else "none finite"
    broken = f"{bad} NaN or infinite" if bad else "no NaN"
    return f"{said}, {broken} (in {where})"


def _items(
    file: FeatureFile, rows: np.ndarray, axis: int | None, batch: int
) -> Iterator[np.ndarray]:
    for some in np.array_split(rows, -(-len(rows) // batch)):
        items = file.read_rows(some)
        if file.lengths is None:
            yield items
        else:
            for item, length in zip(items, file.lengths[some].tolist(), strict=True):
                yield cropped(item, axis, length)
