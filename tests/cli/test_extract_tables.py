"""`deepself extract` of files: tables that others read, and what is refused or listed."""

import io
import json
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

from deepself.cli import main
from deepself.inference import embeddings, vector_tables
from tests.cli.extracting import (
    FILES,
    LITE,
    NET,
    SOUND,
    WAV,
    rows,
    saved,
    sounds,
    vectors,
)
from tests.tiny import RATE, write_study


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
    ("labels", "kind"),
    [
        (["1", "2"], "{1,2}"),
        (["-1", "1"], "{-1,1}"),
        (["0.5", "-3"], "numeric"),
        (["1", "x"], "{1,x}"),
    ],
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
        (["recordings/files/low-0.csv", *NET], "recordings/files/low-0.csv: is no manifest"),
        (["recordings/files/low-0.png", *NET, "--windows", "1"], "--windows: is of signals"),
        ([WAV, "--bundle", "recordings"], "recordings: no bundle"),
        ([WAV, "--bundle", "recordings", "--layer", "x"], "--layer: belongs to --network"),
        ([WAV, "--layer", "x"], "--layer: belongs to --network or --bundle"),
        ([WAV], f"{WAV}: is no study; files need --network or --bundle"),
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
