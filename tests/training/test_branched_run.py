"""A run of a network with a branch a feature."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from deepself.cli import main
from deepself.store.files import canonical_json, read_json
from deepself.study import Layout, load
from deepself.study.identity import model_slice
from tests.tiny import make_study

MEL = {"feature": "log_mel", "network": {"type": "cnn2d", "channels": [4]}}
DENSE = {"type": "dense", "hidden": [8]}
TRACE = {"feature": "trace", "network": DENSE}


def branched(join="concatenation", mel=(), trace=()):
    branches = {"mel": {**MEL, **dict(mel)}, "trace": {**TRACE, **dict(trace)}}
    network = {"type": "branches", "join": join, "size": 8, "heads": 2, "branches": branches}
    training = {"epochs": 4, "batch_size": 8, "lr": 0.01}
    return {"network": network, "training": training}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study with a model of two branches, its features made."""
    monkeypatch.chdir(tmp_path)
    file = str(make_study(tmp_path, models__both=branched()))
    for verb in ("check", "split"):
        assert main([verb, file]) == 0
    for feature in ("log_mel", "trace"):
        assert main(["extract", file, "--feature", feature]) == 0
    return file


def train(study, *more, model="both"):
    return main(["train", study, "--model", model, "--fold", "1", *more])


def run_folder(model="both"):
    return Layout("tiny").run(model, "1", 0)


@pytest.mark.parametrize("join", ["concatenation", "gated_sum", "cross_attention"])
def test_run_reads_every_branch_and_learns(study, join):
    assert train(study, "--set", f"models.both.network.join={join}") == 0
    record = read_json(run_folder() / "run.json")
    assert [feature["name"] for feature in record["features"]] == ["log_mel", "trace"]
    assert record["specification"]["network"]["join"] == join
    assert record["scores"]["test"]["uar"] > 0.5  # of three classes
    weights = load_file(run_folder() / "weights.safetensors")
    starts = {name.split(".")[2] for name in weights if name.startswith("network.networks.")}
    assert starts == {"mel_branch", "trace_branch"}
    assert {name for name in weights if name.startswith("normaliser.")} == {
        f"normaliser.{branch}.{statistic}"
        for branch in ("mel", "trace")
        for statistic in ("mean", "deviation")
    }


def test_two_runs_are_bit_identical(study):
    assert train(study) == 0
    first = (run_folder() / "weights.safetensors").read_bytes()
    assert train(study) == 0
    assert (run_folder() / "weights.safetensors").read_bytes() == first


def test_branches_start_from_runs(study):
    """With a learning rate of almost nothing, a branch stays what the other run has learnt."""
    assert train(study, model="cnn") == 0
    branches = yaml.safe_dump(branched(mel={"initialise": "cnn"})["network"]["branches"])
    change = f"models.both.network.branches={yaml.safe_load(branches)}"
    slow = ["--set", "models.both.training.lr=1e-30", "--set", "models.both.training.epochs=1"]
    assert train(study, "--set", change, *slow) == 0
    single = load_file(run_folder("cnn") / "weights.safetensors")
    both = load_file(run_folder() / "weights.safetensors")
    shared = [name for name in single if name.startswith("network.") and "classifier" not in name]
    assert shared
    for name in shared:
        if "running" not in name and "num_batches" not in name:
            own = both[name.replace("network.", "network.networks.mel_branch.", 1)]
            np.testing.assert_allclose(own, single[name], rtol=1e-6)


