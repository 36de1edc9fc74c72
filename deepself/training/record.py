"""What a run leaves in its folder."""

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself.evaluation.metrics import accuracy, uar
from deepself.store.files import atomic_path, canonical_json, write_json, write_table
from deepself.store.predictions import Predictions, write_predictions
from deepself.store.whole import keep_whole
from deepself.training.data import Part
from deepself.training.fit import Fitted
from deepself.training.job import Job
from deepself.training.outcome import Outcome, Snapshot
from deepself.versions import NETWORK_PACKAGES, versions

WEIGHTS, PREDICTIONS = "weights.safetensors", "predictions.csv"
HISTORY, RECORD = "history.csv", "run.json"

SNAPSHOTS = "snapshots"
"""Where in its folder a run keeps what cycles of its learning rate ended with, numbered from 1."""


def record_of(
    job: Job, fitted: Fitted, device: str, threads: int, seconds: float
) -> dict[str, Any]:
    """The content of `run.json`."""
    outcome = fitted.outcome
    record = {
        "study": job.study,
        "model": job.run.model,
        "fold": job.run.fold,
        "seed": job.run.seed,
        "features": [
            {
                "name": i.feature,
                "kind": i.kind,
                "file": str(i.file),
                "shape": list(fitted.shapes[name]),
            }
            for name, i in job.inputs.items()
        ],
        "type": job.method.type,
        "parameters": outcome.parameters,
        "best": outcome.best,
        "scores": {name: _scores(fitted.parts[name], outcome, name) for name in ("dev", "test")},
        "seconds": {
            "load": round(fitted.load, 3),
            **{name: round(taken, 3) for name, taken in outcome.seconds.items()},
            "total": round(seconds, 3),
        },
        "items_per_second": _items_per_second(fitted),
        "notes": outcome.notes,
        "warnings": outcome.warnings,
        "items": fitted.home,
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "threads": threads,
        "versions": versions("torch", "numpy", "scikit-learn", *NETWORK_PACKAGES),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "specification": job.specification,
    }
    if outcome.part is not None:
        record |= {"stopped": outcome.stopped, "items_at_a_time": outcome.part}
    if job.training.snapshots:
        record[SNAPSHOTS] = [one.epoch for one in outcome.snapshots]
    if device.startswith("cuda"):
        record["gpu_memory"] = torch.cuda.max_memory_allocated(device)
    if outcome.energy is not None:
        record["energy"] = round(outcome.energy, 3)
    return record


def is_of(record: Mapping[str, Any], job: Job) -> bool:
    """Whether a run's record is of a job's settings and features."""
    files = [feature["file"].rpartition("/")[2] for feature in record["features"]]
    same = canonical_json(record["specification"]) == canonical_json(job.specification)
    return same and files == [source.file.name for source in job.inputs.values()]


def _items_per_second(fitted: Fitted) -> dict[str, float]:
    """Items that were trained on, epoch by epoch, and that were predicted, each a second.

    An item is a row: a recording, or a window of one. Epochs contain their look at dev; each
    snapshot predicts all of dev and test.
    """
    outcome = fitted.outcome
    rows = {name: len(part.targets) for name, part in fitted.parts.items()}
    held = sum(rows[name] for name in outcome.probabilities)
    passed = {"predict": (held * (1 + len(outcome.snapshots)), outcome.seconds["predict"])}
    if outcome.part is not None:  # a classifier does not pass its items one by one
        place = outcome.columns.index("seconds")
        seconds = sum(row[place] for row in outcome.history)
        passed = {"train": (len(outcome.history) * rows["train"], seconds), **passed}
    return {
        name: float(f"{items / seconds:.4g}")
        for name, (items, seconds) in passed.items()
        if seconds > 0
    }


def _scores(part: Part, outcome: Outcome, name: str) -> dict[str, float]:
    probabilities = part.by_recording(outcome.probabilities[name])
    predicted = probabilities.argmax(axis=1)
    return {
        "uar": uar(part.labels, predicted, probabilities.shape[1]),
        "accuracy": accuracy(part.labels, predicted),
    }


def write_run(job: Job, fitted: Fitted, record: dict[str, Any], identity: str) -> None:
    """Write the run's files, each whole; `run.json` comes last and says that all are there.

    Parameters
    ----------
    job, fitted, record
        The run, what came of it, and the content of `run.json`.
    identity
        Digest of all that its numbers depend on: a job that is started in this one's place, by a
        workflow that did not see it end, finds the files by it.
    """
    folder, outcome = job.folder, fitted.outcome
    if (folder / SNAPSHOTS).exists():  # of an earlier run, which may have had more of them
        shutil.rmtree(folder / SNAPSHOTS)
    for number, snapshot in enumerate(outcome.snapshots, 1):
        _write(folder / SNAPSHOTS / str(number), snapshot, fitted.parts, job.classes)
    _write(folder, outcome, fitted.parts, job.classes)
    write_table(folder / HISTORY, outcome.columns, outcome.history)
    write_json(folder / RECORD, record)
    snapshots = [f"{SNAPSHOTS}/{n}" for n in range(1, len(outcome.snapshots) + 1)]
    made = [f"{part}/{name}" for part in (".", *snapshots) for name in (WEIGHTS, PREDICTIONS)]
    keep_whole(folder, [*made, HISTORY, RECORD], identity)


def _write(
    folder: Path, made: Outcome | Snapshot, parts: dict[str, Part], classes: list[str]
) -> None:
    """Write weights, and what they predict."""
    from safetensors.numpy import save

    with atomic_path(folder / WEIGHTS) as temporary:
        contiguous = {k: np.asarray(v, order="C") for k, v in made.weights.items()}
        temporary.write_bytes(save(contiguous))
    write_predictions(folder / PREDICTIONS, _predictions(parts, classes, made.probabilities))


def _predictions(
    parts: dict[str, Part], classes: list[str], probabilities: dict[str, np.ndarray]
) -> Predictions:
    held = {name: parts[name] for name in ("dev", "test")}
    label = np.array(classes, dtype=object)
    windowed = all(part.starts is not None for part in held.values())
    return Predictions(
        partition=np.concatenate(
            [np.full(len(part.targets), name, dtype=object) for name, part in held.items()]
        ),
        ids=np.concatenate([np.array(p.ids, dtype=object)[p.recordings] for p in held.values()]),
        labels=np.concatenate([label[part.targets] for part in held.values()]),
        classes=tuple(classes),
        probabilities=np.concatenate([probabilities[name] for name in held]),
        starts=np.concatenate([p.starts for p in held.values()]) if windowed else None,
    )
