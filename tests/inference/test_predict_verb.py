"""`deepself predict`: files, folders and manifests become tables."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

import deepself
from deepself.cli import main
from deepself.inference.items import Item, find_items
from tests.inference.tones import tone
from tests.tiny import RATE


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def predict(capsys, *arguments):
    status = main(["predict", *map(str, arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_folder_is_labelled_and_what_cannot_be_read_is_listed(sound, tmp_path, capsys):
    for name in ("a/one.wav", "a/two.WAV", "three.wav", ".hidden.wav"):
        path = tmp_path / "new" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(hertz=100 + len(name)).T, RATE, format="WAV")
    (tmp_path / "new/bad.wav").write_bytes(b"no sound")
    (tmp_path / "new/notes.txt").write_text("of the day")
    output = tmp_path / "out/labels.csv"
    status, out, err = predict(capsys, sound, tmp_path / "new", "--output", output)
    assert status == 1
    assert "bad.wav: cannot be decoded as audio" in err
    assert "1 of 4 recordings could not be predicted" in err
    assert f"{output}: 3 of 4 recordings" in out
    rows = read_csv(output)
    assert [row["id"].rpartition("/")[2] for row in rows] == ["three.wav", "one.wav", "two.WAV"]
    assert list(rows[0]) == ["id", "label", "p_high", "p_low", "p_noise", "notes"]
    bundle = deepself.load(sound)
    for row in rows:
        alone = bundle.predict(row["id"]).probabilities
        assert {name: float(row[f"p_{name}"]) for name in alone} == pytest.approx(alone, abs=1e-6)


def test_signals_of_a_record_are_no_recordings_of_their_own(many, tmp_path):
    for name in ("a.hea", "a.dat", "b.dat", "c.txt"):
        (tmp_path / name).touch()
    sensor = {"sensor": many.study.dataset.modalities["sensor"]}
    found = [item.paths["sensor"].name for item in find_items([tmp_path], sensor)]
    assert found == ["a.hea", "b.dat", "c.txt"]


def test_a_table_names_files_or_holds_samples(many, tmp_path):
    sensor = {"sensor": many.study.dataset.modalities["sensor"]}
    quoted = tmp_path / "quoted.csv"
    quoted.write_text('"id","sensor","label"\n"x","files/a.csv","low"\n')
    (item,) = find_items([quoted], sensor)
    assert item == Item("x", {"sensor": tmp_path / "files/a.csv"}, "low")
    (item,) = find_items([quoted], sensor, {"quiet": ["low", "lower"]})
    assert item.label == "quiet"
    recording = tmp_path / "recording.csv"
    recording.write_text("time,sensor\n0.0,0.123\n0.1,0.2\n")
    (item,) = find_items([recording], sensor)
    assert item.paths == {"sensor": recording}


def test_all_forms_of_table_say_the_same(windowed, tmp_path, capsys):
    soundfile.write(tmp_path / "long.wav", tone(0.5).T, RATE)
    options = ["--windows", "--unsure", "0.9", "--calibrated"]
    for form in ("csv", "jsonl", "parquet"):
        output = tmp_path / f"labels.{form}"
        status, _, err = predict(
            capsys, windowed, tmp_path / "long.wav", *options, "--output", output
        )
        assert status == 0, err
    text = read_csv(tmp_path / "labels.csv")
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert lines == table
    assert len(text) == len(lines) > 1
    for row, line in zip(text, lines, strict=True):
        assert row["unsure"] == ("yes" if line["unsure"] else "no")
        for key in ("start", "end", "p_high"):
            assert float(row[key]) == line[key]
        assert row["label"] == line["label"]


def test_a_manifest_is_labelled_and_scored(many, fused, capsys):
    status, out, err = predict(capsys, fused, many.folder / "recordings/manifest.csv")
    assert status == 0, err
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 18
    assert rows[0]["id"] == "high-0"
    assert rows[0]["true"] == "high"
    right = sum(row["true"] == row["label"] for row in rows) / len(rows)
    assert f"UAR {right:.1%}, accuracy {right:.1%} of 18 labelled recordings" in err
    assert "18 of them are the study's own" in err


def test_what_has_no_class_of_the_model_is_left_out_of_the_score(many, fused, tmp_path, capsys):
    table = (many.folder / "recordings/manifest.csv").read_text()
    table = table.replace("files/", f"{many.folder}/recordings/files/").replace(",noise,", ",hum,")
    (tmp_path / "manifest.csv").write_text(table)
    status, _, err = predict(capsys, fused, tmp_path / "manifest.csv")
    assert status == 0, err
    assert "not scored: 6, as the model knows no class 'hum'" in err
    assert "of 12 labelled recordings" in err


def test_a_fold_answers_for_its_own_test_recordings(many, fused, capsys):
    wanted = many.test_predictions("fusion", "mean", "2")
    status, out, _ = predict(
        capsys, fused, many.folder / "recordings/manifest.csv", "--fold", "2", "--threads", "2"
    )
    assert status == 0
    rows = {row["id"]: row for row in csv.DictReader(out.splitlines())}
    for name, expected in zip(wanted.ids, wanted.probabilities, strict=True):
        found = [float(rows[name][f"p_{label}"]) for label in wanted.classes]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert rows[name]["notes"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{sound}", "nowhere"], "nowhere: no such file or folder"),
        (["{sound}", "{empty}"], "holds no recordings of kind audio (.3gp, .aac, "),
        (["{empty}", "x.wav"], "no bundle (it has no bundle.json)"),
        (["{sound}", "{wav}", "--output", "a.xls"], "name it *.csv, *.parquet, *.jsonl"),
        (["{sound}", "{wav}", "--hop", "1"], "--hop: belongs to --windows"),
        (["{sound}", "--windows", "{wav}", "{wav}"], "is no number of seconds"),
        (["{sound}", "{wav}", "--windows", "0"], "must be more than 0"),
        (["{sound}", "{wav}", "--fold", "9"], "the bundle has no fold '9'; it has 1, 2, 3"),
        (["{sound}", "{wav}", "--unsure", "3"], "unsure: a probability from 0 to 1, not 3"),
        (["{fused}", "{wav}"], "give a manifest"),
        (["{sound}", "{table}"], "no column 'audio' (has id, sound)"),
        (["{sound}", "{list}"], "files.csv: no column 'audio' (has file;label)"),
        (["{sound}", "{wav}", "{list}"], "files.csv: a manifest is given alone"),
        (["nowhere", "{wav}"], "nowhere: no bundle (no such folder)"),
        (["{wav}", "{wav}"], "new.wav: no bundle (it is no folder)"),
        (["{sound}", "{wav}", "--sample-rate", "0"], "sample_rate must be more than 0"),
    ],
)
def test_wrong_calls_are_one_line(sound, fused, tmp_path, capsys, arguments, said):
    (tmp_path / "empty").mkdir()
    soundfile.write(tmp_path / "new.wav", tone().T, RATE)
    (tmp_path / "manifest.csv").write_text("id,sound\n1,new.wav\n")
    (tmp_path / "files.csv").write_text("file;label\nnew.wav;low\n")
    places = {
        "list": tmp_path / "files.csv",
        "sound": sound,
        "fused": fused,
        "empty": tmp_path / "empty",
        "wav": tmp_path / "new.wav",
        "table": tmp_path / "manifest.csv",
    }
    status, out, err = predict(capsys, *(one.format(**places) for one in arguments))
    assert status == 1
    assert said in err
    assert out == ""
    assert "Traceback" not in err


def test_a_table_stays_as_it_was_where_nothing_could_be_predicted(sound, tmp_path, capsys):
    table, missing = tmp_path / "a.csv", tmp_path / "missing.wav"
    table.write_text("what was there")
    (tmp_path / "m.csv").write_text("id,audio\nx2,missing.wav\n")
    status, out, err = predict(capsys, sound, tmp_path / "m.csv", "--output", table)
    assert (status, out) == (1, "0 of 1 recordings: no table\n")
    assert f"x2 ({missing}): no such file" in err
    assert table.read_text() == "what was there"
    assert not list(tmp_path.glob("*.part"))


def test_an_interrupted_table_keeps_what_was_written(sound, tmp_path, capsys, monkeypatch):
    from deepself.inference import bundle as module

    soundfile.write(tmp_path / "new.wav", tone().T, RATE)
    stream = module.Bundle.stream

    def interrupted(self, *arguments):
        yield from stream(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Bundle, "stream", interrupted)
    status, _, err = predict(capsys, sound, tmp_path / "new.wav", "--output", tmp_path / "a.csv")
    assert status == 130
    assert not (tmp_path / "a.csv").exists()
    assert "what was predicted so far is in" in err
    assert len(read_csv(tmp_path / "a.csv.part")) == 1