MISTAKES = [
    (
        "models.both.network.branches.mel.feature=logmel",
        "models.both.network.branches.mel.feature: unknown feature 'logmel', did you mean log_mel?",
    ),
    (
        "models.both.network.branches.mel.network.chanels=[4]",
        "models.both.network.branches.mel.network.chanels: unknown key, did you mean channels?",
    ),
    (
        "models.both.network.branches.mel.network.type=cnn1d",
        "models.both.network.branches.mel.feature: "
        "cnn1d reads features of kind waveform, joined_waveforms; log_mel",
    ),
    ("models.both.feature=log_mel", "models.both: feature and normalise belong to each branch"),
    ("models.both.network.join=sum", "models.both.network.join: input should be 'concatenation'"),
    (
        "models.both.network.size=9",
        "models.both.network: size (9) must be a multiple of heads (2",
    ),
    (
        "models.both.network.branches={mel: {feature: log_mel, network: {type: cnn2d}}}",
        "models.both.network.branches: give at least 2",
    ),
    (
        "models.both.network.branches.mel.initialise=cnm",
        "models.both.network.branches.mel.initialise: unknown model 'cnm', did you mean cnn?",
    ),
    (
        "models.both.network.branches.mel.initialise=dense",
        "models.both.network.branches.mel.initialise: dense reads trace, not log_mel",
    ),
    (
        "models.both.training.fine_tuning={train: head}",
        "models.both.training.fine_tuning: is for pretrained weights; the network has none",
    ),
    (
        "features.log_mel.window={seconds: 0.1}",
        "models.both.network: branches read whole recordings; log_mel has windows",
    ),
    (
        "models.both.network.branches.mel.network={type: branches}",
        "models.both.network.branches.mel.network.type: a branch cannot have branches",
    ),
    (
        "models.both.network.branches.mel.initialise=both",
        "models.both.network.branches.mel.initialise: a model cannot start from itself",
    ),
    ("models.cnn.network={type: branches}", "models.cnn.network.branches: missing; add it"),
]


@pytest.mark.parametrize(("override", "message"), MISTAKES)
def test_mistakes_name_their_key(tmp_path, monkeypatch, capsys, override, message):
    monkeypatch.chdir(tmp_path)
    file = str(make_study(tmp_path, models__both=branched("cross_attention")))
    assert main(["check", file, "--set", override]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"deepself check: {file}: {message}") for line in lines), lines


def test_a_branch_may_have_any_name(study):
    """Also those that a module keeps for itself."""
    branches = {"items": MEL, "type": TRACE}
    assert train(study, "--set", f"models.both.network.branches={branches}") == 0


def test_slice_tells_branches_apart_by_what_they_read_and_their_order(study):
    """Snakemake compares the files of all branches as a set; the slice must know which is whose."""

    def slice_of(branches):
        change = [f"models.both.network.branches={branches}"]
        return canonical_json(model_slice(load(study, change), "both"))

    dense = {"type": "dense"}
    mel, trace = ({"feature": name, "network": dense} for name in ("log_mel", "trace"))
    found = [
        slice_of({"a": mel, "b": trace}),
        slice_of({"a": trace, "b": mel}),
        slice_of({"b": trace, "a": mel}),
        slice_of({"a": mel, "b": {**trace, "initialise": "dense", "network": DENSE}}),
    ]
    assert len(set(found)) == len(found)


def test_run_that_a_branch_starts_from_must_be_there(study, capsys):
    change = "models.both.network.branches.mel.initialise=cnn"
    assert train(study, "--set", change) == 1
    assert "is not there yet; train that model on this fold first" in capsys.readouterr().err


def test_training_options_are_for_the_whole_others_for_one_network(study, capsys):
    assert train(study, "--lr", "0.5", "--epochs", "1", "--output", "mine") == 0
    record = read_json(Path("mine/fold-1/seed-0/run.json"))
    assert record["specification"]["training"]["lr"] == 0.5
    assert train(study, "--channels", "3") == 1
    assert "--channels: is for one network; change a branch's by --set" in capsys.readouterr().err


def test_branch_that_does_not_fit_is_named(study, capsys):
    deep = "models.both.network.branches.mel.network.channels=[4,4,4,4,4,4]"
    assert train(study, "--set", deep) == 1
    message = capsys.readouterr().err
    assert "models.both (feature log_mel (1, 16, 8), trace (2, 40)): network: branches.mel: layer 4"
    assert "branches.mel: layer 4" in message
