"""Sound files: by libsndfile, and by FFmpeg what that does not know."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import ALONE, decoding, extra
from deepself.dataset.readers.selection import select
from deepself.dataset.readers.truncation import is_cut
from deepself.study.dataset import AudioModality

if TYPE_CHECKING:
    import soundfile

COMPRESSED = (
    *(".3gp", ".aac", ".ac3", ".amr", ".ape", ".asf", ".m4a"),
    *(".m4b", ".mka", ".mkv", ".mov", ".mp4", ".webm", ".wma"),
)
"""Suffixes of formats that libsndfile does not read."""

CONTAINERS = (b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75", b"#!AMR")
"""How such files begin, whatever they are called: Matroska, ASF, AMR; and MP4, further on."""

STREAMED = (b"RIFF", b"OggS", b"fLaC", b"FORM", b"RF64")
"""How files begin of which libsndfile reads any part by itself."""

UNSUPPORTED_ENCODING = 4
"""Code of libsndfile's."""


def read_audio(modality: AudioModality, path: Path, content: bytes) -> Decoded:
    """Decode a sound file.

    WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF and the like by libsndfile; M4A, AAC, WMA, the sound of
    MP4 and the like by PyAV, where it is installed.

    Returns
    -------
    Decoded
        Values in [-1, 1] for integer formats; the file's rate; no names.
    """
    if is_cut(content):
        raise ReadError("is cut off: it ends before its last sample")
    if _is_for_ffmpeg(path, content):
        return select(modality, *_by_ffmpeg(content))
    try:
        return select(modality, *_by_libsndfile(content))
    except _UnknownEncodingError:
        return select(modality, *_by_ffmpeg(content))


def _is_for_ffmpeg(path: Path, content: bytes) -> bool:
    """Whether it looks so: no others are tried, as FFmpeg finds sound in almost any bytes."""
    called = path.suffix.lower() in COMPRESSED
    return called or content.startswith(CONTAINERS) or content[4:8] == b"ftyp"


class _UnknownEncodingError(ReadError):
    """Libsndfile knows the format, but not how the sound in it is encoded."""


class _Content(io.BytesIO):
    """Bytes in which to seek before the start, as libsndfile does in damaged files, is no error.

    Raised within its callback, it would reach the user past every handler.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return super().seek(max(0, offset) if whence == io.SEEK_SET else offset, whence)


def _by_libsndfile(content: bytes) -> tuple[np.ndarray, float]:
    with _opened(content) as file:
        signal = file.read(dtype="float32", always_2d=True)
        return signal.T, float(file.samplerate)


@contextmanager
def _opened(content: bytes) -> "Iterator[soundfile.SoundFile]":
    import soundfile

    # The MP3 decoder writes to the standard error by itself.
    known = content.startswith((b"RIFF", b"OggS", b"fLaC"))
    with decoding("audio", chatter=not known):
        try:
            with soundfile.SoundFile(_Content(content)) as file:
                yield file
        except soundfile.LibsndfileError as error:
            if error.code == UNSUPPORTED_ENCODING:
                raise _UnknownEncodingError from None
            # Of damaged MP3 it says that the file, in memory, does not exist.
            lost = "does not exist" in error.error_string
            raise ValueError("holds no sound" if lost else error.error_string) from None


def count_samples(path: Path, content: bytes) -> int:
    """Samples of all channels, as a sound file's headers say; 0 where that is not known."""
    try:
        if _is_for_ffmpeg(path, content):
            return _count_by_ffmpeg(content)
        try:
            with _opened(content) as file:
                return int(file.frames) * int(file.channels)
        except _UnknownEncodingError:
            return _count_by_ffmpeg(content)
    except ReadError:
        return 0  # whoever decodes it says what is wrong


def _count_by_ffmpeg(content: bytes) -> int:
    """By the length that each packet gives itself, or else its container."""
    av = extra("av", "PyAV", "video")
    with decoding("audio"), av.open(io.BytesIO(content), options=ALONE) as container:
        if not container.streams.audio:
            return 0
        stream = container.streams.audio[0]
        lasts = sum(packet.duration or 0 for packet in container.demux(stream))
        seconds = max(
            float(lasts * (stream.time_base or 0)), (container.duration or 0) / av.time_base
        )
        return int(seconds * stream.rate * stream.channels)


def _by_ffmpeg(content: bytes) -> tuple[np.ndarray, float]:
    av = extra("av", "PyAV", "video")
    with decoding("audio"), av.open(io.BytesIO(content), options=ALONE) as container:
        if not container.streams.audio:
            raise ReadError("holds no sound")
        stream = container.streams.audio[0]
        to_float = av.AudioResampler(format="fltp")
        frames = [f for frame in container.decode(stream) for f in to_float.resample(frame)]
        frames += to_float.resample(None)
        if not frames:
            raise ReadError("holds no samples")
        signal, rate = np.concatenate([f.to_ndarray() for f in frames], axis=1), frames[0].rate
        # The last frame is filled up; the stream says how much of it counts.
        lasts = round((stream.duration or 0) * (stream.time_base or 0) * rate)
        if 0 < signal.shape[1] - lasts < frames[-1].samples:
            signal = signal[:, :lasts]
        return signal, float(rate)
