"""`check` reads every recording, lists every problem with its row, and writes nothing then."""

import os

import numpy as np
import pytest
import soundfile

from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.store.files import read_table
from deepself.study import Layout, load
from tests.tiny import RATE, make_study


@pytest.fixture
def take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path)

    def run(*overrides, workers=2):
        layout = Layout("tiny", tmp_path / "results")
        run.found = take_inventory(load(file, overrides), layout, workers)
        run.skipped = read_table(layout.skipped)
        return read_table(layout.inventory)

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
    ("low-1.csv", lambda p: p.write_text("1,2\n3,4\n5\n"), "line 3 has 1 values, the first 2"),
    ("low-1.csv", lambda p: p.write_text("1\n2\n" * 20), "has 1 channels, most have 2"),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES, ids=[m for *_, m in DAMAGES])
def test_damaged_recording_is_named(take, files, tmp_path, name, damage, message):
    damage(files / name)
    with pytest.raises(UserError) as error:
        take()
    assert message in str(error.value)
    assert not (tmp_path / "results/tiny/inventory.csv").exists()


def test_all_problems_are_listed_at_once(take, files):
    corrupt(files / "low-1.wav")
    (files / "high-3.csv").unlink()
    with pytest.raises(UserError) as error:
        take()
    assert "low-1.wav" in str(error.value)
    assert "high-3.csv" in str(error.value)
    assert "2 problems in 36 recordings" in str(error.value)


def test_lengths_that_differ_ask_for_a_duration(take, files):
    soundfile.write(files / "low-1.wav", np.linspace(0, 0.5, 300), RATE)
    with pytest.raises(UserError, match=r"audio: recordings last 0\.15 s \(row 9\) to 0\.25 s \("):
        take()
    assert take("dataset.modalities.audio.duration={seconds: 0.2}")
    windows = [
        f"features.{name}.window={{seconds: 0.1, overlap: 0.5}}" for name in ("wave", "log_mel")
    ]
    assert take(*windows)
    with pytest.raises(UserError, match=r"set dataset\.modalities\.audio\.duration, or windows"):
        take(windows[0])


def test_only_what_has_changed_is_read_again(take, files):
    first = take()
    assert take.found.read == 36
    assert take() == first
    assert take.found.read == 0
    soundfile.write(files / "low-1.wav", np.random.default_rng().normal(size=500) / 9, RATE)
    again = take()
    assert take.found.read == 1
    assert [a["id"] for a, b in zip(first, again, strict=True) if a != b] == ["low-1"]


def test_what_was_fine_is_not_read_again_after_a_problem(take, files):
    corrupt(files / "low-1.wav")
    with pytest.raises(UserError):
        take()
    soundfile.write(files / "low-1.wav", np.random.default_rng().normal(size=500) / 9, RATE)
    take()
    assert take.found.read == 1


def test_other_settings_read_again(take):
    take()
    take("dataset.modalities.sensor.channels=[0]")
    assert take.found.read == 18


def test_what_cannot_be_used_can_be_left_out(take, files):
    corrupt(files / "low-1.wav")
    (files / "high-3.csv").unlink()
    rows = take("dataset.on_error=skip")
    assert len(rows) == 32
    assert not [r for r in rows if r["id"] in ("low-1", "high-3")]
    assert [(r["id"], r["modality"], r["row"]) for r in take.skipped] == [
        ("low-1", "audio", "9"),
        ("high-3", "sensor", "5"),
    ]
    assert take.skipped[1]["reason"] == "no such file"


def test_if_nothing_is_left_it_stops(take, files):
    for file in files.glob("*.wav"):
        corrupt(file)
    with pytest.raises(UserError, match="18 problems in 36 recordings"):
        take("dataset.on_error=skip")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("window={seconds: 0.3}", "lasts 0.25 s; features.wave needs at least 0.3 s"),
        (
            "filter={low: 50, high: 900, order: 100}",
            "lasts 0.25 s; features.wave needs at least 0.302 s",
        ),
    ],
)
def test_recordings_too_short_for_a_feature_are_named(take, settings, message):
    with pytest.raises(UserError) as error:
        take(f"features.wave.{settings}")
    assert f"row 2 (high-0): recordings/files/high-0.wav: {message}" in str(error.value)


