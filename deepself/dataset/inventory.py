"""`check`: every recording is read once, before anything is computed from it."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from deepself.dataset.manifest import Item, read_manifest
from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import read_recording
from deepself.errors import UserError
from deepself.store.files import write_table
from deepself.study.dataset import AnyModality, Dataset

COLUMNS = (
    "id",
    "modality",
    "path",
    "bytes",
    "sha256",
    "duration",
    "sample_rate",
    "channels",
    "samples",
    "height",
    "width",
)
"""Columns of the inventory; those that a modality does not have stay empty."""


class _Task(NamedTuple):
    item: Item
    name: str
    modality: AnyModality


class _Found(NamedTuple):
    """What one file turned out to be, or what is wrong with it."""

    task: _Task
    row: dict[str, Any]
    problem: str


def take_inventory(dataset: Dataset, path: Path, workers: int) -> int:
    """Read every recording once and write the inventory.

    Parameters
    ----------
    dataset
        The data set.
    path
        The inventory to write.
    workers
        Processes that read in parallel.

    Returns
    -------
    int
        Number of files read.

    Raises
    ------
    UserError
        One line a problem, with the manifest's row; nothing is written then.
    """
    items = read_manifest(dataset)
    tasks = [_Task(i, name, m) for name, m in dataset.modalities.items() for i in items]
    found = list(_inspect_all(tasks, workers))
    problems = [f.problem for f in found if f.problem]
    for name, modality in dataset.modalities.items():
        problems += _differences(modality, [f for f in found if f.task.name == name and f.row])
    if problems:
        bad = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {len(tasks)} recordings"
        raise UserError("\n".join([*problems, f"{bad}; mend or remove the rows named above"]))
    write_table(path, COLUMNS, ([f.row.get(c, "") for c in COLUMNS] for f in found))
    return len(found)


def _inspect_all(tasks: list[_Task], workers: int) -> Iterator[_Found]:
    # Forked workers start in milliseconds; nothing here has started a thread before.
    pool = ProcessPoolExecutor(workers, get_context("fork"), _end_with_parent, (os.getpid(),))
    with pool:
        results = pool.map(_inspect, tasks, chunksize=16)
        yield from tqdm(
            results, total=len(tasks), desc="check", unit="file", disable=not sys.stderr.isatty()
        )


def _end_with_parent(parent: int) -> None:
    """Let a worker end when its parent was killed and could not say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _inspect(task: _Task) -> _Found:
    path = task.item.paths[task.name]
    try:
        recording = read_recording(task.modality, path)
    except ReadError as error:
        return _Found(task, {}, f"{_where(task)} {error}")
    row: dict[str, Any] = {
        "id": task.item.id,
        "modality": task.name,
        "path": str(path),
        "bytes": recording.size,
        "sha256": recording.checksum,
        "channels": recording.values.shape[0],
    }
    if recording.sample_rate is None:
        row["height"], row["width"] = recording.values.shape[1:]
        return _Found(task, row, "")
    row["sample_rate"] = recording.sample_rate
    row["samples"] = recording.values.shape[1]
    row["duration"] = round(row["samples"] / recording.sample_rate, 6)
    return _Found(task, row, _duration_problem(task, row))


def _duration_problem(task: _Task, row: dict[str, Any]) -> str:
    wanted = getattr(task.modality, "duration", None)
    if wanted is None:
        return ""
    # A rate that is no whole number of samples a duration leaves half a sample either way.
    slack = 1 / row["sample_rate"]
    for key, off in (
        ("longer", row["duration"] - wanted.seconds),
        ("shorter", wanted.seconds - row["duration"]),
    ):
        if getattr(wanted, key) == "error" and off > slack:
            return (
                f"{_where(task)} lasts {row['duration']:g} s, {key} than the {wanted.seconds:g} s "
                f"of dataset.modalities.{task.name}.duration"
            )
    return ""


def _differences(modality: AnyModality, found: list[_Found]) -> Iterator[str]:
    """Name the recordings that differ where all must be alike."""
    if modality.kind == "image":
        return
    if modality.kind == "sensor" or modality.channels == "keep":
        yield from _odd_ones_out(found, "channels", "channels")
    if modality.duration is None:
        by_length = sorted(found, key=lambda f: f.row["duration"])
        if by_length and by_length[0].row["duration"] < by_length[-1].row["duration"]:
            short, long = by_length[0], by_length[-1]
            name = short.task.name
            yield (
                f"{name}: recordings last {short.row['duration']:g} s (row {short.task.item.row}) "
                f"to {long.row['duration']:g} s (row {long.task.item.row}); "
                f"set dataset.modalities.{name}.duration"
            )


def _odd_ones_out(found: list[_Found], column: str, unit: str) -> Iterator[str]:
    if not found:
        return
    usual = Counter(f.row[column] for f in found).most_common(1)[0][0]
    for f in found:
        if f.row[column] != usual:
            yield f"{_where(f.task)} has {f.row[column]} {unit}, most have {usual}"


def _where(task: _Task) -> str:
    return f"row {task.item.row} ({task.item.id}): {task.item.paths[task.name]}:"
