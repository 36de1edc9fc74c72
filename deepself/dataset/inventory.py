"""`check`: every recording is read once, before anything is computed from it."""

import os
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deepself.dataset.checked import Checked, state_of
from deepself.dataset.manifest import Item, read_manifest
from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import read_recording
from deepself.errors import UserError
from deepself.store.files import write_table
from deepself.study.dataset import AnyModality
from deepself.study.layout import Layout
from deepself.study.limits import least_seconds, needs_one_length
from deepself.study.schema import Study

FACTS = (
    "path",
    "bytes",
    "sha256",
    "duration",
    "sample_rate",
    "channels",
    "names",
    "samples",
    "height",
    "width",
)
COLUMNS = ("id", "modality", *FACTS)
"""Columns of the inventory; those that a modality does not have stay empty."""

FEW = 3
"""Recordings with one and the same problem before the rest is only counted."""

SKIPPED = ("id", "modality", "row", "path", "reason")
"""Columns of the table of recordings that were left out."""


@dataclass(eq=False)
class _Recording:
    """A recording of one modality, what its file turned out to be, and what is wrong with it."""

    item: Item
    name: str
    modality: AnyModality
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def path(self) -> Path:
        return self.item.paths[self.name]

    def __str__(self) -> str:
        return f"row {self.item.row} ({self.item.id}): {self.path}:"

    def fact(self, name: str) -> float:
        return float(self.facts[name])


@dataclass(frozen=True)
class Inventory:
    """What `check` found.

    Attributes
    ----------
    usable, read
        Number of recordings that can be used, and of files that were read for it.
    skipped, repeated
        A line for each recording that was left out, and for each group of equal files.
    """

    usable: int
    read: int
    skipped: list[str]
    repeated: list[str]


def take_inventory(study: Study, layout: Layout, workers: int) -> Inventory:
    """Read every recording that is new or has changed, and write the inventory.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    workers
        Processes that read in parallel.

    Raises
    ------
    UserError
        One line a problem, with the manifest's row; no inventory is written then.
    """
    modalities = study.dataset.modalities
    items = read_manifest(study.dataset)
    all_ = [_Recording(item, name, m) for name, m in modalities.items() for item in items]
    read = _read_all(all_, layout.checked, workers)
    for name in modalities:
        _judge(study, name, [r for r in all_ if r.name == name and r.facts])
    bad = [r for r in all_ if r.problem]
    left_out = {r.item.id for r in bad}
    if bad and (study.dataset.on_error == "error" or len(left_out) == len(items)):
        raise UserError("\n".join(_complaint(bad, all_)))
    kept = [r for r in all_ if r.item.id not in left_out]
    for name in modalities:
        if needs_one_length(study, name):
            _require_one_length(name, [r for r in kept if r.name == name])
    rows = ([r.item.id, r.name, *(r.facts.get(c, "") for c in FACTS)] for r in kept)
    write_table(layout.inventory, COLUMNS, rows)
    reasons = ([r.item.id, r.name, r.item.row, str(r.path), r.problem] for r in bad)
    write_table(layout.skipped, SKIPPED, reasons)
    skipped = [f"{r} {r.problem}" for r in bad]
    return Inventory(len(kept), read, skipped, list(_repeated(kept)))


def _read_all(recordings: list[_Recording], checked: Path, workers: int) -> int:
    """Fill in what each file is, reading only what is not known; return how many were read."""
    with Checked(checked, FACTS) as known:
        unread = []
        for recording in recordings:
            recording.facts = known.find(recording.modality, recording.path) or {}
            if not recording.facts:
                unread.append(recording)
        tasks = [(r.modality, r.path) for r in unread]
        # Before they are read: a file that is still being written is read again next time.
        states = [state_of(path) for _, path in tasks]
        found = _inspect_all(tasks, workers)
        for recording, state, (facts, problem) in zip(unread, states, found, strict=True):
            recording.facts, recording.problem = facts, problem
            if facts:
                known.add(recording.modality, recording.path, facts, state)
    return len(unread)


def _inspect_all(
    tasks: list[tuple[AnyModality, Path]], workers: int
) -> Iterator[tuple[dict[str, str], str]]:
    hidden = not tasks or not sys.stderr.isatty()
    bar = tqdm(total=len(tasks), desc="check", unit="file", disable=hidden)
    done = 0
    with bar:
        try:
            for found in _pooled(tasks, workers):
                yield found
                done += 1
                bar.update()
        except BrokenProcessPool:  # a worker died: its files are read one by one, to name the one
            for task in tasks[done:]:
                yield _inspect_alone(task)
                bar.update()


def _pooled(
    tasks: list[tuple[AnyModality, Path]], workers: int
) -> Iterator[tuple[dict[str, str], str]]:
    if tasks:
        # Forked workers start in milliseconds; nothing here has started a thread before.
        pool = ProcessPoolExecutor(workers, get_context("fork"), _end_with_parent, (os.getpid(),))
        with pool:
            yield from pool.map(_inspect, tasks, chunksize=16)


