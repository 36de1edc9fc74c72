"""What a run's record says that it cost."""

import os
import subprocess
import sys

import pytest

from deepself.cli import main
from deepself.store.files import read_json, read_table
from deepself.training.memory import peak_memory
from tests.forking import call
from tests.tiny import make_study

TRAINING = {"batch_size": 8, "epochs": 4, "schedule": {"type": "cosine", "cycles": 2}}
CHANGES = {
    "features__log_mel__window": {"seconds": 0.1},
    "models__cnn__training": {**TRAINING, "snapshots": True},
    "fusions": None,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("costs")
    file = str(make_study(folder, **CHANGES))
    before = os.getcwd()
    os.chdir(folder)
    try:
        for verb in ("check", "split"):
            assert main([verb, file]) == 0
        for feature in ("log_mel", "trace"):
            assert main(["extract", file, "--feature", feature]) == 0
    finally:
        os.chdir(before)
    return folder


def train(study, model, *more):
    """In a process of its own, as a job does."""
    done = call(["train", "study.yaml", "--model", model, *(more or ("--fold", "1"))], study)
    assert done.returncode == 0, done.stderr
    return study / f"results/tiny/runs/{model}/fold-1/seed-0"


def rows_of(study, partitions):
    """Windows of fold 1: two a recording."""
    table = read_table(study / "results/tiny/folds.csv")
    return 2 * sum(row["fold-1"] in partitions for row in table)


def test_items_a_second_follow_from_the_seconds(study):
    folder = train(study, "cnn")
    record = read_json(folder / "run.json")
    history = read_table(folder / "history.csv")
    speed = record["items_per_second"]
    assert rows_of(study, ("dev", "test")) == len(read_table(folder / "predictions.csv"))
    epochs = sum(float(row["seconds"]) for row in history)
    assert speed["train"] == pytest.approx(4 * rows_of(study, ("train",)) / epochs, rel=1e-3)
    # Two snapshots and the best epoch predict dev and test; run.json rounds to milliseconds.
    held = 3 * rows_of(study, ("dev", "test"))
    predict = record["seconds"]["predict"]
    assert held / (predict + 6e-4) <= speed["predict"] <= held / max(1e-9, predict - 6e-4)
    assert epochs <= record["seconds"]["train"] + 1e-3
    parts = sum(record["seconds"][name] for name in ("load", "train", "predict"))
    assert parts <= record["seconds"]["total"] + 2e-3


def test_memory_is_that_of_the_process(study):
    record = read_json(train(study, "dense") / "run.json")
    # Torch alone takes more than the least, and a network of a few weights not much more.
    assert 1e8 < record["memory"] < 2e9
    assert "energy" not in record
    assert "gpu_memory" not in record


def test_of_a_classifier_there_is_what_it_predicts(study):
    record = read_json(train(study, "svm") / "run.json")
    assert list(record["items_per_second"]) == ["predict"]
    assert record["memory"] > 1e8
    assert "snapshots" not in record


def test_of_several_runs_in_one_job_none_has_a_memory_of_its_own(study):
    train(study, "dense", "--all")
    records = sorted((study / "results/tiny/runs/dense").glob("*/*/run.json"))
    assert len(records) == 3
    assert all("memory" not in read_json(path) for path in records)


def test_of_several_runs_without_a_study_the_first_has_one(study):
    feature = next((study / "results/features").glob("waveform-*.h5"))
    more = ["--folds", "results/tiny/folds.csv", "--network", "dense", "--output", "own"]
    more += ["--epochs", "1"]
    done = call(["train", "--input", str(feature), *more], study)
    assert done.returncode == 0, done.stderr
    records = sorted((study / "own").rglob("run.json"))
    assert ["memory" in read_json(path) for path in records] == [True, False, False]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux alone tells")
def test_the_peak_is_this_process_s_own_and_not_of_who_started_it():
    held = bytearray(600 * 2**20)  # touched: it is resident
    code = "from deepself.training.memory import peak_memory; print(peak_memory())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert peak_memory() > len(held) > int(found) > 5e7


def test_the_peak_is_read_where_the_system_tells_it(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/status").write_text("VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\n")
    assert peak_memory(tmp_path) == 1234 * 1024
    assert peak_memory(tmp_path / "elsewhere") > 1e7
