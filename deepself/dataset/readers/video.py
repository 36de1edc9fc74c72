"""Films, by PyAV."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import ALONE, decoding, extra
from deepself.dataset.readers.truncation import is_cut
from deepself.study.dataset import VideoModality

FORMATS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv")

SLACK = 1e-3
"""Seconds: the times of Matroska's frames are whole milliseconds."""

GAP = 600.0
"""Seconds for which a frame may stand; more are a damaged time."""


def read_video(modality: VideoModality, path: Path, content: bytes) -> Decoded:
    """Decode a film: values in [0, 1], shape (channels, frames, height, width).

    Frame k is the one shown k / frame_rate seconds after the first, that is, the last that began
    by then: a slower film's frames are repeated, a quicker one's left out. Each is turned upright
    and resized as it is decoded, by bilinear interpolation that averages where it shrinks, so that
    memory holds the small frames only. Sound and transparency are left out.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ReadError(f"unknown video format {suffix!r}; known: {', '.join(FORMATS)}")
    av = extra("av", "PyAV", "video")
    if is_cut(content):
        raise ReadError("is cut off: it ends before its last frame")
    with decoding("a film"), av.open(io.BytesIO(content), options=ALONE) as container:
        if not container.streams.video:
            raise ReadError("holds no pictures")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # files are what is read in parallel
        usual = float(1 / stream.average_rate) if stream.average_rate else 0.0
        frames = np.stack(list(_sampled(container.decode(stream), modality, usual)))
    axes = frames[None] if modality.channels == "grey" else np.moveaxis(frames, -1, 0)
    return Decoded(np.ascontiguousarray(axes, dtype=np.float32) / 255, modality.frame_rate)


def _sampled(frames: Iterable[Any], modality: VideoModality, usual: float) -> Iterator[np.ndarray]:
    """Give the frame that is shown at each time, small.

    Parameters
    ----------
    frames
        PyAV's, in the order in which they are shown.
    modality
        Frame rate and size.
    usual
        Seconds for which the last frame stands if it does not say so.
    """
    start = end = 0.0
    given = 0
    shown: Any = None
    for frame in frames:
        if frame.is_corrupt or frame.time is None:
            raise ReadError(f"has a damaged frame after {end - start:.2f} s")
        if shown is None:
            start = frame.time
        else:
            small = None
            if not 0 <= frame.time - end <= GAP:
                raise ReadError(f"has a damaged time after {end - start:.2f} s")
            while given / modality.frame_rate < frame.time - start - SLACK:
                small = _small(shown, modality) if small is None else small
                yield small
                given += 1
        shown, end = frame, frame.time
    if shown is None:
        raise ReadError("holds no frames")
    lasts = float(shown.duration * shown.time_base) if shown.duration else usual
    small = _small(shown, modality)
    while not given or given / modality.frame_rate < end - start + min(lasts, GAP) - SLACK:
        yield small
        given += 1


def _small(frame: Any, modality: VideoModality) -> np.ndarray:
    """Resize a frame: uint8, shape (height, width) or (height, width, 3)."""
    turns = round(frame.rotation / 90) % 4
    height, width = modality.height, modality.width
    if turns % 2:
        height, width = width, height
    form = "gray" if modality.channels == "grey" else "rgb24"
    small = frame.reformat(width, height, format=form, interpolation="BILINEAR")
    return np.rot90(small.to_ndarray(), turns)
