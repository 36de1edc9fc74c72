"""A run that fails takes the tables back; a mistyped one takes nothing."""

import pytest

from deepself.cli import main
from deepself.study import Layout
from tests.tiny import make_study

MODEL = ["--model", "dense", "--seed", "0"]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path)
    for verb in (["check"], ["split"], ["extract", "--feature", "trace"]):
        assert main([verb[0], "study.yaml", *verb[1:]]) == 0
    assert main(["train", "study.yaml", *MODEL, "--fold", "1"]) == 0
    layout = Layout("tiny")
    for table in (layout.scores, layout.report, layout.figures / "forest.svg"):
        table.parent.mkdir(exist_ok=True)
        table.write_text("made")
    return layout


def test_unknown_fold_touches_nothing(trained, capsys):
    assert main(["train", "study.yaml", *MODEL, "--fold", "17"]) == 1
    assert "--fold: the study has no fold '17'; known: 1, 2, 3" in capsys.readouterr().err
    assert trained.scores.exists()
    assert not trained.run("dense", "17", 0).exists()


def test_trial_that_fails_leaves_the_study_s_tables(trained):
    wrong = ["--set", "models.dense.training.lr=1e30"]
    assert main(["train", "study.yaml", *MODEL, "--fold", "1", *wrong]) == 1
    assert trained.scores.exists()
    assert (trained.run("dense", "1", 0) / "predictions.csv").exists()


def test_run_that_is_missing_takes_the_tables_back(trained):
    (trained.run("dense", "1", 0) / "predictions.csv").unlink()
    wrong = ["--set", "models.dense.training.lr=1e30"]
    assert main(["train", "study.yaml", *MODEL, "--fold", "1", *wrong]) == 1
    assert not trained.scores.exists()
    assert not trained.report.exists()
    assert not trained.figures.exists()
