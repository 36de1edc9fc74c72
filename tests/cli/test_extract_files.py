"""`deepself extract` of files: the vectors of a study's embedding, in tables that others read."""

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io.arff
import soundfile
import torch
from PIL import Image

from deepself.cli import main
from deepself.inference import embeddings, vector_tables
from deepself.networks import build
from deepself.signal import audioset_mel
from deepself.store.features import FeatureFile
from deepself.store.weights import read_weights
from deepself.study.layout import Layout
from deepself.training.hidden import hidden
from tests.tiny import RATE, make_recordings, write_study

FILES = Path("recordings/files")
SMALL = ["--height", "32", "--width", "32"]
LITE = ["--network", "efficientnet_lite0", *SMALL, "--feature-set", "n_fft=128"]
SOUND = ["--modality", "audio", "--sample-rate", str(RATE)]
MN04 = "mn04_as_mAP_432.pt"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_recordings(tmp_path / "recordings", per_class=3)
    return tmp_path


@pytest.fixture
def extract(here, capsys):
    """Run the verb; give what it printed, or its status and errors."""

    def extract(*arguments, output="out.csv", status=0):
        found = main(["extract", *map(str, arguments), "--output", output])
        printed = capsys.readouterr()
        assert found == status, printed.err
        return printed.err.splitlines() if status else printed.out

    return extract


def saved(type, shape, **settings):
    """Weights of a network drawn at random, in a file."""
    torch.manual_seed(0)
    network = build(type, shape, 5, **settings).eval()
    for part in network.modules():  # else the first maps die out
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_var.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), "own.pt")
    return network


def rows(path="out.csv"):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def vectors(path="out.csv"):
    """Vectors by name; of windows, one after the other."""
    found = {}
    for row in rows(path):
        values = [float(value) for key, value in row.items() if key.startswith("neuron_")]
        found.setdefault(row["name"], []).append(values)
    return {name: np.array(values, dtype=np.float32) for name, values in found.items()}


def sounds():
    return sorted(FILES.glob("*.wav"))


def test_a_folder_of_sounds_under_weights_of_a_package(extract):
    said = extract(FILES, *LITE, *SOUND, "--labels-from-folders")
    assert "out.csv: 9 of 9 files, 9 vectors of 1280 values" in said
    found = rows()
    assert list(found[0]) == ["name", *(f"neuron_{i}" for i in range(1280)), "class"]
    assert [row["name"] for row in found] == [str(path) for path in sounds()]
    assert {row["class"] for row in found} == {"files"}
    made = np.concatenate(list(vectors().values()))
    assert made.std(axis=0).max() > 0.1 and len(np.unique(made, axis=0)) == 9


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


def test_every_format_holds_the_same(here, extract, monkeypatch):
    monkeypatch.setattr(vector_tables, "GROUP", 15000)  # bytes: a few rows at a time
    arguments = ["recordings/manifest.csv", *LITE, *SOUND, "--windows", "0.1"]
    for suffix in ("csv", "arff", "parquet", "h5"):
        extract(*arguments, output=f"out.{suffix}")
    assert not list(here.glob("*.part"))
    expected = rows()
    names = [row["name"] for row in expected]
    starts = [float(row["timeStamp"]) for row in expected]
    labels = [row["class"] for row in expected]
    values = np.concatenate(list(vectors().values()))
    assert (names[0], labels[0], starts[:3]) == ("high-0", "high", [0.0, 0.1, 0.15])
    assert len(expected) == 27 and set(labels) == {"high", "low", "noise"}

    table = pq.read_table("out.parquet")
    assert table.column_names == list(expected[0])
    assert table.column("name").to_pylist() == names
    assert table.column("timeStamp").to_pylist() == starts
    assert table.column("class").to_pylist() == labels
    in_parquet = np.stack([table.column(f"neuron_{i}").to_numpy() for i in range(1280)], 1)
    np.testing.assert_array_equal(in_parquet, values)
    assert pq.ParquetFile("out.parquet").num_row_groups > 1

    with h5py.File("out.h5") as file:
        assert file["names"].asstr()[:].tolist() == names
        assert file["starts"][:].tolist() == starts
        assert file["labels"].asstr()[:].tolist() == labels
        np.testing.assert_array_equal(file["features"][:], values)
        about = json.loads(file.attrs["specification"])
        assert about["windows"] == {"seconds": 0.1, "hop": 0.1}
        assert about["features"][0]["n_fft"] == 128 and about["modality"]["sample_rate"] == RATE
        assert about["features"][-1]["network"] == "efficientnet_lite0"
        assert json.loads(file.attrs["versions"])["torch"] == torch.__version__

    data, meta = read_arff("out.arff", names)
    assert meta.names() == list(expected[0])
    assert [one.decode() for one in data["name"]] == names
    assert [one.decode() for one in data["class"]] == labels
    assert data["timeStamp"].tolist() == starts
    in_arff = np.stack([data[f"neuron_{i}"] for i in range(1280)], 1)
    np.testing.assert_array_equal(in_arff.astype(np.float32), values)


