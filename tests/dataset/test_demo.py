"""The demo's recordings are what they claim to be, and the same everywhere."""

import hashlib

import numpy as np
import pytest
import soundfile
from PIL import Image

from deepself.dataset import demo
from deepself.store.files import read_table


@pytest.mark.parametrize(
    ("key", "pair"),
    [("1", (697, 1209)), ("5", (770, 1336)), ("9", (852, 1477)), ("0", (941, 1336))],
)
def test_key_frequencies_are_those_of_q23(key, pair):
    assert demo.key_frequencies(key) == pair


@pytest.mark.parametrize("key", "0123456789")
def test_tone_is_heard_where_there_is_no_noise(key, monkeypatch):
    monkeypatch.setattr(demo, "SNR_DB", (40.0, 40.0))
    tone = demo.key_tone(key, np.random.default_rng(int(key)))
    power = np.abs(np.fft.rfft(tone)) ** 2
    hertz = np.fft.rfftfreq(len(tone), 1 / demo.SAMPLE_RATE)
    for band, expected in zip([(600, 1000), (1100, 1600)], demo.key_frequencies(key), strict=True):
        inside = (hertz > band[0]) & (hertz < band[1])
        assert abs(hertz[inside][power[inside].argmax()] - expected) < 12


def test_files_and_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ITEMS_PER_DIGIT", 2)
    assert demo.make_demo(tmp_path) == 20
    rows = read_table(tmp_path / "manifest.csv")
    assert len(rows) == 20
    for row in rows:
        signal, rate = soundfile.read(tmp_path / row["audio"])
        assert (rate, len(signal)) == (8000, 4000)
        assert Image.open(tmp_path / row["picture"]).size == (8, 8)


def test_same_seed_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ITEMS_PER_DIGIT", 1)

    def digest(folder, seed):
        demo.make_demo(folder, seed)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        return [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]

    first = digest(tmp_path / "a", 1)
    assert digest(tmp_path / "b", 1) == first
    assert digest(tmp_path / "c", 2) != first
