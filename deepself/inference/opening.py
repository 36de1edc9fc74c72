"""What a bundle reads: files, bytes and arrays become recordings; what is unusual is noted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers import Decoded, ReadError
from deepself.dataset.readers.selection import select
from deepself.dataset.recordings import (
    Recording,
    checked_recording,
    decode_recording,
    read_recording,
)
from deepself.inference.spec import Known
from deepself.inference.unpacking import require_room
from deepself.study.dataset import (
    AnyModality,
    AudioModality,
    ImageModality,
    SensorModality,
    SignalModality,
    VideoModality,
)


@dataclass(frozen=True)
class Given:
    """Content or values of which more is known than they say themselves.

    Attributes
    ----------
    source
        The bytes of a file, or an array.
    sample_rate
        Of an array, or of a sensor's file that names none, in Hz.
    name
        What bytes would be called as a file.
    """

    source: bytes | np.ndarray
    sample_rate: float | None = None
    name: str | None = None


Source = str | Path | bytes | np.ndarray | Given
"""A file's path, its content, or values in memory."""

NAMED = {"audio": "recording.wav", "image": "picture.png", "video": "film.mp4"}
"""What content is called whose name is not known; its first bytes say what it is."""

SLACK = 0.02
"""Share by which a rate may lie outside of those that were learnt from before that is noted."""

GROWTH, GROWN, SHRUNK = 8, 2**26, 10**4
"""By how much a recording may grow as it is resampled, to how many values beyond that; and shrink.
"""


