"""Every use of a bundle, end to end, on real recordings of each modality."""

import csv
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image

import deepself
from deepself.cli import main
from deepself.inference.answers import Asked
from deepself.signal.resample import resample
from tests.studying import Finished, finish, inside, probabilities

TRAINING = {"epochs": 2, "batch_size": 8, "lr": 0.003}
CNN = {"type": "cnn2d", "channels": [8]}

MODALITIES = {
    "audio": {"kind": "audio", "sample_rate": 16000, "duration": {"seconds": 2}},
    "eeg": {"kind": "sensor", "sample_rate": 173.61},
    "image": {"kind": "image", "height": 48, "width": 48},
    "film": {"kind": "video", "height": 16, "width": 16, "frame_rate": 10},
}
FEATURES = {
    "audio": {"kind": "log_mel", "modality": "audio", "n_mels": 40},
    "eeg": {"kind": "waveform", "modality": "eeg", "filter": {"low": 0.5, "high": 40}},
    "image": {"kind": "picture", "modality": "image"},
    "film": {"kind": "film", "modality": "film"},
}
NETWORKS = {
    "audio": CNN,
    "eeg": {"type": "cnn1d", "channels": [8], "stride": 4},
    "image": CNN,
    "film": {"type": "cnn3d", "channels": [4]},
}


def shared(*parts):
    data = os.environ.get("DEEPSELF_DATA")
    path = Path(data or "", *parts)
    if not data or not path.exists():
        pytest.skip(f"set DEEPSELF_DATA to the folder that holds {'/'.join(parts)}")
    return path


def rows_of(folder, label, classes, each):
    """The first few rows of some classes of a data set's manifest."""
    with open(folder / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for name in classes for row in [r for r in rows if r[label] == name][:each]]


def take_audio(target):
    data = shared("esc10")
    for row in rows_of(data, "label", ["dog_bark", "rain"], 6):
        shutil.copy(data / row["audio"], target)
        yield Path(row["audio"]).name, row["label"]


def take_eeg(target):
    data = shared("bonn")
    for row in rows_of(data, "label", ["seizure", "non_seizure"], 6):
        shutil.copy(data / row["eeg"], target)
        yield Path(row["eeg"]).name, row["label"]


def take_image(target):
    data = shared("fer2013", "images.tar.xz").parent
    wanted = {row["image"]: row["label"] for row in rows_of(data, "label", ["happy", "sad"], 6)}
    with tarfile.open(data / "images.tar.xz") as archive:
        for member in archive:  # in its order: the first ones stand near its beginning
            name = next((n for n in wanted if member.name.endswith(n)), None)
            if name is not None:
                (target / Path(name).name).write_bytes(archive.extractfile(member).read())
                yield Path(name).name, wanted.pop(name)
            if not wanted:
                return


