"""From a file to what a transform takes: decoded, resampled, filtered, cut or filled to length."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import Recording, read_recording
from deepself.errors import UserError
from deepself.features.transforms import filtered
from deepself.signal.resample import resample
from deepself.study.dataset import (
    AnyModality,
    AudioModality,
    Duration,
    ImageModality,
    SensorModality,
    VideoModality,
)
from deepself.study.features import Computed, SignalFeature, Window

PADDING = {"zero": "constant", "repeat": "wrap", "reflect": "reflect", "mask": "none"}
"""How `numpy.pad` calls each way to fill a short recording."""


@dataclass(frozen=True)
class Prepared:
    """One recording, ready for a transform.

    Attributes
    ----------
    pieces
        float32 signals (pieces, channels, samples), pictures (1, channels, height, width) or
        films (1, channels, frames, height, width): one, or one a window, which may share memory.
        A masked recording has its true length, which may be shorter than that of others.
    starts
        Where each window begins, in seconds; None without windows.
    """

    pieces: np.ndarray
    starts: list[float] | None = None


def read_verified(modality: AnyModality, path: Path, checksum: str) -> Recording:
    """Read one recording of a study.

    Parameters
    ----------
    modality
        What its file is.
    path
        The file.
    checksum
        SHA-256 that the inventory holds for it.

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
        raise UserError(f"{path}: has changed since it was checked; run check again")
    return recording


def prepare(
    modality: AnyModality, spec: Computed, recording: Recording, samples: int | None
) -> Prepared:
    """Bring one recording to what its modality and a feature want.

    Parameters
    ----------
    modality
        Rate, channels and duration, or size, to bring it to.
    spec
        The feature: filter and window.
    recording
        What was read.
    samples
        Length to bring signals and films to, see `target_samples`; None leaves them.

    Raises
    ------
    ValueError
        It is too short for the filter.
    """
    if isinstance(modality, ImageModality):
        return Prepared(resize(recording.values, modality.height, modality.width)[None])
    values = recording.values
    if isinstance(modality, AudioModality | SensorModality):
        assert isinstance(spec, SignalFeature)
        values = _conditioned(modality, spec, recording)
    if modality.duration is not None and samples is not None:
        values = fit(values, modality.duration, samples)
    window = getattr(spec, "window", None)
    if window is None or isinstance(modality, VideoModality):
        return Prepared(values[None])
    return windows(values, window, modality.sample_rate)


def _conditioned(
    modality: AudioModality | SensorModality, spec: SignalFeature, recording: Recording
) -> np.ndarray:
    """Resampled and filtered as a whole, so that neither cuts nor filling leave a trace."""
    assert recording.sample_rate is not None
    rate = modality.sample_rate
    values = resample(recording.values, recording.sample_rate, rate, modality.resampling)
    return filtered(spec.filter, values, rate)


def target_samples(modality: AnyModality, rows: list[dict[str, str]]) -> int | None:
    """Length in samples, or frames of a film, to which all recordings are brought.

    Parameters
    ----------
    modality
        The modality, perhaps with a duration.
    rows
        Its rows of the inventory.

    Returns
    -------
    int or None
        None without a duration.
    """
    if isinstance(modality, ImageModality) or modality.duration is None:
        return None
    rate = modality.frame_rate if isinstance(modality, VideoModality) else modality.sample_rate
    if modality.duration.seconds == "longest":
        # soxr rounds halves upwards.
        return max(int(float(r["samples"]) * rate / float(r["sample_rate"]) + 0.5) for r in rows)
    return round(modality.duration.seconds * rate)


def fit(values: np.ndarray, duration: Duration, samples: int) -> np.ndarray:
    """Crop or fill a signal (channels, samples) or film (channels, frames, ...) to a length."""
    missing = samples - values.shape[1]
    if missing <= 0:
        return np.ascontiguousarray(values[:, :samples])
    # `error` leaves recordings that are short by a rounding of the sampling rate.
    mode = PADDING.get(duration.shorter, "constant")
    if mode == "none":
        return values
    if mode == "reflect" and values.shape[1] == 1:
        mode = "edge"
    widths = ((0, 0), (0, missing), *((0, 0),) * (values.ndim - 2))
    return np.pad(values, widths, mode=mode)  # type: ignore[call-overload]


def windows(values: np.ndarray, window: Window, sample_rate: float) -> Prepared:
    """Cut a signal (channels, samples) into windows of one length."""
    length = round(window.seconds * sample_rate)
    hop = max(1, round(length * (1 - window.overlap)))
    samples = values.shape[1]
    starts = list(range(0, samples - length + 1, hop))
    if window.rest == "zero" and (not starts or starts[-1] + length < samples):
        starts.append(starts[-1] + hop if starts else 0)
        missing = max(0, starts[-1] + length - samples)
        values = np.pad(values, ((0, 0), (0, missing)))
    if not starts:
        return Prepared(np.empty((0, len(values), length), dtype=np.float32), [])
    # A view: windows that overlap do not multiply a long recording's memory.
    cut = np.lib.stride_tricks.sliding_window_view(values, length, axis=1)[:, ::hop]
    return Prepared(cut.swapaxes(0, 1), [start / sample_rate for start in starts])


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a picture (channels, height, width) to a size, by area where it shrinks."""
    if picture.shape[1:] == (height, width):
        return picture
    from PIL import Image

    planes = [Image.fromarray(plane, mode="F") for plane in picture]
    resized = [p.resize((width, height), Image.Resampling.BILINEAR) for p in planes]
    return np.stack([np.asarray(p, dtype=np.float32) for p in resized])
