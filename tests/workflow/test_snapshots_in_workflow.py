"""Snakemake leaves a run's snapshots where they are, and a rerun leaves none of before."""

from deepself.store.files import read_json
from tests.tiny import make_recordings, write_study
from tests.workflow.conftest import Workflow

TARGET = "results/tiny/runs/dense/fold-1/seed-0/run.json"


def study(folder, cycles, snapshots):
    training = {
        "epochs": 6,
        "batch_size": 8,
        "schedule": {"type": "cosine", "cycles": cycles},
        "snapshots": snapshots,
    }
    model = {"feature": "trace", "network": {"type": "dense", "hidden": [8]}}
    write_study(
        folder,
        models={"dense": {**model, "training": training}},
        fusions=None,
    )


def kept(workflow):
    folder = (workflow.folder / TARGET).parent / "snapshots"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))


def files(count):
    names = ("predictions.csv", "weights.safetensors")
    return [f"{number}/{name}" for number in range(1, count + 1) for name in names]


def test_snapshots_stay_and_stale_ones_go(tmp_path):
    workflow = Workflow(tmp_path)
    make_recordings(tmp_path / "recordings")
    for cycles, snapshots, count in ((3, True, 3), (2, True, 2), (2, False, 0)):
        study(tmp_path, cycles, snapshots)
        status, output = workflow.run(TARGET)
        assert status == 0, output
        assert kept(workflow) == files(count)
        assert len(read_json(tmp_path / TARGET).get("snapshots", [])) == count
    assert workflow.planned(TARGET) == {}
