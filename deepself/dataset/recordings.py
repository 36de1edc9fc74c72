"""One recording of any modality: read, verified, and described."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.readers import FROM_DISK, Decoded, ReadError, companions, read
from deepself.dataset.readers.selection import listed
from deepself.study.dataset import AnyModality, Channel, SensorModality, SignalModality

TOLERANCE = 1e-3
"""Of a rate, relative: files round theirs."""


@dataclass(frozen=True)
class Recording:
    """A recording's content.

    Attributes
    ----------
    values
        float32: signal (channels, samples), picture (channels, height, width) or film (channels,
        frames, height, width).
    sample_rate
        In Hz: samples, or a film's frames, a second; None for pictures.
    size
        Of the file and its companions, in bytes.
    checksum
        SHA-256 of the file and then its companions, in hexadecimal.
    names
        The channels', where the file names them and they are not averaged; else ().
    """

    values: np.ndarray
    sample_rate: float | None
    size: int
    checksum: str
    names: tuple[str, ...] = ()


def read_recording(modality: AnyModality, path: Path) -> Recording:
    """Read and decode one file, choose its channels, and verify what is left.

    Raises
    ------
    ReadError
        The file is missing, empty or cannot be decoded, has not the channels or not the rate that
        the modality says, or holds values that are not finite or never change.
    """
    content = _bytes(path)
    others = [_bytes(other) for other in companions(path)]
    return _recording(modality, read(modality, path, content), content, others)


def decode_recording(modality: AnyModality, name: str, content: bytes) -> Recording:
    """The same of a file's content that lies nowhere on disk.

    Parameters
    ----------
    modality
        What kind of file it is, and how to read it.
    name
        What the file would be called: its suffix says a sensor's or a film's format.
    content
        All its bytes.

    Raises
    ------
    ReadError
        As `read_recording`; and of formats that are read from disk.
    """
    path = Path(name)
    if isinstance(modality, SensorModality) and path.suffix.lower() in FROM_DISK:
        raise ReadError(f"files of the format {path.suffix} are read from disk; give its path")
    return _recording(modality, read(modality, path, content), content, [])


def checked_recording(modality: AnyModality, decoded: Decoded) -> Recording:
    """A recording of values that were in memory already; it has no file, so no checksum.

    Raises
    ------
    ReadError
        It has not the channels or not the rate that the modality says, or holds values that are
        not finite or never change.
    """
    return _recording(modality, decoded, b"", [])


def _recording(
    modality: AnyModality, decoded: Decoded, content: bytes, others: list[bytes]
) -> Recording:
    if decoded.values.size == 0:
        raise ReadError("holds no samples")
    _check_finite(modality, decoded)
    values, names = decoded.values, decoded.names
    if isinstance(modality, SignalModality):
        if modality.channels in ("mix", "average"):
            values, names = values if len(values) == 1 else values.mean(axis=0, keepdims=True), ()
        if modality.constant == "error":
            _check_changing(modality, values, decoded)
    digest = hashlib.sha256(content)
    for other in others:
        digest.update(other)
    size = len(content) + sum(map(len, others))
    return Recording(values, _rate(modality, decoded), size, digest.hexdigest(), names)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ReadError("no such file") from None
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror}") from None


def _rate(modality: AnyModality, decoded: Decoded) -> float | None:
    """Rate in Hz that the values have."""
    named = decoded.sample_rate
    if not isinstance(modality, SensorModality):
        return named
    said = modality.sample_rate
    if named is None or abs(named - said) <= TOLERANCE * said:
        return said
    if not modality.resample:
        raise ReadError(
            f"was recorded at {named:g} Hz, the study says {said:g} Hz; "
            "correct sample_rate, or set resample: true"
        )
    return named


def _check_finite(modality: AnyModality, decoded: Decoded) -> None:
    values = decoded.values
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # quick; and only very large values can mislead it
            return
    finite = np.isfinite(values)
    if finite.all():
        return
    axes = tuple(range(1, values.ndim))
    where = _channels(modality.channels, decoded.names, ~finite.all(axis=axes))
    bad = values[~finite]
    missing = np.count_nonzero(np.isnan(bad))
    kinds = [f"{missing} NaN"] * bool(missing)
    kinds += [f"{bad.size - missing} infinite"] * bool(bad.size - missing)
    raise ReadError(
        f"holds {bad.size} values that are not finite ({', '.join(kinds)}), in {listed(where)}"
    )


def _check_changing(modality: SignalModality, values: np.ndarray, decoded: Decoded) -> None:
    begun = values[:, :100]
    if values.shape[1] < 2 or (begun != begun[:, :1]).any(axis=1).all():
        return
    still = (values == values[:, :1]).all(axis=1)
    if not still.any():
        return
    if len(decoded.values) == 1:
        value = values[0, 0] + 0.0  # no -0
        what = f"never changes: all samples are {value:g}; leave it out"
    elif len(values) == 1 and modality.channels in ("mix", "average"):
        what = "has a mean of all channels that never changes; choose some by channels"
    else:
        where = _channels(modality.channels, decoded.names, still)
        what = f"{listed(where)} never changes; choose others by channels"
    raise ReadError(f"{what}, or set constant: keep")


def _channels(chosen: str | list[Channel], names: tuple[str, ...], which: np.ndarray) -> list[str]:
    """Name some channels as the file does, after the choice of some."""
    found = []
    for i in np.flatnonzero(which).tolist():
        channel = chosen[i] if isinstance(chosen, list) else i
        name = f" ({names[i]!r})" if names and not isinstance(channel, str) else ""
        found.append(f"channel {channel!r}{name}")
    return found
