"""A study from recordings to report; then, what reruns when something changes."""

import json

import pytest
import yaml

from deepself.store.files import read_table
from tests.sharing import copied
from tests.workflow.conftest import Workflow, whole_study


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tiny study, run once; tests that change it work on copies of their own."""
    folder = tmp_path_factory.mktemp("finished")
    return Workflow(copied(whole_study(folder).folder, folder))


def change(workflow, edit):
    file = workflow.folder / "study.yaml"
    study = yaml.safe_load(file.read_text())
    edit(study)
    file.write_text(yaml.safe_dump(study, sort_keys=False))


def test_every_run_and_fusion_is_scored(finished):
    rows = read_table(finished.results / "scores.csv")
    keys = {(row["name"], row["kind"], row["fold"], row["partition"]) for row in rows}
    kinds = {"svm": "model", "cnn": "model", "dense": "model", "all": "fusion", "best": "fusion"}
    folds, partitions = ("1", "2", "3"), ("dev", "test")
    assert keys == {(n, kind, f, p) for n, kind in kinds.items() for f in folds for p in partitions}
    svm = [float(r["uar"]) for r in rows if r["name"] == "svm" and r["partition"] == "test"]
    assert min(svm) > 0.9  # tones against noise


def test_report_and_tracking_stand(finished):
    assert (finished.results / "report.html").stat().st_size < 15e6
    tracked = json.loads((finished.results / "tracking.json").read_text())
    assert (finished.folder / "results/mlflow.db").exists()
    # the study, 3 models and 2 fusions, each with 3 folds
    assert len(tracked["runs"]) == 1 + 5 + 15


def test_second_run_does_nothing_and_says_so(finished):
    status, output = finished.run()
    assert status == 0
    assert "Nothing to be done" in output


def test_both_models_read_one_feature_file(finished):
    names = sorted(f.name.split("-")[0] for f in finished.folder.glob("results/features/*.h5"))
    assert names == ["log_mel", "waveform"]  # not `wave`, which no model asks for


def test_learning_rate_reruns_its_model_and_what_follows(whole_copy):
    change(whole_copy, lambda s: s["models"]["cnn"]["training"].update(lr=0.02))
    expected = {"train": 3, "fuse": 6, "score": 1, "map": 1, "report": 1, "track": 1, "all": 1}
    assert whole_copy.planned() == expected


def test_feature_setting_reruns_that_feature_and_its_models(whole_copy):
    change(whole_copy, lambda s: s["features"]["log_mel"].update(n_mels=12))
    planned = whole_copy.planned()
    assert planned["extract"] == 1
    assert (planned["train"], planned["train_classifier_together"]) == (3, 1)  # cnn, svm
    assert "train_together" not in planned  # dense
    assert "check" not in planned


def test_new_fusion_trains_nothing(whole_copy):
    change(whole_copy, lambda s: s["fusions"].update(pair={"members": ["cnn", "dense"]}))
    expected = {"fuse": 3, "score": 1, "report": 1, "track": 1, "all": 1}
    assert whole_copy.planned() == expected


def test_order_of_keys_reruns_no_job_but_the_report(whole_copy):
    def turn(study):
        study["models"]["cnn"] = dict(reversed(study["models"]["cnn"].items()))
        study["features"]["log_mel"] = dict(reversed(study["features"]["log_mel"].items()))

    change(whole_copy, turn)
    assert whole_copy.planned() == {}


def test_override_on_the_command_line_counts(whole_copy):
    override = 'models={"dense": {"training": {"epochs": 4}}}'
    planned = whole_copy.planned("--config", override)
    assert planned["train_together"] == 1


def test_second_study_shares_the_features(whole_copy):
    def another(study):
        study["name"] = "second"
        study["features"]["mel"] = study["features"].pop("log_mel")
        for model in ("svm", "cnn"):
            study["models"][model]["feature"] = "mel"

    change(whole_copy, another)
    status, output = whole_copy.run("score")
    assert status == 0, output
    assert "rule extract" not in output
    assert len(list(whole_copy.folder.glob("results/features/*.h5"))) == 2


def test_changed_recording_renews_its_modality_alone(whole_copy):
    make = whole_copy.folder / "recordings/files/low-1.csv"
    make.write_text(make.read_text().replace("-", "", 1))
    before = {f.name for f in whole_copy.folder.glob("results/features/*.h5")}
    status, output = whole_copy.run("score")
    assert status == 0, output
    after = {f.name for f in whole_copy.folder.glob("results/features/*.h5")}
    assert {name.split("-")[0] for name in after - before} == {"waveform"}
    assert "rule train:" not in output
    assert output.count("rule train_together:") == 1  # dense reads it; the folds are as before
