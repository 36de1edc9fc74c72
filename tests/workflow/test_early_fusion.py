"""Features of two modalities, joined: one network reads them, and one classifier."""

import numpy as np
import pytest

from deepself.store.features import FeatureFile
from deepself.store.files import read_json, read_table
from tests.tiny import RATE, make_recordings, write_study
from tests.workflow.conftest import Workflow

MODALITIES = {
    "audio": {"kind": "audio", "sample_rate": RATE},
    "sensor": {"kind": "sensor", "sample_rate": 200, "channels": [0]},
    "picture": {"kind": "image", "height": 8, "width": 6},
}
FEATURES = {
    # 25 frames a second of both: 80 samples at 2000 Hz, 8 at 200 Hz.
    "sound": {"kind": "log_mel", "modality": "audio", "n_fft": 160, "hop_length": 80, "n_mels": 10},
    "trace": {"kind": "log_mel", "modality": "sensor", "n_fft": 32, "hop_length": 8, "n_mels": 6},
    "shade": {"kind": "picture", "modality": "picture"},
    "tall": {"kind": "joined_spectra", "of": ["sound", "trace"], "along": "bins"},
    "all": {"kind": "joined_vectors", "of": ["tall", "shade"], "dtype": "float16"},
}
MODELS = {
    "spectra": {
        "feature": "tall",
        "network": {"type": "cnn2d", "channels": [4]},
        "training": {"epochs": 2, "augmentation": [{"type": "frequency_mask"}]},
    },
    "svm": {"feature": "all", "classifier": {"type": "linear_svm", "complexity": [0.01]}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    make_recordings(folder / "recordings")
    write_study(
        folder,
        dataset__modalities=MODALITIES,
        features=FEATURES,
        models={name: {**model, "folds": "together"} for name, model in MODELS.items()},
        fusions=None,
    )
    workflow = Workflow(folder)
    status, output = workflow.run("report")
    assert status == 0, output
    return workflow


def test_every_model_of_joined_features_is_scored(finished):
    rows = read_table(finished.results / "scores.csv")
    assert {row["name"] for row in rows} == set(MODELS)
    svm = [float(r["uar"]) for r in rows if r["name"] == "svm" and r["partition"] == "test"]
    assert np.mean(svm) > 0.9  # the shades alone tell the classes apart


def test_a_run_says_what_it_read(finished):
    record = read_json(finished.results / "runs/spectra/fold-1/seed-0/run.json")
    (feature,) = record["features"]
    assert (feature["name"], feature["kind"]) == ("tall", "joined_spectra")
    with FeatureFile(finished.folder / feature["file"]) as file:
        assert file.specification["parts"] == [10, 6]
    assert "Joined rows: 10 of log_mel of audio" in (finished.results / "report.html").read_text()


def test_second_run_does_nothing(finished):
    assert finished.planned("report") == {}


def test_a_change_of_one_source_remakes_what_is_joined_of_it(finished):
    planned = finished.planned("report", "--config", "features={trace: {fmin: 1}}")
    assert planned["extract"] == 3  # it, and both that hold it
    assert sum(jobs for rule, jobs in planned.items() if rule.startswith("train")) == 2, planned
