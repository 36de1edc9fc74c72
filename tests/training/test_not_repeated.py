"""A run that ended while no workflow looked on is not trained again."""

import os
import shutil

import pytest

from deepself.cli import main
from deepself.store.whole import WHOLE
from tests.tiny import make_study, write_study

SEARCHED = {
    "models__searched": {
        "feature": "trace",
        "network": {"type": "dense", "hidden": [4]},
        "training": {"epochs": 2, "lr": {"choice": [0.01, 0.001]}},
        "search": {"method": "grid"},
    },
    "models__batched": {
        "feature": "trace",
        "network": {"type": "dense", "hidden": [4]},
        "training": {"epochs": 2},
        "folds": "batched",
    },
    "models__waves": {
        "feature": "trace",
        "network": {"type": "dense", "hidden": [4]},
        "training": {
            "epochs": 4,
            "schedule": {"type": "cosine", "cycles": 2},
            "snapshots": True,
        },
    },
}
RUNS = {
    "network": ["train", "--model", "dense", "--fold", "1"],
    "snapshots": ["train", "--model", "waves", "--fold", "1"],
    "classifier": ["train", "--model", "svm", "--fold", "1"],
    "together": ["train", "--model", "dense", "--all", "--threads", "2"],
    "batched": ["train", "--model", "batched", "--all"],
    "trial": ["trial", "--model", "searched", "--fold", "1", "--trial", "0"],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("not_repeated")
    file = str(make_study(folder, **SEARCHED))
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


@pytest.fixture
def copied(study, tmp_path, monkeypatch):
    shutil.copytree(study, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def outputs(folder):
    """What the workflow would delete before it starts a job: all files that it knows of."""
    made = [f for p in ("runs", "trials") for f in (folder / "results/tiny" / p).rglob("*.*")]
    return {f: f.read_bytes() for f in made if f.is_file() and "/." not in str(f)}


def run(arguments, *more):
    verb, *rest = arguments
    return main([verb, "study.yaml", *rest, *more])


@pytest.mark.parametrize("kind", RUNS)
def test_finished_run_whose_files_were_deleted_is_there_again(kind, copied):
    assert run(RUNS[kind]) == 0
    before = outputs(copied)
    assert before
    for file in before:
        file.unlink()
    assert outputs(copied) == {}
    assert run(RUNS[kind]) == 0
    assert outputs(copied) == before  # times included: seconds of a second training would differ


@pytest.mark.parametrize("kind", ["network", "classifier", "trial"])
def test_with_other_settings_it_is_trained_anew(kind, copied):
    assert run(RUNS[kind]) == 0
    before = outputs(copied)
    for file in before:
        file.unlink()
    changed = {
        "network": "models.dense.training.lr=0.5",
        "classifier": "models.svm.classifier.complexity=[1.0]",
        "trial": "models.searched.training.epochs=3",
    }
    assert run(RUNS[kind], "--set", changed[kind]) == 0
    after = outputs(copied)
    assert after.keys() == before.keys()
    assert after != before


def test_who_asks_for_a_run_that_stands_has_it_trained(copied, capsys):
    for _ in range(2):
        assert run(RUNS["network"]) == 0
        assert "was trained before" not in capsys.readouterr().out


def test_score_forgets_second_names(copied):
    write_study(copied, fusions={})
    for model in ("cnn", "dense", "svm"):
        assert run(["train", "--model", model, "--all"]) == 0
    assert len(list(copied.rglob(WHOLE))) == 9
    assert run(["score"]) == 0
    assert not list(copied.rglob(WHOLE))
