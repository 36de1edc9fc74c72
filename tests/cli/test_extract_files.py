"""`deepself extract` of files: the vectors of a study's embedding."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from deepself.cli import main
from deepself.inference import embeddings
from deepself.networks import build
from deepself.signal import audioset_mel
from deepself.store.features import FeatureFile
from deepself.store.weights import read_weights
from deepself.study.layout import Layout
from deepself.training.hidden import hidden
from tests.cli.extracting import (
    FILES,
    LITE,
    MN04,
    SMALL,
    SOUND,
    WAV,
    rows,
    saved,
    sounds,
    vectors,
)
from tests.tiny import RATE, write_study


def test_a_folder_of_sounds_under_weights_of_a_package(extract):
    said = extract(FILES, *LITE, *SOUND, "--labels-from-folders")
    assert "out.csv: 9 of 9 files, 9 vectors of 1280 values" in said
    found = rows()
    assert list(found[0]) == ["name", *(f"neuron_{i}" for i in range(1280)), "class"]
    assert [row["name"] for row in found] == [str(path) for path in sounds()]
    assert {row["class"] for row in found} == {"files"}
    made = np.concatenate(list(vectors().values()))
    assert made.std(axis=0).max() > 0.1 and len(np.unique(made, axis=0)) == 9


def test_a_link_is_labelled_by_its_own_folder(extract, tmp_path):
    link = tmp_path / "dog/one.wav"
    link.parent.mkdir()
    link.symlink_to(Path(WAV).resolve())
    extract(link, *LITE, *SOUND, "--labels-from-folders")
    assert [row["class"] for row in rows()] == ["dog"]


def test_an_absurd_rate_is_refused_before_it_is_resampled(extract, tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.random.default_rng(0).normal(0, 0.1, 500000), 1)
    said = extract(tmp_path / "slow.wav", *LITE, *SOUND, status=1)
    assert "has 500000 samples at 1 Hz, the model reads 2000 Hz; correct the rate" in said[0]


AUDIO = {"kind": "audio", "sample_rate": RATE}
LOG_MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 64, "n_mels": 16}
OWN_LOG_MEL = ["log_mel", "--feature-set", "n_fft=128", "--feature-set", "hop_length=64"]
OWN_LOG_MEL += ["--feature-set", "n_mels=16"]
SEEN = {"kind": "rendered", "of": "before", "colormap": "viridis", "height": 48, "width": 40}
SIZED = ["--height", "48", "--width", "40"]
SCALES = {"kind": "scalogram", "modality": "sensor", "frequencies": {"low": 9, "high": 90}}
OWN_SCALES = ["--feature-set", "frequencies.low=9", "--feature-set", "frequencies.high=90"]
PICTURE = {"kind": "image", "column": "picture", "height": 48, "width": 40, "channels": "grey"}
OWN_PICTURE = ["picture", "--channels", "grey", *SIZED]
WINDOW = "window={seconds: 0.1, overlap: 0.5}"


@pytest.mark.parametrize(
    ("modality", "features", "network", "shape", "layer", "options"),
    [
        (
            AUDIO,
            [LOG_MEL, SEEN],
            "mobilenet_v3_small",
            (3, 48, 40),
            None,
            [*OWN_LOG_MEL, *SOUND, *SIZED],
        ),
        (
            AUDIO,
            [LOG_MEL | {"window": {"seconds": 0.1, "overlap": 0.5}}, SEEN | {"layout": "stack"}],
            "mobilenet_v3_small",
            (3, 48, 40),
            "features.3",
            [
                *OWN_LOG_MEL,
                *SOUND,
                *SIZED,
                "--feature-set",
                WINDOW,
                "--picture-set",
                "layout=stack",
            ],
        ),
        (
            {"sample_rate": 32000, "kind": "audio"},
            [{"kind": "audioset_mel", "modality": "audio"}],
            "mn04_as",
            (1, 128, 26),
            "features.3",
            ["audioset_mel", "--modality", "audio"],
        ),
        (
            {"sample_rate": 22050, "kind": "audio"},
            [{"kind": "waveform", "modality": "audio", "filter": {"low": 50}}],
            "soundnet5",
            (1, 5513),
            "conv2",
            ["waveform", "--modality", "audio", "--feature-set", "filter.low=50"],
        ),
        (
            {"sample_rate": 200, "kind": "sensor"},
            [SCALES, SEEN],
            "mobilenet_v3_small",
            (3, 48, 40),
            None,
            ["scalogram", "--modality", "sensor", "--sample-rate", "200", *OWN_SCALES, *SIZED],
        ),
        (
            PICTURE,
            [{"kind": "picture", "modality": "image"}],
            "mobilenet_v3_small",
            (1, 48, 40),
            "features.0.1",
            OWN_PICTURE,
        ),
    ],
    ids=["rendered", "windows", "audioset", "wave", "sensor", "picture"],
)
def test_vectors_are_those_of_a_study(
    here, extract, modality, features, network, shape, layer, options
):
    saved(network, shape)
    chosen = {"layer": layer, "pool": "max"} if layer else {}
    kind = modality["kind"]
    deep = {"kind": "embedding", "of": ["before", "seen"][len(features) - 1], "network": network}
    study = write_study(
        here,
        dataset__modalities={kind: modality},
        features={
            **dict(zip(("before", "seen"), features, strict=False)),
            "deep": deep | {"weights": "own.pt"} | chosen,
        },
        models={"svm": {"feature": "deep", "classifier": {"type": "linear_svm"}}},
        fusions=None,
    )
    for verb in (["check"], ["split"]):
        assert main([verb[0], str(study), *verb[1:]]) == 0
    for name in [*["before", "seen"][: len(features)], "deep"]:
        assert main(["extract", str(study), "--feature", name]) == 0
    (path,) = Path("results/features").glob("embedding-*.h5")
    options = ["--network", network, "--weights", "own.pt", "--feature", *options]
    options += ["--layer", layer, "--pool", "max"] if layer else []
    extract(FILES, *options)
    found = vectors()
    with FeatureFile(path) as file:
        assert len(found) == len(file.ids) == 9
        for name, values in found.items():
            expected = file.read_rows(file.rows([Path(name).stem]))
            assert values.shape == expected.shape and values.std() > 0
            np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)
        if file.starts is not None:
            found = [float(row["timeStamp"]) for row in rows()]
            assert found[:5] == pytest.approx(file.starts[:5]) and len(found) == len(file.starts)


def test_windows_are_the_vectors_of_their_parts(here, extract):
    long = np.concatenate([soundfile.read(path)[0] for path in sounds()[:3]])
    long[700:900] = 0  # a window of silence
    soundfile.write("long.wav", long, RATE, subtype="FLOAT")
    extract("long.wav", *LITE, *SOUND, "--windows", 0.1, "--hop", 0.07, "--threads", 2)
    starts = [float(row["timeStamp"]) for row in rows()]
    assert starts == pytest.approx([*np.arange(0, 0.65, 0.07), 0.65])
    found = vectors()["long.wav"]
    for number, start in enumerate(starts):
        first = round(start * RATE)
        soundfile.write(f"part-{number:02}.wav", long[first : first + 200], RATE, subtype="FLOAT")
    parts = sorted(map(str, here.glob("part-*.wav")))
    extract(*parts, *LITE, *SOUND, "--modality-set", "constant=keep", output="parts.csv")
    alone = np.concatenate(list(vectors("parts.csv").values()))
    np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-5)


def test_windows_at_another_rate_than_the_file_s(here, extract):
    extract(*sounds()[:2], *LITE, "--sample-rate", 3000, "--windows", 0.1)
    starts = [float(row["timeStamp"]) for row in rows()]
    assert starts == pytest.approx([0, 0.1, 0.15] * 2)


def test_recordings_of_any_length_rate_and_format(here, extract):
    time = np.arange(44100) / 44100
    tone = 0.4 * np.sin(2 * np.pi * 440 * time)
    soundfile.write("stereo.wav", np.stack([tone, 0.5 * tone], 1), 44100)
    soundfile.write("mean.wav", 0.75 * tone, 44100)
    soundfile.write("short.ogg", tone[:20000], 44100)
    soundfile.write("low.flac", 0.75 * tone[::4], 11025)
    names = ["stereo.wav", "mean.wav", "short.ogg", "low.flac"]
    extract(*names, *LITE, "--sample-rate", 8000)
    found = vectors()
    assert list(found) == names
    np.testing.assert_allclose(found["stereo.wav"], found["mean.wav"], atol=0.1)
    assert np.abs(found["stereo.wav"] - found["short.ogg"]).max() > 0.2


def test_threads_change_nothing(here, extract):
    extract(*sounds(), *LITE, *SOUND)
    first = Path("out.csv").read_bytes()
    extract(*sounds(), *LITE, *SOUND, "--threads", 3)
    assert Path("out.csv").read_bytes() == first


def test_pictures_are_taken_for_pictures(here, extract):
    Image.new("RGB", (30, 20), (200, 10, 10)).save("red.png")
    Image.new("RGB", (30, 20), (10, 10, 200)).save("blue.png")
    extract("red.png", "blue.png", "--network", "efficientnet_lite0", *SMALL, "--label", "plain")
    red, blue = vectors().values()
    assert np.abs(red - blue).max() > 0.2
    assert [row["class"] for row in rows()] == ["plain", "plain"]


def test_few_recordings_are_in_memory(here):
    class Counting:
        size, windowed, modalities, read = 1, False, {}, 0

        class Opener:
            def open(self, path, sample_rate):
                Counting.read += 1
                return path, []

        openers = {"audio": Opener()}  # noqa: RUF012

        def whole(self, recordings):
            return np.zeros((1, 1), np.float32), None

    items = [{"audio": Path(str(number))} for number in range(100)]
    for taken, made in enumerate(embeddings.stream(Counting(), items, workers=2)):
        assert made.place == taken
        assert Counting.read <= taken + 3
    assert Counting.read == 100


def test_audioset_weights_give_what_they_give_by_hand(here, extract):
    named = os.environ.get("DEEPSELF_WEIGHTS")
    if not named or not (Path(named) / MN04).is_file():
        pytest.skip(f"no {MN04}: set DEEPSELF_WEIGHTS to the folder that holds it")
    sound = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    soundfile.write("noise.wav", sound, 32000, subtype="FLOAT")
    extract("noise.wav", "--network", "mn04_as")
    network = build("mn04_as", (1, 128, 101), 527).eval()
    network.load_pretrained(read_weights(Path(named) / MN04))
    with torch.inference_mode():
        expected = network.embed(audioset_mel(torch.from_numpy(sound)[None, None]))
    found = vectors()["noise.wav"]
    assert found.shape == (1, 384)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_bundle_s_run_gives_what_its_last_layer_reads(here, extract, capsys):
    cnn = {"feature": "log_mel", "network": {"type": "cnn2d", "channels": [4]}}
    svm = {"feature": "log_mel", "classifier": {"type": "linear_svm", "complexity": [0.01]}}
    training = {"epochs": 1, "batch_size": 8, "augmentation": [], "lr": 0.01}
    study = write_study(
        here, models={"cnn": cnn | {"training": training}, "svm": svm}, fusions=None
    )
    for verb in (["check"], ["split"], ["extract", "--feature", "log_mel"]):
        assert main([verb[0], str(study), *verb[1:]]) == 0
    for model in ("cnn", "svm"):
        assert main(["train", str(study), "--model", model, "--all"]) == 0
    assert main(["score", str(study)]) == 0
    expected = expected_vectors(study)
    for model, size in (("cnn", 4), ("svm", 16 * 8)):
        assert main(["export", str(study), "--model", model, "--output", f"{model}.bundle"]) == 0
        bundle = ["--bundle", f"{model}.bundle"]
        capsys.readouterr()
        (error,) = extract(WAV, *bundle, status=1)
        assert "--run: say which of the bundle's 3: " in error
        run = error.partition("3: ")[2].split(", ")[0]
        (error,) = extract(WAV, *bundle, "--run", f"{run}x", status=1)
        assert f"did you mean {run}?" in error
        extract(FILES, *bundle, "--run", run)
        found = vectors()
        assert len(found) == 9
        for name, values in found.items():
            assert values.shape == (1, size)
            np.testing.assert_allclose(values[0], expected[model][Path(name).stem], atol=1e-5)
    extract(FILES, *bundle, "--run", run, "--windows", 0.25, output="windows.csv")
    assert {row["timeStamp"] for row in rows("windows.csv")} == {"0.0"}


def expected_vectors(file):
    """What the map of a study reads, of each model's first fold."""
    from deepself.study import load
    from deepself.training.job import Run, job_of

    study, layout = load(file), Layout("tiny")
    ids = {path.stem for path in sounds()}
    jobs = {name: job_of(study, layout, Run(name, "1", 0)) for name in study.models}
    return {name: hidden(job, ids, "cpu") for name, job in jobs.items()}
