"""One trial of a search: values are proposed, a network is trained with them, dev is looked at."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from deepself.errors import UserError
from deepself.malloc import keep_freed_memory
from deepself.store.files import Claim, read_json, write_json
from deepself.store.whole import keep_whole, take_whole
from deepself.study.identity import digest, trial_slice
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.study.trials import earlier_files, read_trials, trial_file, with_values
from deepself.training.checkpoints import CHECKPOINT, EVERY, Checkpoints, identity_of
from deepself.training.course import HISTORY
from deepself.training.devices import claim_device
from deepself.training.fit import fit
from deepself.training.job import Job, Run, job_of
from deepself.training.outcome import Outcome
from deepself.training.proposals import Earlier, propose
from deepself.training.signals import signals

PRUNED = "pruned"
FEWEST = 4
"""Trials that a median is taken of, at least."""

LOOKED_AT = ("trial", "fold", "values", "state", "history", "after")
"""What shapes later trials."""

EPOCH, UAR, LOSS = (HISTORY.index(name) for name in ("epoch", "dev_uar", "dev_loss"))


@dataclass(frozen=True)
class Trial:
    """A trial before it is trained.

    Attributes
    ----------
    model, fold, number
        Of which model and fold, and which, from 0.
    file
        Where its result goes.
    values
        What it tries, by dotted path below the model.
    job
        Its training; None where the values do not go together.
    reason
        Why they do not.
    of, after
        Digests of what it depends on, and of the results that it looks at.
    earlier
        UAR on dev by epoch of each earlier trial of this fold, and whether it was pruned; empty
        where trials are not.
    """

    model: str
    fold: str
    number: int
    file: Path
    values: dict[str, Any]
    job: Job | None
    reason: str | None
    of: str
    after: str
    earlier: list[tuple[list[float], bool]]


def prepare_trial(study: Study, layout: Layout, model: str, fold: str, number: int) -> Trial:
    """A trial, its values worked out from those of earlier rounds.

    Parameters
    ----------
    study, layout
        The study.
    model
        Name of a model that is searched.
    fold
        The fold on which it is trained, and whose dev partition it looks at.
    number
        The trial's number, from 0.

    Raises
    ------
    UserError
        An earlier trial has not been run, or the recordings have not been split.
    """
    searched = study.models[model]
    search, seed = searched.search, study.seeds[0]
    assert search is not None
    records = read_trials(study, model, earlier_files(study, layout, model, fold, number))
    found = [_found([r for r in records if r["trial"] == n]) for n in search.earlier(number)]
    values = propose(search, searched.space, seed, number, found)
    after = digest([{name: r[name] for name in LOOKED_AT} for r in records])
    own = [r for r in records if r["fold"] == fold and r["state"] != "failed"]
    earlier = [([row[1] for row in r["history"]], r["state"] == PRUNED) for r in own]
    file = trial_file(layout, model, fold, number)
    job, reason = None, None
    try:
        fixed = with_values(study, model, values)
    except UserError as error:
        reason = str(error)
    else:
        job = replace(job_of(fixed, layout, Run(model, fold, seed)), folder=file.parent)
        # A checkpoint of a trial that was measured against others is never resumed. Nothing asks
        # for snapshots of a trial.
        job = replace(
            job,
            training=job.training.model_copy(update={"snapshots": False}),
            specification={**job.specification, "after": after},
        )
    measured = earlier if search.prune else []
    of = digest(trial_slice(study, model))
    return Trial(model, fold, number, file, values, job, reason, of, after, measured)


def run_trial(trial: Trial, threads: int, device: str, every: float = EVERY) -> dict[str, Any]:
    """Train a trial and write what it found. Nothing of test is predicted.

    Values that cannot be trained, such as a learning rate that makes the loss infinite or a
    network that does not fit into memory, are a result too: a trial that failed.

    Parameters
    ----------
    trial
        From `prepare_trial`.
    threads, device, every
        As `train` takes them.

    Returns
    -------
    dict
        The content of its file.
    """
    start = time.perf_counter()
    claim = Claim(trial.file.parent)
    torch.set_num_threads(threads)
    keep_freed_memory()
    checkpoints, outcome, reason, identity = None, None, trial.reason, ""
    with claim_device(device) as chosen, signals() as noted:
        if trial.job is not None:
            _require(trial.job)
            identity = identity_of(trial.job, chosen)
            if take_whole(trial.file.parent, trial.file.name, identity):
                return read_json(trial.file)
            checkpoints = Checkpoints(trial.file.parent / CHECKPOINT, identity, every)
            epochs = trial.job.training.epochs

            def watch(history: Sequence[tuple]) -> str | None:
                so_far = [row[UAR] for row in history]
                return PRUNED if is_behind(so_far, trial.earlier, epochs) else None

            try:
                outcome = fit(trial.job, chosen, (), checkpoints, noted, watch).outcome
            except (UserError, torch.OutOfMemoryError) as error:
                reason = str(error).partition("\n")[0]
    record = _record(trial, outcome, reason) | {
        "device": "cpu" if chosen == "cpu" else torch.cuda.get_device_name(chosen),
        "threads": threads,
        "seconds": round(time.perf_counter() - start, 3),
    }
    claim.verify()
    write_json(trial.file, record)
    if checkpoints is not None:
        keep_whole(trial.file.parent, [trial.file.name], identity)
        checkpoints.remove()
    return record


def is_behind(
    own: Sequence[float], earlier: Sequence[tuple[Sequence[float], bool]], epochs: int
) -> bool:
    """Whether a trial's best UAR is below the median of what others had by the same epoch.

    The median stopping rule (Golovin et al. 2017, Google Vizier, section 3.2.2), with the best
    instead of the mean so far, since the best epoch is what a run keeps.

    Parameters
    ----------
    own
        UAR on dev of each epoch so far.
    earlier
        The same of others, and whether each was pruned: those that were, before this epoch, are
        left out. Those that ended by themselves had by then what they had in the end.
    epochs
        How many the trial may take. In their first quarter, none is behind.
    """
    epoch = len(own)
    others = [max(uar[:epoch]) for uar, pruned in earlier if len(uar) >= epoch or not pruned]
    if 4 * epoch < epochs or len(others) < FEWEST:
        return False
    return max(own) < median(others)


def _record(trial: Trial, outcome: Outcome | None, reason: str | None) -> dict[str, Any]:
    """What a trial found."""
    history = [] if outcome is None else [(r[EPOCH], r[UAR], r[LOSS]) for r in outcome.history]
    best = None
    if outcome is not None:
        epoch, uar, loss = history[outcome.best["epoch"] - 1]
        best = {"epoch": epoch, "uar": uar, "loss": loss}
    pruned = outcome is not None and outcome.stopped == PRUNED
    return {
        "model": trial.model,
        "fold": trial.fold,
        "trial": trial.number,
        "values": trial.values,
        "state": "failed" if outcome is None else PRUNED if pruned else "complete",
        "reason": reason,
        "dev": best,
        "pruned": len(history) if pruned else None,
        "stopped": None if outcome is None else outcome.stopped,
        "history": history,
        "of": trial.of,
        "after": trial.after,
    }


def _require(job: Job) -> None:
    """Files that are missing are no fault of a trial's values."""
    for source in job.inputs.values():
        if not source.file.exists():
            raise UserError(f"{source.file}: not found; run extract for {source.feature}")


def _found(records: Sequence[dict[str, Any]]) -> Earlier:
    """What an earlier trial found on one fold, or in the mean over several."""
    values = records[0]["values"]
    if any(record["state"] == "failed" for record in records):
        return Earlier(values)
    stops = [record["pruned"] for record in records if record["pruned"] is not None]
    uar = mean(record["dev"]["uar"] for record in records)
    return Earlier(values, uar, min(stops, default=None))
