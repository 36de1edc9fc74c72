"""What a study will take: counted right, scaled right, replaced by what was measured."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from deepself.cli import main
from deepself.planning.cost import DAY, LEAST_MB, LEAST_MINUTES, MB, Cost
from deepself.planning.units import units
from deepself.planning.work import Work
from deepself.store.files import read_json, write_json
from tests.tiny import make_study

SEARCHED = {
    "models__searched": {
        "feature": "trace",
        "network": {"type": "dense", "hidden": [4]},
        "training": {"epochs": 2, "lr": {"choice": [0.01, 0.001]}},
        "search": {"method": "grid"},
    },
    "models__together": {
        "feature": "trace",
        "network": {"type": "dense", "hidden": [4]},
        "training": {"epochs": 2},
        "folds": "together",
    },
    "features__trace__shards": 2,
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A study of which one model is trained, but for one fold."""
    folder = tmp_path_factory.mktemp("planning")
    file = str(make_study(folder, **SEARCHED))
    before = os.getcwd()
    os.chdir(folder)
    try:
        for arguments in (["check"], ["split"], ["extract", "--feature", "log_mel"]):
            assert main([arguments[0], file, *arguments[1:]]) == 0
        for fold in "12":
            assert main(["train", file, "--model", "cnn", "--fold", fold]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def study(begun, tmp_path, monkeypatch):
    shutil.copytree(begun, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def planned(study, capsys):
    def plan(*arguments):
        capsys.readouterr()
        assert main(["plan", "study.yaml", "--json", *arguments]) == 0
        found = json.loads(capsys.readouterr().out)
        found["lines"] = {(line["stage"], line["name"]): line for line in found["lines"]}
        return found

    return plan


def counts(line):
    return line["jobs"], line["to_do"], line["anew"]


def test_jobs_are_those_of_the_workflow_and_what_stands_is_done(planned):
    lines = planned()["lines"]
    assert {key: counts(line) for key, line in lines.items()} == {
        ("check", ""): (1, 0, 0),
        ("split", ""): (1, 0, 0),
        ("extract", "log_mel"): (1, 0, 0),
        ("extract", "trace"): (3, 3, 0),  # two shards, and what joins them; `wave` is not read
        ("trial", "searched"): (6, 6, 0),
        ("train", "svm"): (3, 3, 0),
        ("train", "cnn"): (3, 1, 0),
        ("train", "dense"): (3, 3, 0),
        ("train", "searched"): (3, 3, 0),
        ("train", "together"): (1, 1, 0),
        ("fuse", "all"): (3, 3, 0),
        ("fuse", "best"): (3, 3, 0),
        **{(stage, ""): (1, 1, 0) for stage in ("score", "map", "report", "track")},
    }


def test_what_runs_took_stands_in_place_of_an_estimate(planned, study):
    files = sorted(study.glob("results/tiny/runs/cnn/*/*/run.json"))
    # A run knows its memory if it had its process to itself.
    write_json(files[0], read_json(files[0]) | {"memory": 123_456_789})
    cost = planned()["lines"]["train", "cnn"]["each"]
    assert cost["measured"]
    assert cost["memory"] == 123_456_789
    took = [read_json(file)["seconds"]["total"] + units().start for file in files]
    assert min(took) <= cost["seconds"] <= max(took)
    assert not planned()["lines"]["train", "dense"]["each"]["measured"]


def test_a_change_says_what_it_would_rerun(planned):
    found = planned("--set", "models.cnn.training.lr=0.5")
    assert counts(found["lines"]["train", "cnn"]) == (3, 3, 2)
    assert not found["lines"]["train", "cnn"]["each"]["measured"]
    assert counts(found["lines"]["extract", "log_mel"]) == (1, 0, 0)
    found = planned("--set", "features.log_mel.n_mels=12")
    assert counts(found["lines"]["extract", "log_mel"]) == (1, 1, 0)
    assert counts(found["lines"]["train", "cnn"]) == (3, 3, 2)


def test_on_paper_a_study_grows_with_its_recordings(planned):
    few, many = planned("--recordings", "1800"), planned("--recordings", "1800000")
    assert many["lines"]["check", ""]["to_do"] == 1  # nothing is done on paper
    for key, most in (("extract", "log_mel"), 1.01), (("train", "dense"), 1.2):
        before, after = (found["lines"][key]["each"] for found in (few, many))
        assert after["disk"] == pytest.approx(1000 * before["disk"], rel=most - 1)
    shape = 16 * 8
    assert few["lines"]["extract", "log_mel"]["each"]["disk"] == 1800 * shape * 4
    start = units().start
    seconds = [f["lines"]["train", "cnn"]["each"]["seconds"] - start for f in (few, many)]
    assert seconds[1] == pytest.approx(1000 * seconds[0], rel=0.01)
    # A network's items are in memory, and may take 60 % of it.
    memory = many["lines"]["train", "cnn"]["each"]["memory"]
    assert memory == pytest.approx(1.8e6 * shape * 4 / 0.6, rel=0.5)


def test_more_cores_take_less_time_but_not_less_than_the_longest_job(planned):
    arguments = ("--recordings", "100000")
    one, two, many = (planned(*arguments, "--cores", n) for n in ("1", "2", "100000"))
    assert one["seconds"] == pytest.approx(one["core_seconds"])
    assert one["seconds"] > two["seconds"] > many["seconds"]
    assert many["seconds"] >= max(line["each"]["seconds"] for line in many["lines"].values())


def test_a_cluster_is_asked_for_enough(planned, study):
    found = planned()
    asked = found["requests"]["models"]["cnn"]
    assert asked["mem_mb"] * MB > found["lines"]["train", "cnn"]["each"]["memory"]
    assert read_json(study / "results/tiny/plan.json")["models"] == found["requests"]["models"]


def test_requests_have_a_floor_and_time_a_ceiling():
    small, large = Cost(1.0, 1.0), Cost(1e9, 1e12)
    assert (small.mem_mb, small.minutes) == (LEAST_MB, LEAST_MINUTES)
    assert large.mem_mb * MB > 1e12
    assert large.minutes == DAY


def test_estimate_of_memory_covers_what_a_run_took(planned, study):
    train = [sys.executable, "-m", "deepself", "train", "study.yaml"]
    subprocess.run([*train, "--model", "cnn", "--fold", "1"], cwd=study, check=True)
    took = read_json(study / "results/tiny/runs/cnn/fold-1/seed-0/run.json")["memory"]
    asked = planned("--set", "models.cnn.training.lr=0.5")["requests"]["models"]["cnn"]
    assert asked["mem_mb"] * MB > took


def test_more_work_costs_more():
    small = Work(10, 10**6, 10**5, 10**5, 0)
    unit = units()
    for field in ("layers", "multiply_adds", "activations", "weights"):
        large = small._replace(**{field: 1000 * getattr(small, field)})
        assert unit.step_seconds(large, 8) >= unit.step_seconds(small, 8)
        assert unit.training_bytes(large, 8) >= unit.training_bytes(small, 8)
    assert unit.step_seconds(small, 64) > unit.step_seconds(small, 8)
    assert unit.forward_seconds(small, 8) < unit.step_seconds(small, 8)
    assert unit.fit_seconds("rbf_svm", 4000, 64) > unit.fit_seconds("rbf_svm", 400, 64)


def test_network_that_does_not_fit_is_refused(study, capsys):
    channels = "models.cnn.network.channels=[4, 4, 4, 4, 4, 4]"
    assert main(["plan", "study.yaml", "--set", channels]) == 1
    error = capsys.readouterr().err
    assert error.startswith("deepself plan: models.cnn (feature log_mel (1, 16, 8)): network: ")
    assert error.count("\n") == 1


def test_labels_that_are_one_class_need_not_all_be_among_the_few(tmp_path, monkeypatch, capsys):
    make_study(tmp_path, dataset__merge={"tone": ["high", "low"]})
    monkeypatch.chdir(tmp_path)
    assert main(["check", "study.yaml"]) == 0, capsys.readouterr().err


def test_before_anything_is_there_a_few_recordings_tell(tmp_path, monkeypatch, capsys):
    make_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "study.yaml"]) == 0
    out = capsys.readouterr().out
    assert "tiny: 18 recordings, 3 folds" in out
    assert "to do: 23 jobs, " in out
    assert not (tmp_path / "results").exists()


