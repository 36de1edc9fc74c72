"""A study of 5,000 jobs: Snakemake plans it in seconds."""

import resource
import time

from tests.reliability import record
from tests.tiny import make_recordings, write_study
from tests.workflow.conftest import Workflow

MODEL = {"feature": "trace", "training": {"epochs": 3, "batch_size": 8}}


def children_seconds():
    """CPU seconds of processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_five_thousand_jobs_are_planned(tmp_path):
    make_recordings(tmp_path / "recordings", per_class=10)
    networks = ({"type": "dense", "hidden": [8 + n]} for n in range(100))
    models = {f"dense_{n}": {**MODEL, "network": net} for n, net in enumerate(networks)}
    write_study(tmp_path, splits__folds=5, seeds=list(range(10)), models=models, fusions__best=None)
    study = Workflow(tmp_path)
    assert study.run("split")[0] == 0
    start, used = time.perf_counter(), children_seconds()
    planned = study.planned()
    seconds, used = time.perf_counter() - start, children_seconds() - used
    assert planned["train"] == 5000
    assert sum(planned.values()) >= 5000
    took = f"{sum(planned.values()):,} jobs in {seconds:.0f} s ({used:.0f} s of a core)"
    print(took)
    record(
        "5,000 runs in one study (no fault, but a size)",
        f"`snakemake -n` plans {took}",
        "nothing",
        "not tried at this size",
    )
