"""The start of recordings as sound that a page carries within itself."""

import base64
import io
from dataclasses import dataclass

import numpy as np

from deepself.dataset.manifest import read_manifest
from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import read_recording
from deepself.errors import UserError
from deepself.signal.resample import resample
from deepself.store.files import read_table
from deepself.study import Layout, Study

SECONDS = 10.0
"""Of sound, at most."""

BYTES = 150_000
"""Of encoded sound, at most; what does not fit is cut."""

ALL_BYTES = 1_200_000
"""Of all sounds of a page."""

FILE_BYTES = 50_000_000
"""Larger files are not decoded for a few seconds of sound."""

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sampling rates in Hz that MP3 knows."""

WAV_RATE = 16000
"""Highest rate where there is no MP3, in Hz: longer sound matters more than bright one."""


@dataclass(frozen=True)
class Sound:
    """Sound as a data URI.

    Attributes
    ----------
    uri
        The start of the recording, in one channel.
    size
        Bytes of the encoded sound.
    seconds, of
        How long it is, and how long the recording.
    """

    uri: str
    size: int
    seconds: float
    of: float


def sound(signal: np.ndarray, rate: float) -> Sound:
    """Encode the start of a signal, its channels averaged.

    MP3: any browser plays it, and equal sound is equal bytes (streams in Ogg are numbered at
    random). Without an encoder for it, 16-bit WAV.

    Parameters
    ----------
    signal
        Shape (channels, samples). Louder than [-1, 1], it is turned down.
    rate
        In Hz.
    """
    import soundfile

    known = "MP3" in soundfile.available_formats()
    whole = signal.shape[1] / rate
    mono = signal[:, : round(SECONDS * rate)].mean(axis=0)
    mono = mono / max(1.0, float(np.abs(mono).max(initial=0.0)))
    target = next((r for r in RATES if r >= rate), RATES[-1])
    target = target if known else min(target, WAV_RATE)
    mono = resample(mono, rate, target)
    data = _encoded(mono, target, known)
    while len(data) > BYTES:
        mono = mono[: int(0.95 * len(mono) * BYTES / len(data))]
        data = _encoded(mono, target, known)
    type_ = "audio/mpeg" if known else "audio/wav"
    uri = f"data:{type_};base64,{base64.b64encode(data).decode()}"
    return Sound(uri, len(data), min(len(mono) / target, whole), whole)


def _encoded(mono: np.ndarray, rate: int, mp3: bool) -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, mono, rate, format="MP3" if mp3 else "WAV")
    return out.getvalue()


class Player:
    """Sound of a study's recordings, as long as the page has room for it.

    Parameters
    ----------
    study, layout
        A study whose recordings were checked; they may lie elsewhere by now.
    modality
        Name of one of its modalities of kind audio.
    """

    def __init__(self, study: Study, layout: Layout, modality: str):
        self._modality = study.dataset.modalities[modality]
        self._left = ALL_BYTES
        rows = [row for row in read_table(layout.inventory) if row["modality"] == modality]
        self._known = {row["id"]: row for row in rows}
        try:
            items = read_manifest(study.dataset)
        except UserError:
            items = []
        self._paths = {item.id: item.paths[modality] for item in items}

    def sound_of(self, item: str) -> tuple[Sound | None, str]:
        """The start of a recording, and what is to be said of it: why it is cut, or not there."""
        path, known = self._paths.get(item), self._known.get(item)
        if path is None or known is None or not path.is_file():
            return None, "the recording is not there any more"
        if int(known["bytes"]) > FILE_BYTES:
            return None, "its file is too large to be played here"
        try:
            recording = read_recording(self._modality, path)
        except ReadError as error:
            return None, f"the recording {error}"
        if recording.checksum != known["sha256"]:
            return None, "the recording has changed since it was checked"
        assert recording.sample_rate is not None  # of sound it is known
        found = sound(recording.values, recording.sample_rate)
        if found.size > self._left:
            return None, "no sound, or the page would grow too large"
        self._left -= found.size
        cut = found.seconds < found.of - 0.05
        return found, f"the first {found.seconds:.3g} s of {found.of:.3g} s" if cut else ""
