"""A run's folder holds all that came of it, and two runs hold the same bytes."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from deepself.cli import main
from deepself.store.files import read_json, read_table
from deepself.store.predictions import read_predictions
from tests.importing import imported
from tests.tiny import make_study


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = str(make_study(tmp_path))
    for verb in ("check", "split"):
        assert main([verb, file]) == 0
    for feature in ("log_mel", "trace"):
        assert main(["extract", file, "--feature", feature]) == 0
    return file


def train(study, model="cnn", fold="1", *more):
    assert main(["train", study, "--model", model, "--fold", fold, *more]) == 0


def folder(tmp_path, model="cnn", fold="1", seed=0):
    return tmp_path / f"results/tiny/runs/{model}/fold-{fold}/seed-{seed}"


def test_folder_is_complete_and_consistent(study, tmp_path):
    train(study)
    run = folder(tmp_path)
    record = read_json(run / "run.json")
    predictions = read_predictions(run / "predictions.csv")
    history = read_table(run / "history.csv")
    assert len(history) == 3
    best = history[record["best"]["epoch"] - 1]
    assert float(best["dev_uar"]) == record["scores"]["dev"]["uar"]
    test = predictions.part("test")
    assert record["scores"]["test"]["accuracy"] == np.mean(test.predicted == test.true)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1)
    assert "network.classifier.weight" in load_file(run / "weights.safetensors") or any(
        name.startswith("network.") for name in load_file(run / "weights.safetensors")
    )
    assert record["features"][0]["shape"][:2] == [1, 16]


def test_predictions_cover_dev_and_test_once(study, tmp_path):
    train(study)
    predictions = read_predictions(folder(tmp_path) / "predictions.csv")
    folds = {row["id"]: row["fold-1"] for row in read_table(tmp_path / "results/tiny/folds.csv")}
    seen = dict(zip(predictions.ids, predictions.partition, strict=True))
    assert seen == {name: part for name, part in folds.items() if part != "train"}


@pytest.mark.parametrize("model", ["cnn", "dense", "svm"])
def test_two_runs_are_bit_identical(study, tmp_path, model):
    files = ("weights.safetensors", "predictions.csv")
    train(study, model)
    first = [(folder(tmp_path, model) / name).read_bytes() for name in files]
    train(study, "dense", "2")  # what else runs does not matter
    train(study, model)
    assert [(folder(tmp_path, model) / name).read_bytes() for name in files] == first


def test_seeds_and_folds_differ(study, tmp_path):
    for seed in ("0", "1"):
        train(study, "cnn", "1", "--seed", seed, "--set", "seeds=[0, 1]")
    first = load_file(folder(tmp_path, seed=0) / "weights.safetensors")
    second = load_file(folder(tmp_path, seed=1) / "weights.safetensors")
    assert any(not np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "cnm", "--fold", "1"], "--model: the study has no model 'cnm'; known: svm,"),
        (
            ["--model", "cnn", "--fold", "1", "--seed", "7"],
            "--seed: 7 is none of the study's seeds",
        ),
        (["--model", "cnn", "--fold", "9"], "no fold '9'; known: 1, 2, 3"),
        (
            ["--model", "cnn", "--fold", "1", "--set", "models.cnn.network.channels=[2,2,2,2,2]"],
            "models.cnn (feature log_mel (1, 16, 8)): network:",
        ),
    ],
)
def test_wrong_arguments_are_one_line(study, capsys, arguments, message):
    assert main(["train", study, *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


HEAVY = [
    "librosa", "matplotlib", "mlflow", "numba", "optuna", "pandas", "plotly",
    "pooch", "requests", "scipy", "sklearn", "snakemake", "soundfile", "timm", "torchvision",
    # Torch's compiler, whose import takes as long as torch's own.
    "torch._dynamo.convert_frame", "torch._inductor",
]  # fmt: skip
"""What a job that trains a network of our own does without."""


def test_training_imports_nothing_heavy(study, tmp_path):
    train = f"main(['train', {study!r}, '--model', 'cnn', '--fold', '1'])"
    assert not imported(f"from deepself.cli import main\n{train}", HEAVY, tmp_path)


def test_job_that_outlives_its_workflow_does_not_replace_a_newer_run(study, tmp_path, monkeypatch):
    """The older job ends last; the folder keeps what the newer one wrote."""
    from deepself.training import run as module

    fit = module.fit

    def overtaken(*args, **kwargs):
        outcome = fit(*args, **kwargs)
        monkeypatch.setattr(module, "fit", fit)
        train(study, "cnn", "1", "--set", "models.cnn.training.lr=0.5")
        return outcome

    monkeypatch.setattr(module, "fit", overtaken)
    assert main(["train", study, "--model", "cnn", "--fold", "1"]) == 1
    record = read_json(folder(tmp_path) / "run.json")
    assert record["specification"]["training"]["lr"] == 0.5


def test_failed_run_withdraws_the_tables_that_lack_it(study, tmp_path):
    table = tmp_path / "results/tiny/scores.csv"
    table.write_text("of an earlier run")
    arguments = ["train", study, "--model", "cnn", "--fold", "1"]
    assert main([*arguments, "--set", "models.cnn.network.channels=[2,2,2,2,2]"]) == 1
    assert not table.exists()


def test_results_that_cannot_be_written_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = str(make_study(tmp_path))
    (tmp_path / "results").write_text("a file where the folder should be")
    assert main(["check", file]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("deepself check: results")