def test_sources_of_features_and_weights_are_counted(tmp_path, monkeypatch, capsys):
    embedding = {"kind": "embedding", "of": "mel", "network": "mn04_as", "weights": "audioset"}
    make_study(
        tmp_path,
        dataset__modalities__audio__sample_rate=32000,
        dataset__modalities__audio__duration={"seconds": 1.0},
        features={"mel": {"kind": "audioset_mel", "modality": "audio"}, "embedding": embedding},
        models={"svm": {"feature": "embedding", "classifier": {"type": "linear_svm"}}},
        fusions={},
    )
    monkeypatch.chdir(tmp_path)
    assert main(["check", "study.yaml"]) == 0
    capsys.readouterr()
    assert main(["plan", "study.yaml", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert [(line["stage"], line["name"], line["jobs"]) for line in lines[:5]] == [
        ("check", "", 1),
        ("split", "", 1),
        ("fetch", "", 1),
        ("extract", "mel", 1),
        ("extract", "embedding", 1),
    ]
    # The weights are not there, but the network is known on paper.
    assert lines[4]["each"]["disk"] == 18 * 384 * 4
    assert lines[4]["each"]["seconds"] > units().start


def test_table_reads_in_a_terminal(study, capsys):
    capsys.readouterr()
    assert main(["plan", "study.yaml", "--set", "models.cnn.training.lr=0.5"]) == 0
    out = capsys.readouterr().out
    assert "\n2 jobs of these once more: their files are of other settings or data\n" in out
    assert "No GPU has been measured" in out
    table = out.splitlines()[1:18]
    assert len({len(line) for line in table[5:10]}) <= 2  # aligned, but for what ends early
