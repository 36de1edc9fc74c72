"""All folds of a model in one job: the same numbers as in jobs of their own."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from deepself.cli import main
from deepself.networks import build
from deepself.store.files import read_json
from deepself.store.predictions import read_predictions
from deepself.study.training import Training
from deepself.training.stacked import obstacle
from tests.forking import Forked, call
from tests.tiny import make_study

FILES = ("weights.safetensors", "predictions.csv")
MORE = {
    "models__conv": {
        "feature": "trace",
        "network": {"type": "cnn1d", "channels": [4, 4], "kernel_size": 3, "pool": 1},
        "training": {
            "epochs": 4,
            "batch_size": 4,
            "optimizer": "adamw",
            "weight_decay": 0.05,
            "class_weights": "balanced",
            "schedule": {"type": "one_cycle"},
            "augmentation": [{"type": "noise"}],
        },
    },
    "seeds": [0, 7],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    file = str(make_study(folder, **MORE))
    before = os.getcwd()
    os.chdir(folder)
    try:
        for verb in ("check", "split"):
            assert main([verb, file]) == 0
        for feature in ("log_mel", "trace"):
            assert main(["extract", file, "--feature", feature]) == 0
        for model in ("cnn", "conv", "dense", "svm"):
            for fold in "123":
                for seed in ("0", "7"):
                    arguments = ["--model", model, "--fold", fold, "--seed", seed]
                    assert main(["train", file, *arguments]) == 0
    finally:
        os.chdir(before)
    return folder


def runs(folder, model):
    return sorted((folder / "results/tiny/runs" / model).glob("fold-*/seed-*"))


def clear(folder, model):
    """The bytes of all runs, which are then removed."""
    found = {}
    for run in runs(folder, model):
        found[run] = {name: (run / name).read_bytes() for name in FILES}
        shutil.rmtree(run)
        run.mkdir()
    return found


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("model", ["cnn", "svm"])
def test_together_gives_the_same_bytes(study, monkeypatch, model, threads):
    monkeypatch.chdir(study)
    expected = clear(study, model)
    done = call(["train", "study.yaml", "--model", model, "--all", "--threads", threads], study)
    assert done.returncode == 0, done.stderr
    assert len(expected) == 6
    assert clear_after(study, model) == expected
    assert not list((study / "results").rglob(".checkpoint"))


def clear_after(folder, model):
    return {run: {name: (run / name).read_bytes() for name in FILES} for run in runs(folder, model)}


@pytest.mark.parametrize("model", ["cnn", "conv", "dense"])
def test_side_by_side_equals_separate_jobs(study, monkeypatch, capsys, model):
    monkeypatch.chdir(study)
    weights = {run: load_file(run / FILES[0]) for run in runs(study, model)}
    expected = {run: read_predictions(run / FILES[1]) for run in runs(study, model)}
    histories = {run: (run / "history.csv").read_text() for run in runs(study, model)}
    batched = ["--set", f"models.{model}.folds=batched"]
    before = clear(study, model)
    assert main(["train", "study.yaml", "--model", model, "--all", *batched]) == 0
    printed = capsys.readouterr().out
    assert "6 runs side by side: " in printed
    assert "times as fast" in printed
    for run, known in weights.items():
        found = load_file(run / FILES[0])
        assert list(found) == list(known)
        for name, values in found.items():
            np.testing.assert_allclose(values, known[name], atol=1e-5, err_msg=name)
        probabilities = read_predictions(run / FILES[1]).probabilities
        np.testing.assert_allclose(probabilities, expected[run].probabilities, atol=1e-5)
        columns = [
            np.genfromtxt(text.splitlines(), delimiter=",", skip_header=1)[:, :-1]
            for text in (histories[run], (run / "history.csv").read_text())
        ]
        np.testing.assert_allclose(*columns, atol=1e-5)
    for run, files in before.items():  # as the other tests left it
        for name, content in files.items():
            (run / name).write_bytes(content)


def test_what_cannot_be_stacked_is_said_and_trained_all_the_same(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    changes = ["--set", "models.cnn.folds=batched", "--set", "models.cnn.network.dropout=0.5"]
    arguments = ["--all", "--output", "other", *changes]
    assert main(["train", "study.yaml", "--model", "cnn", *arguments]) == 0
    assert "not side by side: its dropout would draw other numbers" in capsys.readouterr().out
    record = read_json(study / "other/fold-2/seed-7/run.json")
    assert record["specification"]["network"]["dropout"] == 0.5


MEL, TRACE = ({"feature": f} for f in ("log_mel", "trace"))
TWO = {
    "type": "branches",
    "join": "gated_sum",
    "branches": {
        "mel": {**MEL, "network": {"type": "cnn2d", "channels": [4]}},
        "trace": {**TRACE, "network": {"type": "dense", "hidden": [4]}},
    },
}
CROP = [{"type": "random_crop", "size": 0.5}]


@pytest.mark.parametrize(
    "model",
    [
        {"network": TWO, "training": {"epochs": 2, "batch_size": 4}},
        {
            **TRACE,
            "network": {"type": "dense", "hidden": [4]},
            "training": {"epochs": 2, "batch_size": 4, "augmentation": CROP, "crops": 2},
        },
        {
            **TRACE,
            "network": {"type": "dense", "hidden": [4]},
            "training": {"epochs": 30, "batch_size": 4, "patience": 2},
        },
    ],
    ids=["branches", "crops", "patience"],
)
def test_side_by_side_for_other_models(study, monkeypatch, capsys, model):
    """Branches without lengths, networks built for parts of items, runs that end early."""
    monkeypatch.chdir(study)
    text = yaml.safe_load((study / "study.yaml").read_text())
    text["models"]["other"] = model
    (study / "other.yaml").write_text(yaml.safe_dump(text))
    found = []
    for folds in ("together", "batched"):
        change = ["--set", f"models.other.folds={folds}", "--output", f"other-{folds}"]
        assert main(["train", "other.yaml", "--model", "other", "--all", *change]) == 0
        files = sorted((study / f"other-{folds}").glob("*/*/predictions.csv"))
        found.append([read_predictions(file).probabilities for file in files])
        shutil.rmtree(study / f"other-{folds}")
    assert "6 runs side by side" in capsys.readouterr().out
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "settings", "reason"),
    [
        ({"type": "dense"}, {}, None),
        ({"type": "cnn1d"}, {"optimizer": "sgd", "label_smoothing": 0.1, "focal": 2}, None),
        ({"type": "rnn"}, {}, "recurrent"),
        ({"type": "dense"}, {"schedule": {"type": "plateau"}}, "plateau"),
        ({"type": "dense"}, {"precision": "bf16"}, "precision"),
        ({"type": "dense"}, {"micro_batch": 2}, "micro_batch"),
        ({"type": "dense"}, {"averaging": 0.9}, "averaging"),
        ({"type": "dense"}, {"clip_norm": 1.0}, "clip_norm"),
        ({"type": "dense"}, {"optimizer": "adafactor"}, "matrices"),
    ],
)
def test_obstacles(network, settings, reason):
    found = obstacle(build(network["type"], (1, 64), 2), Training(**settings))
    assert (found is None) if reason is None else (reason in found)


def test_a_fold_that_fails_leaves_the_others_their_results(study, monkeypatch, capsys):
    """The error names what is wrong; what was trained is not trained again."""
    monkeypatch.chdir(study)
    folds = study / "results/tiny/folds.csv"
    kept = folds.read_text()
    clear(study, "dense")
    try:
        # Fold 2 without training items of its own: no such recording.
        lines = kept.splitlines()
        place = lines[0].split(",").index("fold-2")
        rows = [line.split(",") for line in lines]
        for row in rows[1:]:
            row[place] = "dev" if row[place] == "train" else row[place]
        folds.write_text("\n".join(",".join(row) for row in rows) + "\n")
        done = call(["train", "study.yaml", "--model", "dense", "--all", "--threads", "2"], study)
    finally:
        folds.write_text(kept)
    assert done.returncode == 1
    assert "fold 2 has no train items; run split again" in done.stderr
    assert "Traceback" not in done.stderr
    made = {run.parent.name for run in runs(study, "dense") if (run / "run.json").exists()}
    assert made == {"fold-1", "fold-3"}


LONG = ["train", "study.yaml", "--model", "cnn", "--all", "--threads", "2"]
LONG += ["--checkpoint", "0.02", "--set", "models.cnn.training.epochs=60", "--output"]


@pytest.fixture(scope="module")
def whole(study):
    """A longer training that nothing disturbs, in a process that has forked from none."""
    done = subprocess.run(
        [sys.executable, "-m", "deepself", *LONG, "whole"],
        cwd=study,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return study / "whole"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_killed_while_together_it_goes_on(study, whole, tmp_path, sign):
    """Also those runs that had ended: their checkpoints are kept until all have."""
    killed = [*LONG, str(tmp_path / "killed")]
    process = Forked(killed, study)
    for line in process.stdout:
        if "fold 3 seed 0: epoch 30/" in line:
            process.send_signal(sign)
            break
    process.stdout.read()
    assert process.wait() == (143 if sign == signal.SIGTERM else -9)
    again = call(killed, study)
    assert again.returncode == 0, again.stderr
    assert "goes on from epoch" in again.stdout
    for run in sorted(whole.glob("fold-*/seed-*")):
        other = tmp_path / "killed" / run.relative_to(whole)
        for name in FILES:
            assert (run / name).read_bytes() == (other / name).read_bytes()
