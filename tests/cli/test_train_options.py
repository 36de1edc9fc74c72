"""Hyperparameters as options, with a study and without one."""

from pathlib import Path

import pytest

from deepself.cli import main
from deepself.store.files import read_json, read_table
from deepself.study import Layout
from tests.tiny import make_study


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The tiny study, its folds and two of its features."""
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path)
    for verb in (["check"], ["split"]):
        assert main([verb[0], "study.yaml"]) == 0
    for feature in ("log_mel", "trace"):
        assert main(["extract", "study.yaml", "--feature", feature]) == 0
    return {
        kind: str(next(Path("results/features").glob(f"{kind}-*.h5")))
        for kind in ("log_mel", "waveform")
    }


def alone(made, *options, kind="log_mel"):
    folds = ["--folds", "results/tiny/folds.csv"]
    return main(["train", "--input", made[kind], *folds, *options])


def made_in(name, output="results/train"):
    """The only folder of runs of a name: what follows the name tells settings apart."""
    (folder,) = Path(output).glob(f"{name}-*")
    return folder


def specification(folder):
    return read_json(Path(folder) / "run.json")["specification"]


CONVOLUTIONS = [
    "--channels",
    "4",
    "8",
    "--kernel-size",
    "3",
    "5",
    "--stride",
    "1",
    "--padding",
    "2",
]
RECURRENT = ["--rnn-type", "lstm", "--bidirectional", "--rnn-layers", "2", "--rnn-hidden", "6"]
TRAINING = ["--lr", "0.02", "--batch-size", "6", "--epochs", "2", "--optimizer", "sgd"]


def test_every_option_of_a_study_s_model_takes_effect(made):
    options = ["--network", "cnn_rnn", *CONVOLUTIONS, *RECURRENT, *TRAINING]
    options += ["--momentum", "0.5", "--weight-decay", "0.1", "--dropout", "0.1", "--pool", "1"]
    command = ["train", "study.yaml", "--model", "cnn", "--fold", "1", *options]
    assert main([*command, "--output", "mine"]) == 0
    found = specification("mine/fold-1/seed-0")
    network, training = found["network"], found["training"]
    assert network["type"] == "cnn_rnn"
    assert (network["channels"], network["kernel_size"]) == ([4, 8], [3, 5])
    assert (network["stride"], network["padding"], network["pool"]) == (1, 2, 1)
    assert (network["cell"], network["bidirectional"]) == ("lstm", True)
    assert (network["num_layers"], network["hidden_size"], network["dropout"]) == (2, 6, 0.1)
    assert (training["lr"], training["batch_size"], training["epochs"]) == (0.02, 6, 2)
    assert (training["optimizer"], training["momentum"]) == ("sgd", 0.5)
    assert training["weight_decay"] == 0.1


def test_options_change_what_the_study_says_and_keep_the_rest(made):
    command = ["train", "study.yaml", "--model", "cnn", "--fold", "2", "--lr", "0.5"]
    assert main(command) == 0
    found = specification(made_in("tiny-cnn") / "fold-2/seed-0")
    assert found["network"]["channels"] == [4]
    assert (found["training"]["lr"], found["training"]["epochs"]) == (0.5, 3)


def test_options_leave_the_study_s_own_run_alone(made):
    command = ["train", "study.yaml", "--model", "cnn", "--fold", "1"]
    assert main(command) == 0
    layout = Layout("tiny")
    layout.scores.write_text("made")
    before = (layout.run("cnn", "1", 0) / "weights.safetensors").read_bytes()
    assert main([*command, "--lr", "0.5"]) == 0
    assert main([*command, "--lr", "1e30"]) == 1
    assert (layout.run("cnn", "1", 0) / "weights.safetensors").read_bytes() == before
    assert layout.scores.exists()


def test_without_a_study_all_folds_are_trained(made, capsys):
    assert alone(made, "--network", "cnn", "--channels", "4", "--epochs", "2") == 0
    out = capsys.readouterr().out
    assert "mean of 3 folds: dev UAR" in out
    runs = sorted(made_in("cnn2d").glob("fold-*/seed-0/run.json"))
    assert len(runs) == 3
    record = read_json(runs[0])
    assert (record["study"], record["model"], record["features"][0]["kind"]) == (
        "",
        "cnn2d",
        "log_mel",
    )
    assert len(read_table(runs[0].with_name("history.csv"))) == 2


def test_without_a_study_a_run_equals_the_study_s(made):
    """The same network, training, fold and seed give the same bytes."""
    options = ["--network", "cnn", "--channels", "4", "--epochs", "3", "--batch-size", "8"]
    assert alone(made, *options, "--lr", "0.01", "--fold", "1") == 0
    assert main(["train", "study.yaml", "--model", "cnn", "--fold", "1"]) == 0
    own = (made_in("cnn2d") / "fold-1/seed-0/predictions.csv").read_bytes()
    assert own == (Layout("tiny").run("cnn", "1", 0) / "predictions.csv").read_bytes()


@pytest.mark.parametrize(
    ("kind", "network", "type"), [("waveform", "cnn", "cnn1d"), ("log_mel", "cnn", "cnn2d")]
)
def test_cnn_follows_the_axes(made, kind, network, type):
    options = ["--network", network, "--channels", "4", "--epochs", "1", "--fold", "1"]
    assert alone(made, *options, kind=kind) == 0
    assert (made_in(type) / "fold-1/seed-0/run.json").exists()


def test_waves_are_framed(made):
    options = ["--network", "rnn", "--frame", "4", "--epochs", "1", "--fold", "1"]
    assert alone(made, *options, kind="waveform") == 0
    assert specification(made_in("rnn") / "fold-1/seed-0")["network"]["frame"] == 4


def test_other_settings_are_another_folder(made):
    options = ["--network", "dense", "--epochs", "1", "--fold", "1", "--hidden-nodes"]
    for nodes in ("4", "5", "4"):
        assert alone(made, *options, nodes) == 0
    assert len(list(Path("results/train").iterdir())) == 2


def test_leaks_in_a_table_of_folds_are_refused(made, capsys):
    def says(rows):
        Path("odd.csv").write_text("id,label,group,fold-1\n" + rows)
        command = ["train", "--network", "cnn", "--input", made["log_mel"], "--folds", "odd.csv"]
        assert main(command) == 1
        return capsys.readouterr().err

    twice = says("high-0,high,,train\nlow-0,low,,dev\nhigh-0,high,,test\n")
    assert "odd.csv:4: high-0 stands in line 2 too" in twice
    spans = says("high-0,high,a,train\nlow-0,low,b,dev\nhigh-1,high,a,test\n")
    assert "odd.csv: fold 1: group a lies in train and test: a leak" in spans


def test_classifiers_take_no_options_of_networks(made, capsys):
    command = ["train", "study.yaml", "--model", "svm", "--fold", "1", "--epochs", "3"]
    assert main(command) == 1
    assert "--epochs: is for networks; the model is a classifier" in capsys.readouterr().err


def test_hidden_layers_and_nodes(made):
    options = ["--network", "dense", "--epochs", "1", "--fold", "1", "--hidden-layers", "3"]
    assert alone(made, *options, "--hidden-nodes", "5") == 0
    assert specification(made_in("dense") / "fold-1/seed-0")["network"]["hidden"] == [5, 5, 5]
    assert alone(made, *options, "--output", "mine") == 0
    assert (
        specification(made_in("dense", "mine") / "fold-1/seed-0")["network"]["hidden"] == [128] * 3
    )


MISTAKES = [
    (["--network", "rnn", "--channels", "3"], "--channels: rnn has no channels; its settings: bid"),
    (["--network", "rnm"], "--network: unknown type 'rnm', did you mean rnn?"),
    (
        ["--network", "cnn", "--channels", "0"],
        "network.channels.0: input should be greater than 0, not 0",
    ),
    (["--network", "cnn1d"], "--network: cnn1d reads features of kind waveform, joined_"),
    (["--network", "cnn", "--fold", "7"], "results/tiny/folds.csv: no column fold-7; known: 1, 2"),
    (["--lr", "0.1"], "--network: say which; `deepself networks` lists them"),
    (
        ["--network", "cnn", "--pretrained", "imagenet"],
        "--pretrained: cnn2d takes no weights of others",
    ),
    (
        ["--network", "resnet34", "--pretrained", "resnet18"],
        "--pretrained resnet18: is another network than --network resnet34",
    ),
    (["--network", "cnn", "--model", "cnn"], "--model: belongs to a study; give one"),
    (["--network", "cnn", "--channels", "4", "4", "4", "4", "4", "4"], "cnn2d (feature log_mel-"),
    (["--network", "cnn", "--lr", "1e30", "--fold", "1"], "cnn2d (feature log_mel-"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes_are_one_line(made, capsys, options, message):
    assert alone(made, *options) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"deepself train: {message}"), lines


def test_files_that_are_not_what_they_should_be(made, capsys):
    def says(*arguments):
        assert main(["train", *arguments]) == 1
        return capsys.readouterr().err

    network = ["--network", "cnn"]
    assert "--input: say which" in says(*network)
    assert "--folds: say which" in says(*network, "--input", made["log_mel"])
    missing = says(*network, "--input", made["log_mel"], "--folds", "nix.csv")
    assert "nix.csv: no such file" in missing
    other = ["--folds", "results/tiny/inventory.csv"]
    assert "needs the columns id, label and fold-1" in says(
        *network, "--input", made["log_mel"], *other
    )
    folds = ["--folds", "results/tiny/folds.csv"]
    assert "nix.h5: no such feature file" in says(*network, "--input", "nix.h5", *folds)
    Path("odd.csv").write_text("id,label,fold-1\nhigh-0,high,training\n")
    odd = says(*network, "--input", made["log_mel"], "--folds", "odd.csv")
    assert "odd.csv:2: 'training' is none of train, dev, test" in odd
    Path("odd.csv").write_text("id,label,fold-1\nnix,high,train\nhigh-0,high,dev\nlow-0,low,test\n")
    unknown = says(*network, "--input", made["log_mel"], "--folds", "odd.csv")
    assert len(unknown.splitlines()) == 1
    assert "nix" in unknown
    assert "--input: belongs to training without a study" in says(
        "study.yaml", "--input", made["log_mel"]
    )
    assert "--model: say which of the study" in says("study.yaml", "--fold", "1")
