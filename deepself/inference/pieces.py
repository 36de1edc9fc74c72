"""Long recordings, window by window; of sound files, only what a window needs is in memory."""

import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers import Decoded, ReadError
from deepself.dataset.readers.audio import STREAMED, UNSUPPORTED_ENCODING
from deepself.dataset.readers.decoding import decoding
from deepself.dataset.readers.selection import select
from deepself.dataset.readers.truncation import is_cut
from deepself.dataset.recordings import Recording, checked_recording
from deepself.inference.opening import Opener, Source
from deepself.study.dataset import AnyModality, AudioModality, SignalModality

SLACK = 0.5
"""Samples by which a recording may lack a whole window: its rate may be no whole number."""


@dataclass(frozen=True)
class Window:
    """Which parts of recordings answer by themselves.

    Attributes
    ----------
    seconds, hop
        Length of each, and from the start of one to that of the next. What is left at the end is
        covered by one more that ends with the recording, unless it is less than a hundredth of a
        window; a recording that is shorter than a window is one.
    most
        So many a recording may have: each takes time.
    """

    seconds: float
    hop: float
    most: int = 10**7

    def __post_init__(self) -> None:
        for name in ("seconds", "hop"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} of a window must be more than 0, not {value:g}")

    def starts(self, seconds: float) -> list[float]:
        """Where windows of a recording of some length begin, in seconds."""
        slack = 1e-6 * self.seconds
        rest = 0.01 * self.seconds
        if seconds <= self.seconds + rest:
            return [0.0]
        windows = (seconds - self.seconds + slack) / self.hop + 1
        if windows > self.most:  # it may be infinite
            raise ReadError(f"has more than {self.most} windows; let them begin further apart")
        count = int(windows)
        starts = [number * self.hop for number in range(count)]
        last = seconds - self.seconds
        if last - starts[-1] > rest:
            starts.append(last)
        return starts


@dataclass(frozen=True)
class Piece:
    """A window of an item: its recordings by modality, where it lies in seconds, and notes."""

    recordings: dict[str, Recording]
    start: float
    end: float
    notes: tuple[str, ...]


def pieces(
    openers: Mapping[str, Opener],
    modalities: Mapping[str, AnyModality],
    sources: Mapping[str, Source],
    sample_rate: float | None,
    window: Window,
) -> Iterator[Piece]:
    """Windows of an item's recordings, one after the other.

    Raises
    ------
    ReadError
        A recording cannot be read, or is no signal.
    """
    tracks = {}
    for name, modality in modalities.items():
        if not isinstance(modality, SignalModality):
            raise ReadError(f"windows are of signals; {name} is a modality of kind {modality.kind}")
        tracks[name] = _track(openers[name], modality, sources[name], sample_rate)
    try:
        shortest = min(track.seconds for track in tracks.values())
        for start in window.starts(shortest):
            end = min(start + window.seconds, shortest)
            made, notes = {}, list[str]()
            for name, track in tracks.items():
                made[name], own = openers[name].suited(track.cut(start, end))
                notes += own
                if _is_still(modalities[name], made[name]):
                    notes.append(f"{name} never changes" if len(tracks) > 1 else "never changes")
            yield Piece(made, start, end, tuple(dict.fromkeys(notes)))
    finally:
        for track in tracks.values():
            track.close()


def _is_still(modality: AnyModality, recording: Recording) -> bool:
    """Whether it is silent, where a whole recording must not be."""
    if not isinstance(modality, SignalModality) or modality.constant == "keep":
        return False
    return bool((recording.values == recording.values[:, :1]).all())


@dataclass(frozen=True)
class _Track:
    """A recording of which parts are asked for."""

    seconds: float
    rate: float
    read: Callable[[int, int], Recording]
    close: Callable[[], Any] = lambda: None

    def cut(self, start: float, end: float) -> Recording:
        first = round(start * self.rate)
        return self.read(first, first + max(1, round((end - start) * self.rate)))


def _track(
    opener: Opener, modality: SignalModality, source: Source, sample_rate: float | None
) -> _Track:
    if isinstance(modality, AudioModality) and isinstance(source, str | Path):
        streamed = _streamed(modality, Path(source))
        if streamed is not None:
            return streamed
    whole = opener.read(source, sample_rate)
    assert whole.sample_rate is not None

    def read(first: int, last: int) -> Recording:
        return replace(whole, values=np.ascontiguousarray(whole.values[:, first:last]))

    return _Track(whole.values.shape[1] / whole.sample_rate, whole.sample_rate, read)


def _streamed(modality: AudioModality, path: Path) -> _Track | None:
    """A sound file that libsndfile reads from the disk, or None."""
    import soundfile

    try:
        with open(path, "rb") as file:
            if not file.read(4).startswith(STREAMED):
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if is_cut(content):
                    raise ReadError("is cut off: it ends before its last sample")
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ReadError(f"cannot be read: {reason}") from None
    with decoding("audio"):
        try:
            sound = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            if error.code == UNSUPPORTED_ENCODING:  # another decoder may know it
                return None
            raise
    if not sound.frames:
        sound.close()
        raise ReadError("holds no samples")
    modality = modality.model_copy(update={"constant": "keep"})  # a part may be silent

    def read(first: int, last: int) -> Recording:
        with decoding("audio"):
            sound.seek(first)
            signal = sound.read(last - first, dtype="float32", always_2d=True).T
        decoded = select(modality, signal, float(sound.samplerate))
        return checked_recording(modality, Decoded(decoded.values, decoded.sample_rate))

    return _Track(sound.frames / sound.samplerate, float(sound.samplerate), read, sound.close)