def read_arff(path, names):
    """Read by SciPy, which takes all of ARFF but texts: names are classes to it."""
    text = Path(path).read_text()
    assert "@attribute name string" in text
    classes = ",".join(f"'{name}'" for name in sorted(set(names)))
    return scipy.io.arff.loadarff(io.StringIO(text.replace("name string", f"name {{{classes}}}")))


def test_arff_quotes_what_is_not_plain(here, extract):
    for name, label in (("it's.wav", "a b"), ("x,y.wav", "50%"), ("z.wav", "")):
        shutil.copy(sounds()[0], name)
        with open("list.csv", "a") as file:
            file.write("audio,label\n" if file.tell() == 0 else "")
            file.write(f'"{name}",{label}\n')
    extract("list.csv", *LITE, "--sample-rate", RATE, output="out.arff")
    head, data = Path("out.arff").read_text().split("@data\n")
    assert "@attribute class {'50%','a b'}\n" in head
    first, second, third = data.splitlines()
    assert first.startswith(r"'it\'s.wav',") and first.endswith(",'a b'")
    assert second.startswith("'x,y.wav',") and third.endswith(",?")


@pytest.mark.parametrize(
    ("labels", "kind"), [(["1", "2"], "{1,2}"), (["0.5", "-3"], "numeric"), (["1", "x"], "{1,x}")]
)
def test_labels_in_arff_are_classes_or_numbers(tmp_path, labels, kind):
    form = vector_tables.Form(1, False, labels, {})
    with vector_tables.VectorTable(tmp_path / "a.arff", form) as table:
        for label in labels:
            table.write(vector_tables.Rows("a", np.ones((1, 1), np.float32), None, label))
    data, _ = read_arff(tmp_path / "a.arff", ["a"])
    assert f"@attribute class {kind}\n" in (tmp_path / "a.arff").read_text()
    found = [x.decode() if isinstance(x, bytes) else x for x in data["class"].tolist()]
    assert found == ([float(x) for x in labels] if kind == "numeric" else labels)


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


@pytest.mark.parametrize("windows", [[], ["--windows", "0.1"]])
def test_what_cannot_be_read_is_listed_and_the_rest_done(here, extract, windows):
    (FILES / "broken.wav").write_bytes(b"RIFF nothing")
    (FILES / "a.wav").write_text("no sound")
    stereo = np.random.default_rng(0).standard_normal((500, 2)) / 9
    soundfile.write(FILES / "z.wav", stereo, RATE)
    paths = [*sorted(FILES.glob("*.wav")), *windows, *LITE, *SOUND, "--channels", "keep"]
    errors = extract(*paths, status=1)
    assert len(errors) == 4
    for name, error in zip(("a", "broken", "z"), errors, strict=False):
        assert error.startswith(f"deepself extract: {FILES}/{name}.wav: ")
    assert "cannot be decoded as audio" in errors[0]
    assert "has 2 channels, the first recording 1; choose by --channels" in errors[2]
    assert errors[3].endswith("3 of 12 files could not be read or used")
    assert list(vectors()) == [str(p) for p in sounds() if p.stem not in ("a", "broken", "z")]


def test_what_is_too_short_for_the_network_is_listed(here, extract):
    saved("cnn10", (1, 64, 40))
    soundfile.write("short.wav", np.random.default_rng(0).standard_normal(3200) / 9, 32000)
    soundfile.write("long.wav", np.random.default_rng(0).standard_normal(16000) / 9, 32000)
    network = ["--network", "cnn10", "--weights", "own.pt"]
    errors = extract("short.wav", "long.wav", *network, status=1)
    assert errors[0].startswith("deepself extract: short.wav: ") and len(errors) == 2
    assert list(vectors()) == ["long.wav"]


def test_an_interrupted_table_is_a_part(here, extract, monkeypatch, capsys):
    streamed = embeddings.stream

    def interrupted(*arguments):
        for number, made in enumerate(streamed(*arguments)):
            if number == 3:
                raise KeyboardInterrupt
            yield made

    monkeypatch.setattr(embeddings, "stream", interrupted)
    assert main(["extract", str(FILES), *LITE, *SOUND, "--output", "out.h5"]) == 130
    assert "what was made so far is in out.h5.part" in capsys.readouterr().err
    assert not Path("out.h5").exists()
    with h5py.File("out.h5.part") as file:
        assert len(file["features"]) == 3


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


