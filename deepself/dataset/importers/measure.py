"""What the files are like: a sample of them is looked at, so that a study starts with facts."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from deepself.dataset.importers.collection import Collection
from deepself.dataset.readers import read
from deepself.dataset.recordings import read_recording
from deepself.errors import UserError
from deepself.study.dataset import AudioModality, SensorModality

LOOK_AT = {"audio": 1000, "image": 200, "sensor": 40, "video": 40}
"""Files of each kind to look at: a sound's header is quickly read, a table is not."""

LARGEST = 224
"""Pixels of the longer side to which larger pictures are brought."""


@dataclass(frozen=True)
class Facts:
    """What most of the files looked at have in common.

    Attributes
    ----------
    files, of
        How many were looked at, of how many.
    seconds
        Shortest, median and longest duration; zeros for pictures.
    rate
        Sampling rate in Hz, or frames a second.
    rates
        How many different rates there are.
    channels
        Of a signal.
    height, width, grey
        Of pictures and films, as a study brings them to one size.
    size
        The most common size in the files: (height, width).
    """

    files: int
    of: int
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rate: float = 0.0
    rates: int = 1
    channels: int = 1
    height: int = 0
    width: int = 0
    grey: bool = False
    size: tuple[int, int] = (0, 0)

    @property
    def same_length(self) -> bool:
        """Whether all files looked at are equally long."""
        return self.seconds[0] == self.seconds[2]


def measure(collection: Collection, folder: Path) -> Facts:
    """Look at a sample of a collection's files, spread evenly over them.

    Raises
    ------
    UserError
        None of them can be read; the message names the first.
    """
    entries = collection.entries
    step = max(1, len(entries) // LOOK_AT[collection.kind])
    here = folder.resolve()  # not yet made, perhaps
    sample = [Path(os.path.normpath(here / entry.path)) for entry in entries[::step]]
    found, problem = [], ""
    for path in sample:
        try:
            found.append(LOOK[collection.kind](path, collection.sample_rate))
        except Exception as error:  # each library has its own; `check` will list every file
            problem = problem or f"{path}: {str(error).splitlines()[0] if str(error) else error!r}"
    if not found:
        raise UserError(f"none of {len(sample)} files looked at can be read, such as {problem}")
    return _facts(collection, found)


def _facts(collection: Collection, found: list[dict[str, Any]]) -> Facts:
    seconds = sorted(f.get("seconds", 0.0) for f in found)
    rates = Counter(f.get("rate", 0.0) for f in found)
    size = Counter(f.get("size", (0, 0)) for f in found).most_common(1)[0][0]
    shrink = min(1.0, LARGEST / max(*size, 1))
    height, width = (max(1, round(shrink * side)) if side else 0 for side in size)
    return Facts(
        files=len(found),
        of=len(collection.entries),
        seconds=(seconds[0], median(seconds), seconds[-1]),
        rate=rates.most_common(1)[0][0],
        rates=len(rates),
        channels=Counter(f.get("channels", 1) for f in found).most_common(1)[0][0],
        height=height,
        width=width,
        grey=all(f.get("grey", False) for f in found),
        size=size,
    )


def _sound(path: Path, _rate: float | None) -> dict[str, Any]:
    import soundfile

    try:
        info = soundfile.info(path)
        rate, samples, channels = float(info.samplerate), info.frames, info.channels
    except soundfile.LibsndfileError:  # a format that is decoded otherwise
        modality = AudioModality(kind="audio", sample_rate=1, channels="keep", constant="keep")
        recording = read_recording(modality, path)
        rate, (channels, samples) = recording.sample_rate or 1.0, recording.values.shape
    return {"rate": rate, "seconds": samples / rate, "channels": channels}


def _sensor(path: Path, rate: float | None) -> dict[str, Any]:
    modality = SensorModality(kind="sensor", sample_rate=rate or 1, resample=True, constant="keep")
    decoded = read(modality, path, path.read_bytes())
    found = decoded.sample_rate or rate or 1.0
    channels, samples = decoded.values.shape
    return {"rate": found, "seconds": samples / found, "channels": channels}


def _picture(path: Path, _rate: float | None) -> dict[str, Any]:
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        grey = picture.mode in ("1", "L", "LA") or picture.mode.startswith("I;16")
        width, height = ImageOps.exif_transpose(picture).size
    return {"size": (height, width), "grey": grey}


def _film(path: Path, _rate: float | None) -> dict[str, Any]:
    try:
        import av
    except ImportError:
        raise UserError("films need PyAV: pip install 'deepself[video]'") from None

    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return {
            "size": (stream.height, stream.width),
            "rate": float(stream.average_rate or 25),
            "seconds": float((film.duration or 0) / 1_000_000),
        }


LOOK: dict[str, Callable[[Path, float | None], dict[str, Any]]] = {
    "audio": _sound,
    "sensor": _sensor,
    "image": _picture,
    "video": _film,
}
"""How to look at one file of each kind."""
