"""Files to arrays: one function a kind of modality.

Each takes a file's name and content, so that a file is read from disk once, for its checksum and
for its samples. To read a new format, add its suffix to a table below and say how.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


class ReadError(Exception):
    """A recording cannot be read; the message says why, not which."""


def read_audio(path: Path, content: bytes) -> tuple[np.ndarray, float]:
    """Decode a sound file.

    Returns
    -------
    signal
        float32, shape (channels, samples), in [-1, 1] for integer formats.
    sample_rate
        In Hz.
    """
    import soundfile

    if _is_cut(content):
        raise ReadError("is cut off: it ends before its last sample")
    try:
        signal, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise ReadError(f"cannot be decoded as audio: {reason}") from None
    return np.ascontiguousarray(signal.T), float(rate)


def _is_cut(content: bytes) -> bool:
    """Whether a WAV or Ogg file lacks its end, which libsndfile reads as a shorter recording."""
    if content.startswith(b"RIFF"):
        size = int.from_bytes(content[4:8], "little")
        streamed = size in (0, 0xFFFFFFFF)  # a writer that could not go back to fill it in
        return not streamed and size + 8 > len(content) + size % 2
    if content.startswith(b"OggS"):
        page = content[content.rfind(b"OggS") :]
        if len(page) < 27:
            return True
        # The last page says that it is the last, and how long it is (RFC 3533, section 6).
        segments = page[26]
        return not page[5] & 4 or len(page) < 27 + segments + sum(page[27 : 27 + segments])
    return False


def read_sensor(path: Path, content: bytes) -> np.ndarray:
    """Read a sensor file: float32, shape (channels, samples); columns are channels.

    Delimited text (`.txt`, `.csv`, `.tsv`, `.asc`, with or without a header) and NumPy's `.npy`.
    """
    reader = SENSOR_FORMATS.get(path.suffix.lower())
    if reader is None:
        raise ReadError(f"unknown sensor format; known: {', '.join(SENSOR_FORMATS)}")
    table = reader(content)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise ReadError(f"has {table.ndim} axes; expected samples in rows, channels in columns")
    return np.ascontiguousarray(table.T, dtype=np.float32)


def read_image(path: Path, content: bytes, channels: str) -> np.ndarray:
    """Decode a picture: float32 in [0, 1], shape (channels, height, width).

    Parameters
    ----------
    path, content
        The file's name and content.
    channels
        `grey` (1 channel) or `rgb` (3 channels).
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as opened:
            upright = ImageOps.exif_transpose(opened)
            picture = np.asarray(_eight_bit(upright).convert("L" if channels == "grey" else "RGB"))
    except UnidentifiedImageError:
        raise ReadError("is no picture of a known format") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ReadError(f"cannot be decoded as a picture: {error}") from None
    axes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return np.ascontiguousarray(axes, dtype=np.float32) / 255


def _eight_bit(picture: "Image.Image") -> "Image.Image":
    """Scale what Pillow would clip: 16-bit grey to 8 bits. Wider values have no known white."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        wide = np.asarray(picture).astype(np.uint16)
        return Image.fromarray((wide / 257).round().astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ReadError(f"has values of mode {picture.mode}, whose range is unknown; use 16 bit")
    return picture


def _read_text(content: bytes) -> np.ndarray:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ReadError("is not a text file") from None
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise ReadError("is empty")
    delimiter = next((d for d in (";", "\t", ",") if d in lines[0]), None)
    header = 0 if _numbers(lines[0], delimiter) else 1
    rows: list[list[float]] = []
    for number, line in enumerate(lines[header:], start=header + 1):
        values = _numbers(line, delimiter)
        if values is None:
            raise ReadError(f"line {number} is not numeric: {line[:40]!r}")
        if rows and len(values) != len(rows[0]):
            raise ReadError(f"line {number} has {len(values)} values, the first {len(rows[0])}")
        rows.append(values)
    return np.array(rows, dtype=np.float64)


def _numbers(line: str, delimiter: str | None) -> list[float] | None:
    """Values of a line, or None: an empty cell is no number, so that no column shifts."""
    try:
        return [float(value) for value in line.rstrip(delimiter).split(delimiter)]
    except ValueError:
        return None


def _read_npy(content: bytes) -> np.ndarray:
    try:
        table = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ReadError(f"cannot be read as NPY: {error}") from None
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "fiub":
        raise ReadError("does not hold one array of real numbers")
    return table


SENSOR_FORMATS: dict[str, Callable[[bytes], np.ndarray]] = {
    ".txt": _read_text,
    ".csv": _read_text,
    ".tsv": _read_text,
    ".asc": _read_text,
    ".npy": _read_npy,
}
"""Reader of each suffix; each returns samples in rows, channels in columns."""
