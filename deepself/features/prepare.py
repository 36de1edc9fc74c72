"""From a file to what a transform takes: decoded, resampled, mixed, cut or filled to length."""

from pathlib import Path

import numpy as np

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import read_recording
from deepself.errors import UserError
from deepself.signal.resample import resample
from deepself.study.dataset import AnyModality, Duration, ImageModality

PADDING = {"zero": "constant", "repeat": "wrap", "reflect": "reflect"}
"""How `numpy.pad` calls each way to fill a short recording."""


def prepare(modality: AnyModality, path: Path, checksum: str) -> np.ndarray:
    """Read one recording as its modality wants it.

    Parameters
    ----------
    modality
        Rate, channels and duration, or size, to bring it to.
    path
        The file.
    checksum
        SHA-256 that the inventory holds for it.

    Returns
    -------
    ndarray
        float32: signal (channels, samples) or picture (channels, height, width).

    Raises
    ------
    UserError
        The file cannot be read, or has changed since the inventory was taken.
    """
    try:
        recording = read_recording(modality, path)
    except ReadError as error:
        raise UserError(f"{path}: {error}; run check again") from None
    if recording.checksum != checksum:
        raise UserError(f"{path}: has changed since it was checked; run again")
    if isinstance(modality, ImageModality):
        return resize(recording.values, modality.height, modality.width)
    signal = recording.values
    if modality.kind == "audio":
        if modality.channels == "mix":
            signal = signal.mean(axis=0, keepdims=True)
        assert recording.sample_rate is not None
        signal = resample(signal, recording.sample_rate, modality.sample_rate)
    if modality.duration is not None:
        signal = fit(signal, modality.duration, modality.sample_rate)
    return np.ascontiguousarray(signal, dtype=np.float32)


def fit(signal: np.ndarray, duration: Duration, sample_rate: float) -> np.ndarray:
    """Crop or fill a signal (channels, samples) to a duration."""
    wanted = round(duration.seconds * sample_rate)
    missing = wanted - signal.shape[1]
    if missing <= 0:
        return signal[:, :wanted]
    # `error` leaves recordings that are short by a rounding of the sampling rate.
    mode = PADDING.get(duration.shorter, "constant")
    if mode == "reflect" and signal.shape[1] == 1:
        mode = "edge"
    return np.pad(signal, ((0, 0), (0, missing)), mode=mode)  # type: ignore[call-overload]


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a picture (channels, height, width) to a size, by area where it shrinks."""
    if picture.shape[1:] == (height, width):
        return picture
    from PIL import Image

    planes = [Image.fromarray(plane, mode="F") for plane in picture]
    resized = [p.resize((width, height), Image.Resampling.BILINEAR) for p in planes]
    return np.stack([np.asarray(p, dtype=np.float32) for p in resized])
