"""`train`: one model, one fold, one seed; a folder with all that came of it."""

import itertools
import time
from contextlib import nullcontext
from typing import Any

import torch

from deepself.malloc import keep_freed_memory
from deepself.store.files import Claim, read_json
from deepself.store.whole import take_whole
from deepself.study.models import Classifier
from deepself.training.checkpoints import CHECKPOINT, EVERY, Checkpoints, identity_of
from deepself.training.devices import claim_device
from deepself.training.fit import fit
from deepself.training.job import Job
from deepself.training.memory import peak_memory
from deepself.training.record import RECORD, record_of, write_run
from deepself.training.signals import STOPPED, Signals, signals

_begun = itertools.count()
"""How many runs this process has begun."""


def train(
    job: Job,
    threads: int,
    device: str,
    every: float = EVERY,
    keep: bool = False,
    among: int = 1,
) -> dict[str, Any]:
    """Train one run and write its folder.

    A run that was killed goes on from its checkpoint, and ends as if it had not been. One that
    ended after its workflow was killed is not repeated.

    Parameters
    ----------
    job
        The run.
    threads
        CPU threads to use.
    device
        `auto`, `cpu` or `cuda`; or a GPU that is held already, such as `cuda:1`.
    every
        Seconds between two checkpoints.
    keep
        Keep the last one when the run is whole, for a job that goes on with other runs.
    among
        How many of them share the memory at the same time.

    Returns
    -------
    dict
        The content of `run.json`.
    """
    start = time.perf_counter()
    # Of several in one process, a peak would be that of whichever needed most, or shared.
    alone = next(_begun) == 0 and not keep
    claim = Claim(job.folder)
    torch.set_num_threads(threads)
    keep_freed_memory()
    classical = isinstance(job.method, Classifier)  # it computes on the CPU, and does not listen
    listening = nullcontext(Signals()) if classical else signals()
    with claim_device("cpu" if classical else device) as chosen, listening as noted:
        identity = identity_of(job, chosen)
        if take_whole(job.folder, RECORD, identity):
            print("was trained before, while no workflow looked on; nothing to do", flush=True)
            return read_json(job.folder / RECORD)
        checkpoints = Checkpoints(job.folder / CHECKPOINT, identity, every, keep)
        fitted = fit(job, chosen, ("dev", "test"), checkpoints, noted, among=among)
        record = record_of(job, fitted, chosen, threads, time.perf_counter() - start)
        if alone:
            record["memory"] = peak_memory()
        claim.verify()
        write_run(job, fitted, record, identity)
    if not keep:
        checkpoints.remove()
    elif noted.stop:  # this run is whole; those that would follow must not begin
        raise SystemExit(STOPPED)
    return record