def test_equal_files_are_noticed(take, files):
    (files / "low-2.wav").write_bytes((files / "low-1.wav").read_bytes())
    take()
    assert take.found.repeated == ["audio: low-1, low-2 are the same file"]


@pytest.mark.parametrize(("seconds", "word"), [(0.2, "longer"), (0.3, "shorter")])
def test_duration_can_refuse(take, seconds, word):
    strict = f"{{seconds: {seconds}, longer: error, shorter: error}}"
    with pytest.raises(UserError, match=rf"row 2 .* lasts 0\.25 s, {word} than the {seconds} s"):
        take(f"dataset.modalities.audio.duration={strict}")


def test_file_that_was_still_being_written_is_read_again(take, files, monkeypatch):
    """Its state is taken before it is read, so what follows counts as a change."""
    from deepself.dataset import inventory

    inspect = inventory._inspect_all

    def written_meanwhile(tasks, workers):
        found = list(inspect(tasks, workers))
        (files / "low-1.csv").write_text((files / "low-2.csv").read_text())
        return iter(found)

    with monkeypatch.context() as patch:
        patch.setattr(inventory, "_inspect_all", written_meanwhile)
        take()
    take()
    assert take.found.read == 1


def test_changed_reader_reads_again(take, monkeypatch):
    from deepself.dataset import checked

    take()
    monkeypatch.setitem(checked.VERSIONS, "check", 99)
    take()
    assert take.found.read == 36


def test_recording_that_ends_its_decoder_is_named(take, monkeypatch):
    import signal

    from deepself.dataset import inventory

    read_recording = inventory.read_recording

    def crashing(modality, path):
        if path.name == "low-1.wav":
            os.kill(os.getpid(), signal.SIGKILL)
        return read_recording(modality, path)

    monkeypatch.setattr(inventory, "read_recording", crashing)
    with pytest.raises(UserError) as error:
        take()
    assert "row 9 (low-1): recordings/files/low-1.wav: ends its decoder" in str(error.value)
    assert "1 problem in 36 recordings" in str(error.value)


def test_signal_files_of_a_header_count(tmp_path):
    from deepself.dataset.manifest import fingerprint
    from deepself.study.dataset import Dataset

    sensor = {"kind": "sensor", "sample_rate": 100}
    dataset = Dataset(root=str(tmp_path), modalities={"ecg": sensor})
    (tmp_path / "manifest.csv").write_text("id,label,ecg\na,x,a.hea\n")
    (tmp_path / "a.hea").write_text("a 1 100 4\na.dat 16 200 16 0 0 0 0 I\n")
    (tmp_path / "a.dat").write_bytes(bytes(8))
    before = fingerprint(dataset)
    assert fingerprint(dataset) == before
    os.utime(tmp_path / "a.dat", (1, 1))
    assert fingerprint(dataset) != before


def test_what_is_wrong_with_all_is_said_once(take):
    with pytest.raises(UserError) as error:
        take("dataset.modalities.sensor.channels=[7]")
    first, last = str(error.value).splitlines()
    assert first.startswith("row 2 (high-0): recordings/files/high-0.csv: has no channel 7 (has ")
    assert first.endswith("; and so all 18 of sensor")
    assert last.startswith("18 problems in 36 recordings; correct what dataset.modalities")


def test_what_is_wrong_with_many_is_said_of_a_few(take, files):
    for number in range(6):
        (files / f"low-{number}.wav").unlink()
    with pytest.raises(UserError) as error:
        take()
    lines = str(error.value).splitlines()
    assert len(lines) == 5
    assert lines[3] == "and 3 more of audio: no such file"


def test_table_that_is_wider_than_long_is_refused_until_its_rows_are_named(take, files):
    for file in files.glob("*.csv"):
        np.savetxt(file, np.loadtxt(file, delimiter=",").T, delimiter=",", fmt="%.5f")
    with pytest.raises(UserError, match="has 2 rows and 40 columns: set rows to channels, or"):
        take()
    rows = take("dataset.modalities.sensor.rows=channels")
    trace = next(r for r in rows if r["modality"] == "sensor")
    assert (trace["channels"], trace["samples"]) == ("2", "40")