def _inspect_alone(task: tuple[AnyModality, Path]) -> tuple[dict[str, str], str]:
    try:
        return next(_pooled([task], 1))
    except BrokenProcessPool:
        return {}, "ends its decoder: it is damaged, or takes more memory than there is"


def _end_with_parent(parent: int) -> None:
    """Let a worker end when its parent was killed and could not say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _inspect(task: tuple[AnyModality, Path]) -> tuple[dict[str, str], str]:
    """Facts of one file, or what is wrong with it."""
    modality, path = task
    try:
        recording = read_recording(modality, path)
    except ReadError as error:
        return {}, str(error)
    facts: dict[str, Any] = {
        "path": path,
        "bytes": recording.size,
        "sha256": recording.checksum,
        "channels": recording.values.shape[0],
        "names": " ".join(recording.names),
    }
    if modality.kind in ("image", "video"):
        facts["height"], facts["width"] = recording.values.shape[-2:]
    if recording.sample_rate is not None:
        facts["sample_rate"] = recording.sample_rate
        facts["samples"] = recording.values.shape[1]
        facts["duration"] = round(facts["samples"] / recording.sample_rate, 6)
    return {name: str(value) for name, value in facts.items()}, ""


def _judge(study: Study, name: str, recordings: list[_Recording]) -> None:
    """Name the recordings that do not suit the study, or differ where all must be alike."""
    modality = study.dataset.modalities[name]
    least = least_seconds(study, name)
    for recording in recordings:
        recording.problem = _duration_problem(recording) or _too_short(recording, least)
    if modality.kind in ("audio", "sensor"):
        _name_the_odd(recordings, "channels", "{} channels")
    if modality.kind == "sensor":
        _name_the_odd(recordings, "names", "channels {}")


def _duration_problem(recording: _Recording) -> str:
    wanted = getattr(recording.modality, "duration", None)
    if wanted is None or wanted.seconds == "longest":
        return ""
    seconds = recording.fact("duration")
    # A rate that is no whole number of samples a duration leaves half a sample either way.
    slack = 1 / recording.fact("sample_rate")
    for key, off in (("longer", seconds - wanted.seconds), ("shorter", wanted.seconds - seconds)):
        if getattr(wanted, key) == "error" and off > slack:
            return (
                f"lasts {seconds:g} s, {key} than the {wanted.seconds:g} s of "
                f"dataset.modalities.{recording.name}.duration"
            )
    return ""


def _too_short(recording: _Recording, least: dict[str, float]) -> str:
    if not least:
        return ""
    feature = max(least, key=lambda name: least[name])
    seconds = recording.fact("duration")
    if seconds + 0.5 / recording.fact("sample_rate") < least[feature]:
        return f"lasts {seconds:g} s; features.{feature} needs at least {least[feature]:.3g} s"
    return ""


def _name_the_odd(recordings: list[_Recording], fact: str, words: str) -> None:
    counts = Counter(r.facts[fact] for r in recordings)
    for recording in recordings:
        usual = counts.most_common(1)[0][0]
        found = recording.facts[fact]
        if found != usual and not recording.problem:
            recording.problem = f"has {words.format(found)}, most have {words.format(usual)}"


def _require_one_length(name: str, recordings: list[_Recording]) -> None:
    by_length = sorted(recordings, key=lambda r: r.fact("duration"))
    short, long = by_length[0], by_length[-1]
    if short.facts["duration"] != long.facts["duration"]:
        raise UserError(
            f"{name}: recordings last {short.fact('duration'):g} s (row {short.item.row}) "
            f"to {long.fact('duration'):g} s (row {long.item.row}); "
            f"set dataset.modalities.{name}.duration"
            + (", or windows in its features" if short.modality.kind != "video" else "")
        )


def _complaint(bad: list[_Recording], all_: list[_Recording]) -> Iterator[str]:
    """A line a problem; of one that many recordings share, the first few."""
    shared: dict[tuple[str, str], list[_Recording]] = defaultdict(list)
    for recording in bad:
        shared[recording.name, recording.problem].append(recording)
    in_all = False
    for (name, problem), recordings in shared.items():
        if len(recordings) == sum(r.name == name for r in all_) > 1:
            in_all = True
            yield f"{recordings[0]} {problem}; and so all {len(recordings)} of {name}"
            continue
        yield from (f"{r} {problem}" for r in recordings[:FEW])
        if len(recordings) > FEW:
            yield f"and {len(recordings) - FEW} more of {name}: {problem}"
    count = f"{len(bad)} problem{'s' * (len(bad) > 1)} in {len(all_)} recordings"
    if in_all:
        yield f"{count}; correct what dataset.modalities or a feature says of them"
    else:
        yield f"{count}; mend or remove the rows named above, or set dataset.on_error to skip"


def _repeated(recordings: list[_Recording]) -> Iterator[str]:
    """Name recordings whose files are equal: in two partitions, they would be a leak."""
    same: dict[tuple[str, str], list[_Recording]] = defaultdict(list)
    for recording in recordings:
        same[recording.name, recording.facts["sha256"]].append(recording)
    for (name, _), equal in same.items():
        if len(equal) > 1:
            yield f"{name}: {', '.join(r.item.id for r in equal)} are the same file"