class Opener:
    """How recordings of one modality are read.

    Parameters
    ----------
    modality
        What the study says of it.
    known
        What its recordings were like.
    """

    def __init__(self, modality: AnyModality, known: Known):
        self._known = known
        if isinstance(modality, SensorModality):  # files of other rates are resampled, and noted
            modality = modality.model_copy(update={"resample": True})
        self._modality = modality

    def open(
        self, source: Source, sample_rate: float | None = None, name: str | None = None
    ) -> tuple[Recording, list[str]]:
        """Read one recording that shall be answered for as a whole.

        Parameters
        ----------
        source
            A path; the bytes of a file; or an array: a signal (samples,) or (channels, samples); a
            picture (height, width) or (channels, height, width) in [0, 1], or uint8 (height,
            width) or (height, width, 3); a film (channels, frames, height, width) in [0, 1].
        sample_rate
            Of an array, or of a sensor's file that names none, in Hz.
        name
            What bytes would be called as a file.

        Returns
        -------
        Recording
            With as many channels as the model wants.
        list of str
            What differs from the recordings that the model has learnt from.

        Raises
        ------
        ReadError
            It cannot be read, or the model cannot take it.
        """
        return self.suited(self.read(source, sample_rate, name))

    def read(
        self, source: Source, sample_rate: float | None = None, name: str | None = None
    ) -> Recording:
        """The same as it is, whatever its length and its channels: parts of it may do.

        Raises
        ------
        ReadError
            It cannot be read.
        """
        if isinstance(source, Given):
            sample_rate = sample_rate if source.sample_rate is None else source.sample_rate
            name = name if source.name is None else source.name
            source = source.source
        require_rate(sample_rate)
        modality = self._modality
        if isinstance(modality, SensorModality) and sample_rate is not None:
            # Where the file names none, this is what is said of it.
            modality = modality.model_copy(update={"sample_rate": sample_rate, "resample": True})
        if isinstance(source, np.ndarray):
            return self._array(source, sample_rate)
        if isinstance(source, bytes):
            called = self._called(name)
            require_room(modality, called, source)
            return decode_recording(modality, called, source)
        if isinstance(source, str | Path):
            return read_recording(modality, Path(source))
        raise ReadError(f"is no path, bytes or array but {type(source).__name__}")

    def suited(self, recording: Recording) -> tuple[Recording, list[str]]:
        """A recording with the channels that the model wants, and notes."""
        self._require_size(recording)
        recording, notes = self._channels(recording)
        notes += self._rate_notes(recording) + self._length_notes(recording)
        return recording, notes

    def _require_size(self, recording: Recording) -> None:
        """Refuse a rate that would make a huge signal of a small file, or nothing of any.

        The resampler would take gigabytes for the one, and not end for the other.
        """
        modality, rate = self._modality, recording.sample_rate
        if isinstance(modality, SignalModality) and rate is not None:
            share = modality.sample_rate / rate
            wanted = recording.values.size * share
            grows = wanted > GROWN and share > GROWTH
            if grows or recording.values.shape[1] * share < 1 or share < 1 / SHRUNK:
                raise ReadError(
                    f"has {recording.values.shape[1]} samples at {rate:g} Hz, the model reads "
                    f"{modality.sample_rate:g} Hz; correct the rate"
                )

    def _called(self, name: str | None) -> str:
        if name is not None:
            return name
        if self._modality.kind not in NAMED:
            raise ReadError("bytes of a sensor's file need its name, whose suffix says the format")
        return NAMED[self._modality.kind]

    def _array(self, values: np.ndarray, sample_rate: float | None) -> Recording:
        modality = self._modality
        if values.dtype.kind not in "fiu":
            raise ReadError(f"is an array of {values.dtype}; give numbers")
        if isinstance(modality, ImageModality):
            return checked_recording(modality, Decoded(self._picture(values)))
        if isinstance(modality, VideoModality):
            return checked_recording(modality, Decoded(_film(values), modality.frame_rate))
        if sample_rate is None:
            raise ReadError("sample_rate: say how many samples a second the array has, in Hz")
        if values.ndim not in (1, 2):
            raise ReadError(
                f"has {values.ndim} axes; a signal is (samples,) or (channels, samples)"
            )
        signal = np.atleast_2d(values)
        if signal.shape[0] > signal.shape[1] > 0:
            raise ReadError(f"has shape {values.shape}, more channels than samples; transpose it")
        if isinstance(modality, AudioModality) and values.dtype.kind in "iu":
            signal = _as_sound(signal)
        decoded = select(modality, signal, sample_rate)
        if isinstance(modality, SensorModality):
            modality = modality.model_copy(update={"sample_rate": sample_rate})
        return checked_recording(modality, decoded)

    def _picture(self, values: np.ndarray) -> np.ndarray:
        """A picture (channels, height, width) in [0, 1] as the study reads its files."""
        wanted = self._known.channels
        if values.dtype == np.uint8 and (
            values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))
        ):
            from PIL import Image

            mode = "L" if wanted == 1 else "RGB"
            pixels = np.asarray(Image.fromarray(values).convert(mode), dtype=np.float32) / 255
            return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy()
        if values.dtype.kind != "f" or values.ndim not in (2, 3):
            raise ReadError(
                f"is {values.dtype} of shape {values.shape}; a picture is uint8 (height, width) or "
                "(height, width, 3), or floating-point (channels, height, width) in [0, 1]"
            )
        picture = values[None] if values.ndim == 2 else values
        if picture.size and (picture.min() < 0 or picture.max() > 1):
            raise ReadError("has values outside of [0, 1]; divide them by the brightest there is")
        if len(picture) == 1 < wanted:
            picture = np.repeat(picture, wanted, axis=0)
        elif len(picture) != wanted:
            raise ReadError(f"has {len(picture)} channels, the model takes {wanted}")
        return np.ascontiguousarray(picture, dtype=np.float32)

    def _channels(self, recording: Recording) -> tuple[Recording, list[str]]:
        found, wanted = len(recording.values), self._known.channels
        if found == wanted:
            return recording, []
        if isinstance(self._modality, AudioModality) and wanted == 1:
            mixed = recording.values.mean(axis=0, keepdims=True)
            return replace(recording, values=mixed), [f"mean of {found} channels"]
        if isinstance(self._modality, AudioModality) and found == 1:
            alike = np.repeat(recording.values, wanted, axis=0)
            return replace(recording, values=alike), [f"one channel in place of {wanted}"]
        has = f"{found} channel{'s' * (found > 1)}"
        raise ReadError(f"has {has}, the model takes {wanted}; give it the same as in the study")

    def _rate_notes(self, recording: Recording) -> list[str]:
        rates, rate = self._known.rates, recording.sample_rate
        if rates is None or rate is None or isinstance(self._modality, VideoModality):
            return []
        low, high = rates
        if low * (1 - SLACK) <= rate <= high * (1 + SLACK):
            return []
        learnt = f"{low:g} Hz" if low == high else f"{low:g} to {high:g} Hz"
        return [f"recorded at {rate:g} Hz, learnt from {learnt}"]

    def _length_notes(self, recording: Recording) -> list[str]:
        """What is cut off or filled up, where no recording of the study was so long or short."""
        seconds, rate = self._known.seconds, recording.sample_rate
        if seconds is None or rate is None:
            return []
        lasts = recording.values.shape[1] / rate
        duration = getattr(self._modality, "duration", None)
        slack = 1.5 / rate
        short, long = seconds
        if duration is not None:
            wanted = long if duration.seconds == "longest" else duration.seconds
            for key, off in (("longer", lasts - wanted), ("shorter", wanted - lasts)):
                if getattr(duration, key) == "error" and off > slack:
                    raise ReadError(f"lasts {lasts:.4g} s, {key} than the model's {wanted:.4g} s")
            if lasts > max(long, wanted) + slack:
                return [f"lasts {lasts:.4g} s, of which the first {wanted:.4g} s count"]
        if lasts < short - slack:
            return [f"lasts {lasts:.4g} s, learnt from {short:.4g} s or more"]
        return []


