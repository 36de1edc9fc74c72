"""One recording of any modality: read, verified, and described."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.readers import ReadError, read_audio, read_image, read_sensor
from deepself.study.dataset import AnyModality


@dataclass(frozen=True)
class Recording:
    """A recording's content.

    Attributes
    ----------
    values
        float32: signal (channels, samples) or picture (channels, height, width).
    sample_rate
        In Hz; None for pictures.
    size
        Of the file, in bytes.
    checksum
        SHA-256 of the file, in hexadecimal.
    """

    values: np.ndarray
    sample_rate: float | None
    size: int
    checksum: str


def read_recording(modality: AnyModality, path: Path) -> Recording:
    """Read and decode one file.

    Raises
    ------
    ReadError
        The file is missing, empty, cannot be decoded, or holds values that are not finite.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ReadError("no such file") from None
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror}") from None
    if not content:
        raise ReadError("is empty")
    rate: float | None = None
    if modality.kind == "audio":
        values, rate = read_audio(path, content)
    elif modality.kind == "sensor":
        values, rate = read_sensor(path, content), modality.sample_rate
    else:
        values = read_image(path, content, modality.channels)
    if values.size == 0:
        raise ReadError("holds no samples")
    if not np.isfinite(values).all():
        raise ReadError(
            f"holds {np.count_nonzero(~np.isfinite(values))} values that are not finite"
        )
    return Recording(values, rate, len(content), hashlib.sha256(content).hexdigest())
