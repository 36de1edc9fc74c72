"""Films, written by FFmpeg, are read as they were meant."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import VideoModality

FORMATS = [
    ("a.mp4", "mp4", "libx264", "yuv420p", 0.03),
    ("a.mov", "mov", "mpeg4", "yuv420p", 0.03),
    ("a.avi", "avi", "mpeg4", "yuv420p", 0.03),
    ("a.mkv", "matroska", "ffv1", "bgr0", 0.005),
    ("a.webm", "webm", "libvpx", "yuv420p", 0.03),
    ("a.gif", "gif", "gif", "rgb8", 0.1),
]


def film(form, codec, pixels, count=20, rate=10, times=None, size=(48, 64)):
    """Encode frames whose left half is white and whose right half grows brighter."""
    content = io.BytesIO()
    with av.open(content, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        for k in range(count):
            picture = np.full((*size, 3), brightness(k), np.uint8)
            picture[:, : size[1] // 2] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts = times[k]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return content.getvalue()


def brightness(k):
    return 10 * (k % 20)


def read_film(content, name="a.mkv", rate=10, height=12, width=16, channels="grey"):
    modality = VideoModality(
        kind="video", frame_rate=rate, height=height, width=width, channels=channels
    )
    return read(modality, Path(name), content)


def lossless(**settings):
    return film("matroska", "ffv1", "bgr0", **settings)


def right(values):
    """Brightness, of 255 and in tens, of each frame's right half."""
    return 10 * np.round(values[0, :, :, -3:].mean(axis=(1, 2)) * 25.5)


@pytest.mark.parametrize(("name", "form", "codec", "pixels", "tolerance"), FORMATS)
def test_films(name, form, codec, pixels, tolerance):
    content = film(form, codec, pixels)
    grey = read_film(content, name)
    assert grey.sample_rate == 10
    assert grey.names == ()
    assert grey.values.dtype == np.float32
    assert grey.values.shape == (1, 20, 12, 16)
    expected = np.array([brightness(k) for k in range(20)]) / 255
    found = grey.values[0, :, :, -3:].mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=tolerance)
    np.testing.assert_allclose(grey.values[..., :5], 1, atol=tolerance)
    rgb = read_film(content, name, channels="rgb").values
    assert rgb.shape == (3, 20, 12, 16)
    np.testing.assert_allclose(rgb[..., :5], 1, atol=tolerance + 0.01)


def test_colours_are_red_green_blue():
    content = io.BytesIO()
    with av.open(content, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        picture = np.tile(np.array([200, 100, 50], np.uint8), (16, 16, 1))
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    found = read_film(content.getvalue(), rate=1, channels="rgb").values
    assert found.shape == (3, 1, 12, 16)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)) * 255, [200, 100, 50], atol=1)


def test_a_lower_rate_leaves_frames_out():
    found = right(read_film(lossless(), rate=5).values)
    assert found.tolist() == [brightness(k) for k in range(0, 20, 2)]


def test_a_higher_rate_repeats_frames():
    found = right(read_film(lossless(count=4), rate=20).values)
    assert found.tolist() == [0, 0, 10, 10, 20, 20, 30, 30]


def test_each_time_has_the_last_frame_that_began_by_then():
    found = right(read_film(lossless(), rate=3).values)
    shown = [int(10 * k / 3 + 1e-9) for k in range(6)]
    assert found.tolist() == [brightness(k) for k in shown]


@pytest.mark.parametrize("rate", [24, 25, 30])
def test_times_in_whole_milliseconds_shift_no_frame(rate):
    found = right(read_film(lossless(count=20, rate=rate), rate=rate).values)
    assert found.tolist() == [brightness(k) for k in range(20)]


def test_frames_of_different_lengths_stand_as_long_as_they_do():
    content = film("mp4", "mpeg4", "yuv420p", count=3, times=[0, 1, 5])
    found = right(read_film(content, "a.mp4").values)
    np.testing.assert_allclose(found, [0, 10, 10, 10, 10, 20], atol=5)


def test_a_film_may_be_shorter_than_a_frame():
    assert read_film(lossless(count=1), rate=1).values.shape == (1, 1, 12, 16)


def test_frames_are_resized_as_they_are_decoded():
    found = read_film(lossless(count=2), height=30, width=7).values
    assert found.shape == (1, 2, 30, 7)
    same = read_film(lossless(count=2), height=48, width=64).values
    assert (same[0, 1, :, :31] == 1).all()
    np.testing.assert_allclose(same[0, 1, :, 33:] * 255, 10, atol=1)


def test_a_film_that_was_taken_on_its_side_is_turned_upright():
    content = bytearray(film("mp4", "mpeg4", "yuv420p", count=1))
    header = content.find(b"tkhd")
    turned = np.array([0, 1, 0, -1, 0, 0, 0, 0, 1], dtype=np.int64)
    matrix = turned * np.array([2**16, 2**16, 2**30] * 3)
    # Version 0: the matrix follows 40 bytes after the name (ISO/IEC 14496-12, section 8.3.2).
    at = header + 4 + 40
    content[at : at + 36] = matrix.astype(">i4").tobytes()
    upright = read_film(bytes(content), "a.mp4", height=16, width=12).values[0, 0]
    assert upright.shape == (16, 12)
    assert upright[:7].min() > 0.95  # what was left is at the top: turned clockwise
    assert upright[9:].max() < 0.05


@pytest.mark.parametrize(("name", "form", "codec", "pixels", "tolerance"), FORMATS)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9, 0.99])
def test_films_that_are_cut_off_are_refused(name, form, codec, pixels, tolerance, share, capfd):
    content = film(form, codec, pixels)
    with pytest.raises(ReadError, match="is cut off|cannot be decoded as a film|no pictures"):
        read_film(content[: int(share * len(content))], name)
    assert capfd.readouterr() == ("", "")


def test_other_bytes_are_no_film():
    with pytest.raises(ReadError, match="cannot be decoded as a film: Invalid data") as error:
        read_film(b"no film at all", "a.mp4")
    assert "\n" not in str(error.value)


def test_sound_alone_is_no_film():
    content = io.BytesIO()
    with av.open(content, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(ReadError, match="holds no pictures"):
        read_film(content.getvalue())


def test_a_frame_after_hours_is_taken_for_damage():
    content = film("mp4", "mpeg4", "yuv420p", count=3, times=[0, 1, 100_000])
    with pytest.raises(ReadError, match=r"has a damaged time after 0\.10 s"):
        read_film(content, "a.mp4")
