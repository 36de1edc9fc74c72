"""Snapshots: what each cycle of a cosine ends with, kept beside the best epoch."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.numpy import load_file
from torch import nn

from deepself.cli import main
from deepself.store.files import read_json, read_table
from deepself.store.predictions import read_predictions
from deepself.study import Layout, load
from deepself.study.identity import model_slice, trial_slice
from deepself.study.training import Training
from deepself.training.checkpoints import Checkpoints
from deepself.training.signals import Signals
from deepself.training.trial import prepare_trial
from tests.forking import Forked, call
from tests.tiny import make_study
from tests.training.toys import make_loop

FILES = ("weights.safetensors", "predictions.csv")


def cosine(cycles, **more):
    return {"type": "cosine", "cycles": cycles, **more}


# When they are kept.


@pytest.mark.parametrize(
    ("epochs", "cycles", "warmup", "ends"),
    [
        (6, 3, 0, [2, 4, 6]),
        (10, 4, 0, [3, 5, 8, 10]),
        (3, 3, 0, [1, 2, 3]),
        (7, 1, 2, [7]),
        (7, 2, 1, [4, 7]),
        (9, 3, 0.5, [3, 6, 9]),
        (100, 6, 5, [21, 37, 53, 68, 84, 100]),
    ],
)
def test_cycles_end_with_epochs(epochs, cycles, warmup, ends):
    settings = Training(epochs=epochs, schedule=cosine(cycles, warmup=warmup), snapshots=cycles > 1)
    assert settings.schedule.ends(epochs) == ends
    assert settings.snapshot_epochs == (ends if cycles > 1 else [])


@pytest.mark.parametrize("warmup", [0, 0.3, 1, 2.5])
def test_cycles_are_as_even_as_epochs_allow(warmup):
    for epochs in range(4, 40):
        for cycles in range(2, int(epochs - warmup) + 1):
            schedule = Training(epochs=epochs, schedule=cosine(cycles, warmup=warmup)).schedule
            ends = schedule.ends(epochs)
            lengths = np.diff(ends)
            assert ends[0] > warmup
            assert ends[-1] == epochs
            assert lengths.min() >= 1
            assert np.ptp(lengths) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"snapshots": True}, "set schedule to a cosine of two or more"),
        ({"snapshots": True, "schedule": cosine(1)}, "set schedule to a cosine of two or more"),
        (
            {"snapshots": True, "schedule": {"type": "step"}},
            "set schedule to a cosine of two or more",
        ),
        (
            {"epochs": 3, "snapshots": True, "schedule": cosine(4)},
            r"schedule.cycles \(4\) need an epoch each",
        ),
        (
            {"epochs": 5, "schedule": cosine(4, warmup=1.5)},
            r"after the warm-up \(1.5\); epochs are 5",
        ),
    ],
)
def test_what_cannot_be_is_said(settings, message):
    with pytest.raises(ValidationError, match=message):
        Training(**settings)


# What they hold.

SETTINGS = Training(
    epochs=6, batch_size=8, lr=0.05, schedule=cosine(3), snapshots=True, averaging=0.9
)


def network():
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def run(settings=SETTINGS, checkpoints=None, signals=None):
    loop = make_loop(
        settings, network=network(), checkpoints=checkpoints, signals=signals or Signals()
    )
    loop.run()
    return loop


def test_they_are_the_weights_of_their_epochs():
    """A shorter training of the same cycles ends with the same weights."""
    plain = SETTINGS.model_copy(update={"averaging": None})
    loop = run(plain)
    assert list(loop.course.snapshots) == [2, 4, 6]
    for name, value in loop.network.state_dict().items():
        assert torch.equal(loop.course.snapshots[6][name], value)
    first = run(Training(epochs=2, batch_size=8, lr=0.05, schedule=cosine(1)))
    assert first.course.snapshots == {}
    for name, value in first.network.state_dict().items():
        assert torch.equal(loop.course.snapshots[2][name], value)
        if value.is_floating_point():
            assert not torch.equal(loop.course.snapshots[4][name], value)


def test_with_averaging_they_are_the_averages():
    loop = run()
    for name, value in loop._averaging.state_dict().items():
        assert torch.equal(loop.course.snapshots[6][name], value)
    assert not torch.equal(loop.course.snapshots[6]["0.weight"], loop.network[0].weight)


def test_they_change_nothing_else():
    with_, without = run(), run(SETTINGS.model_copy(update={"snapshots": False}))
    assert without.course.snapshots == {}
    assert with_.course.best.epoch == without.course.best.epoch
    for name, value in without.network.state_dict().items():
        assert torch.equal(with_.network.state_dict()[name], value)


def test_of_a_training_that_ends_early_only_those_reached_are_there():
    loop = run(SETTINGS.model_copy(update={"patience": 3, "lr": 1e-9}))
    assert loop.course.stopped == "patience"
    assert len(loop.course.history) in (4, 5)
    assert list(loop.course.snapshots) == [2, 4]


class StopAfter(Signals):
    """SIGTERM after so many batches and epochs."""

    def __init__(self, looks):
        self.left = looks

    @property
    def save(self):
        self.left -= 1
        return self.left < 0

    @save.setter
    def save(self, value):
        pass

    @property
    def stop(self):
        return self.left < 0


@pytest.mark.parametrize("looks", [7, 11, 12, 20, 35])
def test_killed_and_started_again_they_are_the_same(tmp_path, looks):
    """Also where one was reached before, or just when it was stopped: six looks are an epoch."""
    expected = run()
    file = tmp_path / "checkpoint"
    with pytest.raises(SystemExit):
        run(checkpoints=Checkpoints(file, "same"), signals=StopAfter(looks))
    found = run(checkpoints=Checkpoints(file, "same"))
    assert list(found.course.snapshots) == list(expected.course.snapshots) == [2, 4, 6]
    for epoch, weights in expected.course.snapshots.items():
        for name, value in weights.items():
            assert torch.equal(found.course.snapshots[epoch][name], value)


# The whole verb.

TRAINING = {
    "epochs": 6,
    "batch_size": 8,
    "lr": 0.02,
    "schedule": {"type": "cosine", "cycles": 3},
    "snapshots": True,
}
CHANGES = {
    "features__log_mel__window": {"seconds": 0.1},
    "models__cnn__training": TRAINING,
    "models__dense__training": TRAINING,
    "seeds": [0, 1],
    "fusions": None,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots")
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


def train(study, monkeypatch, model="cnn", *more):
    monkeypatch.chdir(study)
    assert main(["train", "study.yaml", "--model", model, "--fold", "1", *more]) == 0
    return study / f"results/tiny/runs/{model}/fold-1/seed-0"


def content(run):
    return {path.relative_to(run): path.read_bytes() for path in sorted(run.glob("snapshots/*/*"))}


def test_a_runs_folder_has_them(study, monkeypatch):
    folder = train(study, monkeypatch)
    record = read_json(folder / "run.json")
    assert record["snapshots"] == [2, 4, 6]
    assert sorted(p.name for p in (folder / "snapshots").iterdir()) == ["1", "2", "3"]
    own = read_predictions(folder / "predictions.csv")
    assert own.starts is not None
    history = read_table(folder / "history.csv")
    for number, epoch in enumerate(record["snapshots"], 1):
        kept = folder / "snapshots" / str(number)
        assert sorted(p.name for p in kept.iterdir()) == sorted(FILES)
        found = read_predictions(kept / "predictions.csv")
        for name in ("ids", "partition", "labels", "starts"):
            np.testing.assert_array_equal(getattr(found, name), getattr(own, name))
        # They are of that epoch: its UAR on dev, of recordings, is the history's.
        dev = found.recordings().part("dev")
        recalls = [np.mean(dev.predicted[dev.true == c] == c) for c in np.unique(dev.true)]
        assert np.mean(recalls) == pytest.approx(float(history[epoch - 1]["dev_uar"]))
        weights, best = load_file(kept / FILES[0]), load_file(folder / FILES[0])
        assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in best.items()}
        same = all(np.array_equal(weights[name], best[name]) for name in best)
        assert same == (epoch == record["best"]["epoch"])
        assert (found.probabilities == own.probabilities).all() == same


def test_the_same_bytes_again(study, monkeypatch):
    first = content(train(study, monkeypatch))
    assert len(first) == 6
    assert content(train(study, monkeypatch)) == first


def test_those_of_an_earlier_run_are_removed(study, monkeypatch):
    folder = train(study, monkeypatch)
    fewer = ["--set", "models.cnn.training.schedule.cycles=2"]
    assert train(study, monkeypatch, "cnn", *fewer) == folder
    assert sorted(p.name for p in (folder / "snapshots").iterdir()) == ["1", "2"]
    none = ["--set", "models.cnn.training.snapshots=false"]
    train(study, monkeypatch, "cnn", *none)
    assert not (folder / "snapshots").exists()
    assert "snapshots" not in read_json(folder / "run.json")


def test_a_run_that_fails_leaves_those_of_the_one_before(study, monkeypatch):
    folder = train(study, monkeypatch)
    before = content(folder)
    arguments = ["train", "study.yaml", "--model", "cnn", "--fold", "1"]
    assert main([*arguments, "--set", "models.cnn.network.channels=[2,2,2,2,2]"]) == 1
    assert content(folder) == before


def test_killed_from_outside_they_are_the_same(study, monkeypatch):
    """SIGKILL after the first is reached; what a checkpoint held is not trained again."""
    monkeypatch.chdir(study)
    code = ["train", "study.yaml", "--model", "cnn", "--fold", "1", "--checkpoint", "0.02"]
    code += ["--set", "models.cnn.training.epochs=90"]
    folders = [study / name / "fold-1/seed-0" for name in ("whole", "killed")]
    whole, killed = ([*code, "--output", name] for name in ("whole", "killed"))
    assert call(whole).returncode == 0
    process = Forked(killed)
    for line in process.stdout:
        if line.startswith("epoch 45/"):
            process.kill()
            break
    process.stdout.read()
    assert process.wait() == -9
    assert not (folders[1] / "run.json").exists()
    again = call(killed)
    assert again.returncode == 0, again.stderr
    went_on = re.search(r"goes on from epoch (\d+)", again.stdout)
    assert went_on, again.stdout
    assert int(went_on[1]) > 30
    assert len(content(folders[0])) == 6
    assert content(folders[1]) == content(folders[0])
    assert read_json(folders[1] / "run.json")["snapshots"] == [30, 60, 90]


def test_trials_of_a_search_have_none(study, monkeypatch):
    """Whether runs keep some does not shape them."""
    text = yaml.safe_load((study / "study.yaml").read_text())
    searched = text["models"]["dense"]
    searched["training"] = {**TRAINING, "lr": {"choice": [0.01, 0.02]}}
    searched["search"] = {"method": "grid"}
    (study / "searched.yaml").write_text(yaml.safe_dump(text))
    monkeypatch.chdir(study)
    loaded = load(study / "searched.yaml")
    trial = prepare_trial(loaded, Layout(loaded.name), "dense", "1", 0)
    assert trial.job.training.schedule.cycles == 3
    assert trial.job.training.snapshot_epochs == []
    searched["training"]["snapshots"] = False
    (study / "searched.yaml").write_text(yaml.safe_dump(text))
    without = load(study / "searched.yaml")
    assert trial_slice(without, "dense") == trial_slice(loaded, "dense")
    assert model_slice(without, "dense") != model_slice(loaded, "dense")


def test_together_they_are_the_same_and_side_by_side_nearly(study, monkeypatch, capsys):
    expected = content(train(study, monkeypatch, "dense"))
    runs = study / "results/tiny/runs/dense"
    for folds in ("together", "batched"):
        shutil.rmtree(runs)
        more = ["--all", "--set", f"models.dense.folds={folds}"]
        assert main(["train", "study.yaml", "--model", "dense", *more]) == 0
        for run in runs.glob("*/*"):
            record = read_json(run / "run.json")
            assert record["snapshots"] == [2, 4, 6]
            assert "memory" not in record
            assert len(content(run)) == 6
        found = content(runs / "fold-1/seed-0")
        if folds == "together":
            assert found == expected
    assert "6 runs side by side" in capsys.readouterr().out
    for number in "123":
        again = read_predictions(runs / f"fold-1/seed-0/snapshots/{number}/predictions.csv")
        one = study / "one.csv"
        one.write_bytes(expected[Path("snapshots", number, "predictions.csv")])
        np.testing.assert_allclose(
            again.probabilities, read_predictions(one).probabilities, atol=1e-5
        )