NET = ["--network", "efficientnet_lite0"]
WAV = "recordings/files/low-0.wav"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([WAV, "--network", "resnet19"], r"--network: unknown network 'resnet19', did you mean"),
        ([WAV, "--network", "cnn2d"], "--network: cnn2d has no pretrained weights"),
        ([WAV, "--network", "soundnet5"], "--weights: soundnet5 has no default weights; give a"),
        ([WAV, "--network", "timm/resnet18"], "--weights: timm/resnet18 .* a tag of timm's"),
        ([WAV, *NET, "--weights", "imagenett"], "--weights: 'imagenett' is neither published nor"),
        ([WAV, *NET, "--layer", "_block.3"], r"--layer: no layer '_block.3', did you mean _blocks"),
        ([WAV, *NET, "--feature", "log_meel"], "--feature: .*'log_meel', did you mean log_mel"),
        ([WAV, "--network", "mn04_as", "--feature", "log_mel"], "--feature: mn04_as reads audios"),
        (
            [WAV, *NET, "--feature", "waveform"],
            "--feature: efficientnet_lite0 reads log_mel, .*, n",
        ),
        (
            [WAV, *NET, "--feature-set", "n_mells=3"],
            "--feature-set n_mells: .* did you mean n_mels",
        ),
        ([WAV, *NET, "--feature-set", "n_mels=x"], "--feature-set n_mels: input should be a valid"),
        ([WAV, *NET, "--feature-set", "n_mels"], "--feature-set n_mels: write KEY=VALUE"),
        ([WAV, *NET, "--feature-set", "fmax=9000"], "--feature-set fmax: 9000 Hz must lie below"),
        ([WAV, *NET, "--feature-set", "shards=2"], "--feature-set shards: is about files of a s"),
        ([WAV, *NET, "--feature", "scalogram"], "--feature-set frequencies: missing; add it"),
        ([WAV, *NET, "--colormap", "viridi"], "--colormap: .*'viridi', did you mean viridis"),
        (
            [WAV, *NET, "--picture-set", "layout=x"],
            "--picture-set layout: input should be 'average",
        ),
        ([WAV, "--network", "mn04_as", "--colormap", "jet"], "--colormap: mn04_as reads audioset_"),
        ([WAV, "--network", "mn04_as", "--sample-rate", "100"], "--sample-rate: audioset_mel need"),
        ([WAV, *NET, "--sample-rate", "-1"], "--sample-rate: input should be greater than 0"),
        ([WAV, *NET, "--channels", "both"], "--channels: input should be 'mix', 'average' or"),
        ([WAV, *NET, "--windows", "0"], "--windows: seconds of a window must be more than 0"),
        ([WAV, *NET, "--hop", "1"], "--hop: belongs to --windows"),
        ([WAV, *NET, "--run", "a"], "--run: belongs to --bundle"),
        ([WAV, *NET, "--set", "a=b"], "--set: belongs to a study"),
        (["nothing.wav", *NET], "nothing.wav: no such file or folder"),
        (["cache", *NET], "cache: holds no recordings of kind audio"),
        (
            ["recordings/files", *NET],
            "--modality: there are files of kind audio and image and sens",
        ),
        (["recordings/files/low-0.csv", *NET], "--sample-rate: say at how many Hz the sensors'"),
        (["recordings/files/low-0.png", *NET, "--windows", "1"], "--windows: is of signals"),
        ([WAV, "--bundle", "recordings"], "recordings: no bundle"),
        ([WAV, "--bundle", "recordings", "--layer", "x"], "--layer: belongs to --network"),
        ([WAV, "--layer", "x"], "--layer: belongs to --network or --bundle"),
        ([WAV, WAV], "give one study; or files with --network or --bundle"),
    ],
)
def test_bad_input_is_one_line(here, extract, arguments, said):
    (here / "cache").mkdir(exist_ok=True)
    (error,) = extract(*arguments, status=1)
    assert error.startswith("deepself extract: ")
    assert re.match(said, error.removeprefix("deepself extract: ")), error
    assert not Path("out.csv").exists() and not Path("out.csv.part").exists()


@pytest.mark.parametrize(
    ("output", "said"),
    [("a.xlsx", "name it *.csv, *.arff, *.parquet, *.h5"), ("recordings", "name it *.csv")],
)
def test_output_is_a_table(extract, output, said):
    (error,) = extract(WAV, *NET, output=output, status=1)
    assert said in error


def test_weights_of_a_run_are_refused(here, extract):
    network = saved("resnet18", (1, 32, 32))
    torch.save({f"network.{key}": v for key, v in network.state_dict().items()}, "own.pt")
    (error,) = extract(WAV, "--network", "resnet18", "--weights", "own.pt", status=1)
    assert "own.pt: is what a run has learnt on one fold" in error


def test_a_study_says_which_feature(here, capsys):
    study = write_study(here)
    assert main(["extract", str(study)]) == 1
    assert "give --feature or --output" in capsys.readouterr().err


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
