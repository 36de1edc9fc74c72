"""Whatever has happened to a bundle or a recording, there is an answer, or a line that says why."""

import io
import math
import resource
import signal
from contextlib import contextmanager

import h5py
import pytest

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import decode_recording
from deepself.errors import UserError
from deepself.inference.answers import Prediction
from deepself.inference.bundle import Bundle
from deepself.study.dataset import AudioModality, SensorModality, VideoModality
from tests.inference.damage import WAYS, damaged
from tests.inference.odd_sources import odd_source

CASES, PART = 1000, 125
SOURCES = 300
PATIENCE = 60
"""Seconds after which a case counts as hanging: it takes hundredths of one."""

GROWTH = 2**20
"""KiB by which the process may grow over all cases of a test; a network is a few."""


@pytest.fixture(scope="module")
def whole(varied):
    return varied.export("fusion", "stacked", "--fold", "1")


@pytest.fixture(scope="module")
def files(varied):
    (found,) = varied.files(["low-1"])
    return found


@contextmanager
def bounded():
    """End what hangs, and refuse what takes gigabytes."""

    def hangs(*_):
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < GROWTH


def outcome(ask):
    """What came of a case: a prediction, or the line that was said."""
    signal.alarm(PATIENCE)
    try:
        found = ask()
    except UserError as error:
        (line,) = str(error).splitlines()
        return line
    finally:
        signal.alarm(0)
    return found


def assert_sound(found):
    assert isinstance(found, Prediction)
    shares = found.probabilities.values()
    assert all(math.isfinite(share) and 0 <= share <= 1 for share in shares)
    assert sum(shares) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("part", range(CASES // PART))
def test_damaged_bundles(whole, files, tmp_path, part):
    folder = tmp_path / "damaged"
    spec = Bundle(whole, "cpu").spec
    keys = ["bundle.json", "features.", "recording", str(folder), *spec.runs, *spec.modalities]
    refused = 0
    with bounded():
        for seed in range(part * PART, (part + 1) * PART):
            how = damaged(whole, folder, seed)
            try:
                found = outcome(lambda: Bundle(folder, "cpu").predict(files))
                if isinstance(found, str):
                    assert any(key in found for key in keys), found
                    refused += 1
                else:
                    assert_sound(found)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {how}") from error
    assert refused > PART // 2


@pytest.mark.parametrize("way", WAYS[:5], ids=lambda way: way.__name__)
def test_damage_that_the_checksums_tell_is_never_answered_for(whole, tmp_path, way):
    """What is left of the bundle is another one, whose digest somebody would have to make."""
    for seed in (number for number in range(100) if WAYS[number % len(WAYS)] is way):
        how = damaged(whole, tmp_path / "damaged", seed)
        assert isinstance(outcome(lambda: Bundle(tmp_path / "damaged", "cpu")), str), (seed, how)


SESSION = b"""v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=video 5004 RTP/AVP 96
a=rtpmap:96 H264/90000
"""
"""What makes FFmpeg listen on the network, for ten seconds, if it is let."""


def test_content_that_names_an_address_opens_none():
    pytest.importorskip("av")
    film = VideoModality(kind="video", height=8, width=8, frame_rate=5)
    with pytest.raises(ReadError, match="^cannot be decoded as a film: Invalid data"):
        decode_recording(film, "film.mp4", SESSION)
    sound = AudioModality(kind="audio", sample_rate=8000)
    with pytest.raises(ReadError, match="^cannot be decoded as audio: Invalid data"):
        decode_recording(sound, "sound.aac", SESSION)


def test_content_that_names_a_file_does_not_read_it(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(200)))
    file = io.BytesIO()
    with h5py.File(file, "w") as written:
        there = [(str(tmp_path / "secret"), 0, 200)]
        written.create_dataset("x", shape=(100, 2), dtype="u1", external=there)
    sensor = SensorModality(kind="sensor", sample_rate=100)
    with pytest.raises(ReadError, match="keeps its values in another file"):
        decode_recording(sensor, "x.h5", file.getvalue())


def test_odd_sources(whole, files):
    bundle = Bundle(whole, "cpu")
    wanted = bundle.predict(files)
    answered = 0
    with bounded():
        for seed in range(SOURCES):
            source, rate = odd_source(files, seed)
            try:
                found = outcome(lambda s=source, r=rate: bundle.predict(s, r))
                if not isinstance(found, str):
                    assert_sound(found)
                    answered += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}: {source} at {rate} Hz") from error
    assert 0 < answered < SOURCES
    assert bundle.predict(files) == wanted  # nothing is left behind
