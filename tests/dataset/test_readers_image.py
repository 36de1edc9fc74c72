"""Pictures, written by Pillow, are read as they were meant."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import ImageModality

RAMP = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (8, 1))
COLOURS = np.stack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 40)], axis=-1)


def read_image(content, channels="grey"):
    return read(
        ImageModality(kind="image", height=2, width=2, channels=channels), Path("x"), content
    ).values


def written(picture, form="PNG", **settings):
    content = io.BytesIO()
    picture.save(content, form, **settings)
    return content.getvalue()


LOSSLESS = [
    ("PNG", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
]


@pytest.mark.parametrize(("form", "settings"), LOSSLESS)
def test_pictures_are_read_exactly(form, settings):
    grey = written(Image.fromarray(RAMP), form, **settings)
    np.testing.assert_allclose(read_image(grey), RAMP[None] / 255, atol=0.005)
    colour = written(Image.fromarray(COLOURS), form, **settings)
    found = read_image(colour, "rgb")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, COLOURS.transpose(2, 0, 1) / 255, atol=1e-7)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_pictures_are_read_nearly(form):
    content = written(Image.fromarray(RAMP), form, quality=95)
    np.testing.assert_allclose(read_image(content), RAMP[None] / 255, atol=0.03)
    assert read_image(content, "rgb").shape == (3, 8, 16)


def test_colours_become_grey_by_their_brightness():
    content = written(Image.fromarray(COLOURS))
    expected = COLOURS @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    np.testing.assert_allclose(read_image(content)[0] * 255, expected, atol=1)


def test_palettes_are_read_as_their_colours():
    picture = Image.fromarray(COLOURS).quantize(64)
    expected = np.asarray(picture.convert("RGB")).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(read_image(written(picture), "rgb"), expected, atol=1e-7)
    transparent = written(picture, transparency=bytes(range(64)))
    np.testing.assert_allclose(read_image(transparent, "rgb"), expected, atol=1e-7)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_left_out(form):
    alpha = np.full_like(RAMP, 10)
    settings = {"lossless": True, "exact": True} if form == "WEBP" else {}
    content = written(Image.fromarray(np.dstack([COLOURS, alpha])), form, **settings)
    expected = COLOURS.transpose(2, 0, 1) / 255
    np.testing.assert_allclose(read_image(content, "rgb"), expected, atol=1e-7)


def test_black_and_white_and_printers_colours():
    bits = Image.fromarray(RAMP > 127)
    assert np.array_equal(read_image(written(bits))[0], RAMP > 127)
    ink = Image.fromarray(COLOURS).convert("CMYK")
    found = read_image(written(ink, "TIFF"), "rgb")
    np.testing.assert_allclose(found, COLOURS.transpose(2, 0, 1) / 255, atol=0.01)


@pytest.mark.parametrize(("form", "orientation"), [("PNG", 6), ("JPEG", 6), ("WEBP", 6)])
def test_picture_is_turned_upright(form, orientation):
    values = np.zeros((16, 32), np.uint8)
    values[:8] = 255  # a bright half at the top of the sensor
    exif = Image.Exif()
    exif[0x0112] = orientation  # the camera was turned: rotate by 90 degrees clockwise
    upright = read_image(written(Image.fromarray(values), form, exif=exif))[0]
    assert upright.shape == (32, 16)
    assert upright[:, 8:].min() > 0.9
    assert upright[:, :8].max() < 0.1


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_picture_is_refused(form, share):
    noise = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
    content = written(Image.fromarray(noise), form)
    with pytest.raises(ReadError, match="cannot be decoded as a picture|is no picture"):
        read_image(content[: int(share * len(content))])


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_pictures_keep_their_range(form):
    values = np.array([[0, 300, 30000, 65535]], np.uint16)
    content = written(Image.fromarray(values), form)
    np.testing.assert_allclose(read_image(content)[0], values / 65535, atol=0.003)
    np.testing.assert_allclose(read_image(content, "rgb")[2], values / 65535, atol=0.003)


def test_sixteen_bit_colours_keep_their_range():
    values = np.array([[[0, 300, 30000], [65535, 1000, 5]]], np.uint16)
    found = read_image(sixteen_bit_png(values), "rgb")
    np.testing.assert_allclose(found, values.transpose(2, 0, 1) / 65535, atol=0.004)


def sixteen_bit_png(values):
    """Write what Pillow cannot (RFC 2083, section 3)."""

    def chunk(kind, data):
        checked = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checked)

    height, width, _ = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_of_unknown_range_are_refused():
    content = written(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    with pytest.raises(ReadError, match="mode F, whose range is unknown"):
        read_image(content)


def test_other_bytes_are_no_picture():
    with pytest.raises(ReadError, match="is no picture of a known format"):
        read_image(b"no picture")