def require_rate(value: Any) -> None:
    """Refuse what is no rate in Hz; None, for one that is not said, is fine.

    Raises
    ------
    ReadError
        It is not.
    """
    try:
        right = value is None or bool(np.isfinite(value) and value > 0)
    except (TypeError, ValueError):  # no number, or several
        right = False
    if not right:
        raise ReadError(f"sample_rate must be more than 0 Hz, not {value!r:.40}")


def _as_sound(signal: np.ndarray) -> np.ndarray:
    """Whole numbers as the sound that they are in a file: in [-1, 1]."""
    bits = 8 * signal.dtype.itemsize
    if signal.dtype.kind == "u":
        return (signal.astype(np.float64) - 2 ** (bits - 1)) / 2 ** (bits - 1)
    return signal / 2.0 ** (bits - 1)


def _film(values: np.ndarray) -> np.ndarray:
    if values.ndim != 4 or values.dtype.kind != "f":
        raise ReadError(
            f"is {values.dtype} of shape {values.shape}; a film is (channels, frames, height, "
            "width) in [0, 1]"
        )
    return np.ascontiguousarray(values, dtype=np.float32)


def as_sources(given: Any, modalities: Mapping[str, AnyModality]) -> dict[str, Source]:
    """The source of each modality, of what is given: one, or one a modality by name.

    Raises
    ------
    ReadError
        One is missing, or unknown.
    """
    if not isinstance(given, Mapping):
        if len(modalities) > 1:
            names = ", ".join(modalities)
            raise ReadError(f"the model reads {len(modalities)} modalities ({names}): give each")
        return dict.fromkeys(modalities, given)
    odd = [name for name in given if name not in modalities]
    if odd:
        raise ReadError(f"unknown modality {odd[0]!r}; known: {', '.join(modalities)}")
    lacking = [name for name in modalities if name not in given]
    if lacking:
        raise ReadError(f"no {lacking[0]}; the model reads {', '.join(modalities)}")
    return dict(given)
