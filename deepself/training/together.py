"""All runs of one model in one job: one after the other, or side by side."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepself.malloc import keep_freed_memory
from deepself.store.files import Claim, read_json
from deepself.store.whole import take_whole
from deepself.study.identity import digest
from deepself.study.models import Classifier
from deepself.training.batched import SideBySide
from deepself.training.checkpoints import CHECKPOINT, Checkpoints, identity_of
from deepself.training.course import HISTORY
from deepself.training.devices import claim_device
from deepself.training.fit import Prepared, fitted, prepare
from deepself.training.job import Job
from deepself.training.network import named, probabilities
from deepself.training.outcome import Outcome, Snapshot
from deepself.training.processes import in_processes
from deepself.training.record import RECORD, record_of, write_run
from deepself.training.run import train
from deepself.training.signals import STOPPED, Signals, signals
from deepself.training.stacked import obstacle


def train_together(
    jobs: Sequence[Job], threads: int, device: str, every: float
) -> list[dict[str, Any]]:
    """Train runs of one model, and write their folders.

    On a CPU as many run at once as there are threads, each with one; on a GPU one after the
    other. A job that was killed does not train again what it had finished: checkpoints are kept
    until all runs are written.

    Parameters
    ----------
    jobs
        The runs, which differ in fold and seed alone.
    threads, device, every
        As `train` takes them.

    Returns
    -------
    list of dict
        The content of each `run.json`.
    """
    classical = isinstance(jobs[0].method, Classifier)
    with claim_device("cpu" if classical else device) as chosen:
        if chosen == "cpu" and threads > 1 and hasattr(os, "fork"):
            at_once = min(threads, len(jobs))
            in_processes(lambda job: train(job, 1, "cpu", every, True, at_once), jobs, at_once)
        else:
            for job in jobs:
                train(job, threads, chosen, every, keep=True)
    for job in jobs:
        (job.folder / CHECKPOINT).unlink(missing_ok=True)
    return _records(jobs)


def _records(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    return [read_json(job.folder / RECORD) for job in jobs]


def train_side_by_side(
    jobs: Sequence[Job], threads: int, device: str, every: float
) -> list[dict[str, Any]]:
    """Train runs of one network with stacked weights, and write their folders.

    Where the network or its training does not allow it, that is said, and they are trained by
    `train_together`. On a CPU one thread computes: sums of several come out differently in
    the last digits, and numbers must not depend on how many cores a machine has.
    """
    start = time.perf_counter()
    torch.set_num_threads(1)
    keep_freed_memory()
    assert not isinstance(jobs[0].method, Classifier)
    claims = [Claim(job.folder) for job in jobs]
    with claim_device(device) as chosen, signals() as noted:
        identities = [identity_of(job, chosen) for job in jobs]
        known = zip(jobs, identities, strict=True)
        if all(take_whole(job.folder, RECORD, identity) for job, identity in known):
            return _records(jobs)
        runs = [prepare(job, chosen, len(jobs)) for job in jobs]
        _stop_if_asked(noted)
        loop, reason = _stacked(jobs, runs)
        if loop is not None:
            around = runs[0].around
            around.checkpoints = Checkpoints(jobs[0].folder / CHECKPOINT, digest(identities), every)
            around.signals = noted
            outcomes = _outcomes(jobs, runs, loop, reason)
            records = []
            for job, run, outcome, claim, identity in zip(
                jobs, runs, outcomes, claims, identities, strict=True
            ):
                done = fitted(run, outcome)
                seconds = (time.perf_counter() - start) / len(jobs)
                records.append(record_of(job, done, chosen, 1, seconds))
                claim.verify()
                write_run(job, done, records[-1], identity)
            around.checkpoints.remove()
        for run in runs:
            run.fold.close()
        del run, runs
        _stop_if_asked(noted)
    if loop is None:
        print(f"not side by side: {reason}", flush=True)
        return train_together(jobs, threads, device, every)
    return records


def _stop_if_asked(noted: Signals) -> None:
    if noted.stop:
        raise SystemExit(STOPPED)


def _stacked(
    jobs: Sequence[Job], runs: Sequence[Prepared]
) -> tuple[SideBySide, str] | tuple[None, str]:
    """Runs side by side and what that gains, in words; or why they cannot be."""
    reason = why_not(jobs, runs)
    if reason is not None:
        return None, reason
    parts = [run.fold.partitions for run in runs]
    try:
        loop = SideBySide(
            [run.network for run in runs],
            [one["train"] for one in parts],
            [one["dev"] for one in parts],
            jobs[0].training,
            len(jobs[0].classes),
            [run.around for run in runs],
        )
        return loop, loop.gain()
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        # What vmap has no rule for, it says in many ways; a GPU's memory may hold one, not all.
        return None, (str(error).strip().splitlines() or [type(error).__name__])[0]


def why_not(jobs: Sequence[Job], runs: Sequence[Prepared]) -> str | None:
    """Why runs cannot be trained side by side, as far as settings tell; None where they can."""
    settings = jobs[0].training
    sizes = [len(run.fold.partitions["train"]) for run in runs]
    if len({-(-size // settings.batch_size) for size in sizes}) > 1:
        return f"epochs of {min(sizes)} to {max(sizes)} items differ in their number of batches"
    if any(run.fold.home == "file" for run in runs):
        return "their items do not fit into memory together"
    return obstacle(runs[0].network, settings)


def _outcomes(
    jobs: Sequence[Job], runs: Sequence[Prepared], loop: SideBySide, said: str
) -> list[Outcome]:
    """Train the runs, and predict; seconds and joules of each are its share of what all took."""
    print(said, flush=True)
    loop.run()
    seconds, joules = loop.seconds / len(jobs), loop.energy
    energy = None if joules is None else joules / len(jobs)
    found = [_outcome(run, loop, number) for number, run in enumerate(runs)]
    return [
        replace(
            outcome,
            seconds={"train": seconds, **outcome.seconds},
            energy=energy,
            notes=[*outcome.notes, said],
            part=job.training.batch_size,
        )
        for job, outcome in zip(jobs, found, strict=True)
    ]


def _outcome(run: Prepared, loop: SideBySide, number: int) -> Outcome:
    """What came of one of the runs, but for what all took together."""
    side = loop.sides[number]
    course = side.course
    held = {name: run.fold.partitions[name] for name in ("dev", "test")}

    def predict(weights: dict[str, Tensor]) -> dict[str, np.ndarray]:
        return probabilities(lambda one: loop.logits(number, one, weights), held)

    start = time.perf_counter()
    return Outcome(
        probabilities=predict(course.best.weights),
        snapshots=[
            Snapshot(epoch, predict(weights), named(weights))
            for epoch, weights in course.snapshots.items()
        ],
        seconds={"predict": time.perf_counter() - start},
        best={"epoch": course.best.epoch},
        columns=HISTORY,
        history=course.history,
        parameters=sum(p.numel() for p in run.network.parameters()),
        weights=named(course.best.weights),
        stopped=course.stopped,
        notes=side.notes,
        warnings=loop.warnings(number),
    )
