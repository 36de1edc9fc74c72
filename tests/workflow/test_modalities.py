"""One study of sounds, pictures and sensor data: windows, true lengths, shards, and a bad file."""

import numpy as np
import pytest
import soundfile

from deepself.store.features import FeatureFile
from deepself.store.files import read_json, read_table
from tests.tiny import RATE, make_recordings, write_study
from tests.workflow.conftest import Workflow

MODALITIES = {
    "audio": {
        "kind": "audio",
        "sample_rate": RATE,
        "duration": {"seconds": "longest", "shorter": "mask"},
    },
    "sensor": {"kind": "sensor", "sample_rate": 200, "channels": [1, 0]},
    "picture": {"kind": "image", "height": 8, "width": 8},
}
MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 32, "n_mels": 16}
FEATURES = {
    "log_mel": {**MEL, "shards": 3, "deltas": 1, "dtype": "float16", "compression": "gzip"},
    "shown": {"kind": "rendered", "of": "log_mel", "height": 12, "width": 8, "layout": "rgb"},
    "trace": {
        "kind": "waveform",
        "modality": "sensor",
        "filter": {"high": 60, "notch": [50]},
        "window": {"seconds": 0.05, "overlap": 0.5, "rest": "zero"},
    },
    "shade": {"kind": "picture", "modality": "picture"},
}
CNN = {"type": "cnn2d", "channels": [4]}
MODELS = {
    "sound": {"feature": "log_mel", "network": CNN},
    "shown": {"feature": "shown", "network": CNN},
    "trace": {"feature": "trace", "network": {"type": "cnn1d", "channels": [4]}},
    "trace_svm": {"feature": "trace", "normalise": "item", "classifier": {"type": "linear_svm"}},
    "shade": {"feature": "shade", "network": CNN},
    "joined": {
        "network": {
            "type": "branches",
            "join": "gated_sum",
            "size": 8,
            "branches": {
                "sound": {"feature": "log_mel", "network": CNN, "initialise": "sound"},
                "shade": {"feature": "shade", "network": CNN},
            },
        }
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modalities")
    make_recordings(folder / "recordings")
    files = folder / "recordings/files"
    (files / "low-1.wav").write_bytes(b"no sound")
    signal, rate = soundfile.read(files / "high-2.wav")
    soundfile.write(files / "high-2.wav", signal[:300], rate)
    for model in MODELS.values():
        model["folds"] = "together"
        if "network" in model:
            model["training"] = {"epochs": 3, "batch_size": 8, "lr": 0.01}
    write_study(
        folder,
        dataset__modalities=MODALITIES,
        dataset__on_error="skip",
        features=FEATURES,
        models=MODELS,
    )
    workflow = Workflow(folder)
    status, output = workflow.run("report")
    assert status == 0, output
    return workflow


def features(workflow):
    found = {}
    for path in workflow.folder.glob("results/features/*.h5"):
        with FeatureFile(path) as file:
            found[path.name.split("-")[0]] = file
    return found


def test_every_model_is_scored(finished):
    rows = read_table(finished.results / "scores.csv")
    assert {row["name"] for row in rows} == {*MODELS, "all", "best"}
    levels = {(row["name"], row["level"]) for row in rows if row["partition"] == "test"}
    windowed = {name for name, level in levels if level == "window"}
    assert windowed == {"trace", "trace_svm"}


def test_recordings_and_windows_are_counted_apart(finished):
    rows = read_table(finished.results / "scores.csv")
    counts = {
        level: sum(
            int(r["items"])
            for r in rows
            if (r["name"], r["partition"], r["level"]) == ("trace", "test", level)
        )
        for level in ("recording", "window")
    }
    assert counts == {"recording": 17, "window": 17 * 7}


def test_recording_that_cannot_be_used_is_left_out_and_reported(finished):
    (row,) = read_table(finished.results / "skipped.csv")
    assert (row["id"], row["modality"]) == ("low-1", "audio")
    assert "low-1" not in (finished.results / "folds.csv").read_text()
    report = (finished.results / "report.html").read_text()
    assert row["reason"] in report


def test_features_hold_true_lengths_windows_and_shards(finished):
    found = features(finished)
    mel = found["log_mel"]
    assert mel.shape == (2, 16, 16)
    assert sorted(set(mel.lengths)) == [10, 16]
    assert (mel.dtype, len(mel.shards)) == ("float16", 3)
    trace = found["waveform"]
    assert trace.shape == (2, 10)
    np.testing.assert_allclose(trace.starts[:7], 0.025 * np.arange(7))
    assert found["rendered"].shape == (3, 12, 8)


def test_branches_read_their_features_and_start_from_a_run(finished):
    record = read_json(finished.results / "runs/joined/fold-1/seed-0/run.json")
    assert [feature["name"] for feature in record["features"]] == ["log_mel", "shade"]
    report = (finished.results / "report.html").read_text()
    assert "log_mel + shade" in report


def test_a_change_to_a_run_reaches_the_branches_that_start_from_it(finished):
    change = "models={sound: {training: {lr: 0.02}}}"
    planned = finished.planned("report", "--config", change)
    assert planned["train_together"] == 2


def test_second_run_does_nothing(finished):
    assert finished.planned("report") == {}


def test_another_number_of_shards_makes_nothing_anew(finished):
    file = finished.folder / "study.yaml"
    study = file.read_text()
    file.write_text(study.replace("shards: 3", "shards: 2"))
    assert finished.planned("report").keys() <= {"report"}
    file.write_text(study)
