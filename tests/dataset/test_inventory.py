"""`check` reads every recording, lists every problem with its row, and writes nothing then."""

import numpy as np
import pytest
import soundfile

from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.store.files import read_table
from deepself.study import load
from tests.tiny import RATE, make_study


@pytest.fixture
def take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path)

    def run(*overrides, workers=2):
        take_inventory(load(file, overrides).dataset, tmp_path / "inventory.csv", workers)
        return read_table(tmp_path / "inventory.csv")

    return run


@pytest.fixture
def files(take, tmp_path):
    return tmp_path / "recordings/files"


def test_inventory_says_what_each_file_is(take):
    rows = take()
    assert len(rows) == 36
    sound = next(r for r in rows if r["id"] == "low-2" and r["modality"] == "audio")
    assert (sound["sample_rate"], sound["samples"], sound["duration"]) == ("2000.0", "500", "0.25")
    trace = next(r for r in rows if r["id"] == "low-2" and r["modality"] == "sensor")
    assert (trace["channels"], trace["samples"]) == ("2", "40")
    assert len(sound["sha256"]) == 64


def test_number_of_workers_changes_nothing(take):
    assert take(workers=1) == take(workers=3)


def corrupt(path):
    path.write_bytes(path.read_bytes()[:20])


def not_finite(path):
    soundfile.write(path, np.array([0.0, np.nan, 1.0], np.float32), RATE, subtype="FLOAT")


DAMAGES = [
    ("low-1.wav", corrupt, "row 9 (low-1): recordings/files/low-1.wav: is cut off"),
    ("low-1.wav", lambda p: p.write_bytes(b"no sound"), "cannot be decoded as audio"),
    ("low-1.wav", lambda p: p.unlink(), "row 9 (low-1): recordings/files/low-1.wav: no such file"),
    ("low-1.wav", lambda p: p.write_bytes(b""), "recordings/files/low-1.wav: is empty"),
    ("low-1.wav", not_finite, "holds 1 values that are not finite"),
    ("low-1.csv", lambda p: p.write_text("1,2\n3,x\n"), "line 2 is not numeric: '3,x'"),
    ("low-1.csv", lambda p: p.write_text("1,2\n3\n"), "line 2 has 1 values, the first 2"),
    ("low-1.csv", lambda p: p.write_text("1\n" * 40), "has 1 channels, most have 2"),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES, ids=[m for *_, m in DAMAGES])
def test_damaged_recording_is_named(take, files, tmp_path, name, damage, message):
    damage(files / name)
    with pytest.raises(UserError) as error:
        take()
    assert message in str(error.value)
    assert not (tmp_path / "inventory.csv").exists()


def test_all_problems_are_listed_at_once(take, files):
    corrupt(files / "low-1.wav")
    (files / "high-3.csv").unlink()
    with pytest.raises(UserError) as error:
        take()
    assert "low-1.wav" in str(error.value)
    assert "high-3.csv" in str(error.value)
    assert "2 problems in 36 recordings" in str(error.value)


def test_lengths_that_differ_ask_for_a_duration(take, files):
    soundfile.write(files / "low-1.wav", np.zeros(300), RATE)
    with pytest.raises(UserError, match=r"audio: recordings last 0\.15 s \(row 9\) to 0\.25 s \("):
        take()
    assert take("dataset.modalities.audio.duration={seconds: 0.2}")


@pytest.mark.parametrize(("seconds", "word"), [(0.2, "longer"), (0.3, "shorter")])
def test_duration_can_refuse(take, seconds, word):
    strict = f"{{seconds: {seconds}, longer: error, shorter: error}}"
    with pytest.raises(UserError, match=rf"row 2 .* lasts 0\.25 s, {word} than the {seconds} s"):
        take(f"dataset.modalities.audio.duration={strict}")