def take_film(target):
    """Faces and dark that move: no data set has films here."""
    av = pytest.importorskip("av")
    random = np.random.default_rng(0)
    for number in range(12):
        label = ("bright", "dark")[number % 2]
        name = f"{label}-{number}.mp4"
        with av.open(str(target / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height = 64, 48
            for _ in range(20):
                shade = 200 if label == "bright" else 50
                pixels = np.clip(shade + 30 * random.standard_normal((48, 64, 3)), 0, 255)
                frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        yield name, label


TAKE = {"audio": take_audio, "eeg": take_eeg, "image": take_image, "film": take_film}


class Real(Finished):
    """A small study of real recordings, and its bundle."""

    @property
    def kind(self):
        return next(iter(self.study.dataset.modalities))

    @property
    def bundle(self):
        return self.folder / "bundle"


@pytest.fixture(scope="module", params=TAKE)
def real(request, tmp_path_factory):
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    target = folder / "recordings"
    target.mkdir()
    rows = [f"{name},{name},{label}" for name, label in TAKE[kind](target)]
    (target / "manifest.csv").write_text("\n".join([f"id,{kind},label", *rows]) + "\n")
    model = {"feature": kind, "network": NETWORKS[kind], "training": TRAINING}
    study = {
        "name": kind,
        "dataset": {"root": "recordings", "modalities": {kind: MODALITIES[kind]}},
        "splits": {"method": "stratified", "folds": 3},
        "features": {kind: FEATURES[kind]},
        "models": {"network": model},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    finish(folder)
    with inside(folder):
        assert main(["export", "study.yaml", "--output", "bundle"]) == 0
        return Real(folder, deepself.study.load("study.yaml"))


def first(real):
    ids = real.test_predictions("model", "network", "1").ids
    return real.files(ids)[0][real.kind]


def test_predictions_are_those_of_the_study(real):
    bundle = deepself.load(real.bundle)
    for fold in real.folds:
        wanted = real.test_predictions("model", "network", fold)
        pairs = zip(wanted.ids, real.files(wanted.ids), strict=True)
        found = probabilities(bundle.stream(pairs, Asked(fold=fold)))
        np.testing.assert_allclose(found, wanted.probabilities, rtol=0, atol=1e-5)


def otherwise(kind, path, folder):
    """The same recording at another rate, in another format, with other channels; and its notes."""
    if kind == "audio":
        signal, rate = soundfile.read(path, always_2d=True, dtype="float32")
        faster = resample(np.ascontiguousarray(signal.T), rate, 48000, "VHQ")
        soundfile.write(folder / "other.flac", np.repeat(faster, 2, axis=0).T, 48000)
        return folder / "other.flac", {}, "recorded at 48000 Hz, learnt from 44100 Hz"
    if kind == "eeg":
        values = np.loadtxt(path, dtype=np.float32)[None]
        slower = resample(values, 173.61, 128.0, "VHQ")
        np.save(folder / "other.npy", slower.T)
        return folder / "other.npy", {"sample_rate": 128.0}, "recorded at 128 Hz"
    if kind == "image":
        with Image.open(path) as picture:
            large = picture.convert("RGB").resize((96, 96), Image.Resampling.BICUBIC)
        large.save(folder / "other.png")
        return folder / "other.png", {}, ""
    return None


def test_another_form_of_a_recording_is_answered_much_alike(real, tmp_path):
    made = otherwise(real.kind, first(real), tmp_path)
    if made is None:
        pytest.skip("films are always brought to one rate and size")
    path, settings, note = made
    bundle = deepself.load(real.bundle)
    own = bundle.predict(first(real), fold="1")
    found = bundle.predict(path, fold="1", **settings)
    assert note in "; ".join(found.notes)
    for name, value in found.probabilities.items():
        assert value == pytest.approx(own.probabilities[name], abs=0.1)


def test_the_table_has_a_row_a_recording(real, capsys):
    assert main(["predict", str(real.bundle), str(real.folder / "recordings/manifest.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 12
    assert {row["true"] for row in rows} == set(deepself.load(real.bundle).classes)


def test_it_is_explained(real, tmp_path):
    for suffix in ("html", "png", "npz"):
        output = tmp_path / f"why.{suffix}"
        assert main(["explain", str(real.bundle), str(first(real)), "--output", str(output)]) == 0
        assert output.stat().st_size > 1000


def test_vectors_are_extracted(real, tmp_path):
    run = "network-fold-1-seed-0"
    output = tmp_path / "vectors.csv"
    arguments = ["extract", str(first(real)), "--bundle", str(real.bundle), "--run", run]
    assert main([*arguments, "--output", str(output)]) == 0
    (row,) = csv.DictReader(output.open())
    size = deepself.load(real.bundle).runs[run].network.embedding_size
    assert f"neuron_{size - 1}" in row and f"neuron_{size}" not in row


def test_it_is_a_torch_program(real, tmp_path):
    output = tmp_path / "program.pt2"
    arguments = ["convert", str(real.bundle), "--to", "torch", "--output", str(output)]
    assert main([*arguments, "--fold", "1"]) == 0
    import torch

    extra = {"deepself.json": ""}
    torch.export.load(output, extra_files=extra)
    assert json.loads(extra["deepself.json"])["classes"] == list(deepself.load(real.bundle).classes)


def test_it_is_an_mlflow_model(real, tmp_path):
    import mlflow
    import pandas

    output = tmp_path / "model"
    assert main(["share", str(real.bundle), "--output", str(output)]) == 0
    model = mlflow.pyfunc.load_model(str(output))
    path = first(real)
    given = pandas.DataFrame({real.kind: [path.read_bytes()], "name": [path.name]})
    answer = model.predict(given)
    found = answer.iloc[0] if hasattr(answer, "iloc") else answer[0]
    said = deepself.load(real.bundle).predict(path)
    assert found["label"] == said.label
    for name, value in said.probabilities.items():
        assert found["probabilities"][name] == pytest.approx(value, abs=1e-6)
