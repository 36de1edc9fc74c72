"""Sound files, written by their formats' own writers, are read as they were meant."""

import io
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import AudioModality
from tests.dataset.encoding import encoded

TIME = np.arange(4000) / 8000
STEREO = 0.5 * np.stack([np.sin(2 * np.pi * 440 * TIME), 0.3 * np.cos(2 * np.pi * 300 * TIME)])


def read_audio(content, name="x", channels="keep"):
    return read(
        AudioModality(kind="audio", sample_rate=8000, channels=channels), Path(name), content
    )


def written(samples, form, subtype=None, rate=8000):
    content = io.BytesIO()
    soundfile.write(content, samples.T, rate, format=form, subtype=subtype)
    return content.getvalue()


@pytest.mark.parametrize(
    ("form", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ALAW", 0.03),
        ("RF64", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.1),
    ],
)
def test_sound(form, subtype, tolerance):
    found = read_audio(written(STEREO, form, subtype))
    assert found.sample_rate == 8000
    assert found.names == ()
    assert found.values.dtype == np.float32
    assert found.values.shape == (2, 4000)
    np.testing.assert_allclose(found.values, STEREO, atol=tolerance + 1e-7)


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_sound_keeps_its_length_and_tones(form, subtype):
    found = read_audio(written(STEREO, form, subtype))
    assert found.sample_rate == 8000
    assert found.values.shape == (2, 4000)
    middle = slice(500, 3500)
    for channel, original in zip(found.values, STEREO, strict=True):
        assert np.corrcoef(channel[middle], original[middle])[0, 1] > 0.9


def test_apple_lossless_in_m4a_is_read_exactly():
    content = encoded(STEREO, "ipod", "alac", "s16p")
    found = read_audio(content, "x.m4a")
    assert found.sample_rate == 8000
    np.testing.assert_allclose(found.values, STEREO, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "form", "codec"),
    [
        ("x.m4a", "ipod", "aac"),
        ("x.mp4", "mp4", "aac"),
        ("x.aac", "adts", "aac"),
        ("x.wma", "asf", "wmav2"),
        ("x.mka", "matroska", "aac"),
    ],
)
def test_sound_that_libsndfile_does_not_know(name, form, codec):
    time = np.arange(44100) / 44100
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)[None]
    found = read_audio(encoded(tone, form, codec, "fltp", 44100), name)
    assert found.sample_rate == 44100
    assert found.values.shape[0] == 1
    assert abs(found.values.shape[1] - 44100) < 3 * 2048
    middle = found.values[0, 8000:30000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.fft.rfftfreq(len(middle), 1 / 44100)[spectrum.argmax()] == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_wrong_suffix_does_no_harm_to_a_known_container():
    content = encoded(STEREO, "ipod", "alac", "s16p")
    np.testing.assert_allclose(read_audio(content, "x.mp3").values, STEREO, atol=1e-4)


def test_channels_of_sound_are_chosen_by_index():
    found = read_audio(written(STEREO, "WAV", "FLOAT"), channels=[1])
    np.testing.assert_allclose(found.values, STEREO[1:], atol=1e-6)


FORMATS = [
    ("WAV", "PCM_16"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("FLAC", None),
    ("MP3", None),
]
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 20000))


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_sound_that_is_cut_off_is_refused(form, subtype, share, capfd):
    content = written(NOISE, form, subtype)
    with pytest.raises(ReadError, match="is cut off|cannot be decoded as audio"):
        read_audio(content[: int(share * len(content))])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
@pytest.mark.parametrize(("name", "form"), [("x.m4a", "ipod"), ("x.mka", "matroska")])
def test_compressed_sound_that_is_cut_off_is_refused(name, form, share):
    content = encoded(NOISE, form, "aac", "fltp")
    with pytest.raises(ReadError, match="is cut off: it ends before its last sample"):
        read_audio(content[: int(share * len(content))], name)


def test_mp3_behind_a_tag_may_be_whole_or_cut():
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)
    content = tag + written(NOISE, "MP3")
    assert read_audio(content).values.shape == (1, 20000)
    with pytest.raises(ReadError, match="cut off"):
        read_audio(content[: len(content) // 2])


def test_a_streamed_wav_whose_header_was_never_mended_is_read():
    content = bytearray(written(NOISE, "WAV", "PCM_16"))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert read_audio(bytes(content)).values.shape == (1, 20000)


def test_damaged_aac_is_one_line():
    content = bytearray(encoded(NOISE, "ipod", "aac", "fltp"))
    start = content.find(b"mdat") + 200
    content[start : start + 400] = b"\xff" * 400
    with pytest.raises(ReadError) as error:
        read_audio(bytes(content), "x.m4a")
    assert str(error.value).startswith("cannot be decoded as audio: ")
    assert "\n" not in str(error.value)


def test_film_without_sound_is_refused():
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(ReadError, match="holds no sound"):
        read_audio(content.getvalue(), "x.mp4")


def test_bytes_that_are_no_sound_are_refused_whatever_is_installed(monkeypatch):
    with pytest.raises(ReadError, match="cannot be decoded as audio: Format not recognised"):
        read_audio(np.random.default_rng(0).bytes(5000), "x.wav")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ReadError, match="cannot be decoded as audio: Format not recognised"):
        read_audio(b"no sound at all", "x.wav")
    assert read_audio(written(STEREO, "WAV")).sample_rate == 8000
