"""Each kind of file, written by its format's own writer, is read as it was meant."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from deepself.dataset.readers import ReadError, read_audio, read_image, read_sensor


@pytest.mark.parametrize(
    ("form", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "FLOAT", 0),
        ("FLAC", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.1),
    ],
)
def test_sound(form, subtype, tolerance):
    time = np.arange(4000) / 8000
    stereo = np.stack([np.sin(2 * np.pi * 440 * time), 0.3 * np.cos(2 * np.pi * 300 * time)])
    content = io.BytesIO()
    soundfile.write(content, 0.5 * stereo.T, 8000, format=form, subtype=subtype)
    signal, rate = read_audio(Path("x"), content.getvalue())
    assert rate == 8000
    assert signal.dtype == np.float32
    assert signal.shape == (2, 4000)
    np.testing.assert_allclose(signal, 0.5 * stereo, atol=tolerance + 1e-7)


@pytest.mark.parametrize(
    ("form", "subtype"), [("WAV", "PCM_16"), ("OGG", "VORBIS"), ("FLAC", None)]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_sound_that_is_cut_off_is_refused(form, subtype, share):
    content = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    soundfile.write(content, noise, 8000, format=form, subtype=subtype)
    cut = content.getvalue()[: int(share * len(content.getvalue()))]
    with pytest.raises(ReadError, match="cut off|decoded"):
        read_audio(Path("x"), cut)


TABLE = np.array([[1.5, -2], [3, 4e-3], [5, 6]])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "1.5,-2\n3,4e-3\n5,6\n"),
        ("a.csv", "left,right\n1.5,-2\n3,4e-3\n5,6\n"),
        ("a.tsv", "1.5\t-2\n3\t4e-3\n5\t6"),
        ("a.txt", "  1.5   -2\r\n3 4e-3\r\n\r\n5 6\r\n"),
        ("a.asc", "1.5;-2\n3;4e-3\n5;6\n"),
    ],
)
def test_delimited_text(name, text):
    np.testing.assert_allclose(read_sensor(Path(name), text.encode()), TABLE.T)


def test_one_value_a_line_is_one_channel():
    assert read_sensor(Path("Z001.TXT"), b"12\n-4\n7\n").tolist() == [[12, -4, 7]]


def test_npy():
    content = io.BytesIO()
    np.save(content, TABLE)
    np.testing.assert_allclose(read_sensor(Path("a.npy"), content.getvalue()), TABLE.T)


def test_npy_with_objects_is_not_unpickled():
    content = io.BytesIO()
    np.save(content, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ReadError, match="cannot be read as NPY"):
        read_sensor(Path("a.npy"), content.getvalue())


def test_unknown_sensor_format_lists_the_known():
    with pytest.raises(ReadError, match=r"unknown sensor format; known: \.txt"):
        read_sensor(Path("a.xyz"), b"1")


def picture_bytes(picture, **settings):
    content = io.BytesIO()
    picture.save(content, **settings)
    return content.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_picture(form):
    values = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (8, 1))
    content = picture_bytes(Image.fromarray(values), format=form)
    grey = read_image(Path("x"), content, "grey")
    assert grey.shape == (1, 8, 16)
    np.testing.assert_allclose(grey[0], values / 255, atol=0.03)
    assert read_image(Path("x"), content, "rgb").shape == (3, 8, 16)


def test_picture_is_turned_upright():
    values = np.zeros((4, 6), np.uint8)
    values[0] = 255  # a bright edge at the top of the sensor
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    content = picture_bytes(Image.fromarray(values), format="PNG", exif=exif)
    upright = read_image(Path("x"), content, "grey")[0]
    assert upright.shape == (6, 4)
    assert upright[:, -1].min() == 1


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_truncated_picture_is_refused(cut):
    random = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
    content = picture_bytes(Image.fromarray(random), format="PNG")
    with pytest.raises(ReadError):
        read_image(Path("x"), content[: int(cut * len(content))], "grey")


def test_sixteen_bit_pictures_keep_their_range():
    values = np.array([[0, 300, 30000, 65535]], np.uint16)
    content = picture_bytes(Image.fromarray(values), format="PNG")
    np.testing.assert_allclose(
        read_image(Path("x"), content, "grey")[0], values / 65535, atol=0.003
    )


def test_pictures_of_unknown_range_are_refused():
    content = picture_bytes(Image.fromarray(np.zeros((2, 2), np.float32)), format="TIFF")
    with pytest.raises(ReadError, match="mode F, whose range is unknown"):
        read_image(Path("x"), content, "grey")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5;2,5\n3,5;4,5\n", "line 2 is not numeric: '3,5;4,5'"),  # decimal commas
        ("1,2,3\n,5,6\n", "line 2 is not numeric"),
        ("1,,3\n", "is not numeric|holds no|empty"),
        ("", "is empty"),
    ],
)
def test_text_is_never_read_as_other_columns_than_it_has(text, message):
    with pytest.raises(ReadError, match=message):
        table = read_sensor(Path("a.csv"), text.encode())
        if table.size == 0:
            raise ReadError("holds no samples")


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j])])
def test_npy_of_other_than_real_numbers_is_refused(array):
    content = io.BytesIO()
    np.save(content, array)
    with pytest.raises(ReadError, match="does not hold one array of real numbers"):
        read_sensor(Path("a.npy"), content.getvalue())
