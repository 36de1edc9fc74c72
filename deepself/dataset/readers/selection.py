"""Which of a file's channels are wanted."""

import difflib
from collections.abc import Sequence

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.study.dataset import Channel, SensorModality, SignalModality

LISTED = 24
"""How many names a message lists before it breaks off."""


def select(
    modality: SignalModality,
    values: np.ndarray,
    sample_rate: float | None = None,
    names: tuple[str, ...] = (),
) -> Decoded:
    """Keep the channels that a modality lists, in its order; all where it lists none.

    Parameters
    ----------
    modality
        Its `channels`; a mean of all is taken later.
    values
        Real numbers, shape (channels, samples).
    sample_rate
        In Hz, or None.
    names
        One a channel, or ().

    Raises
    ------
    ReadError
        There is no such channel.
    """
    wanted = positions(modality, len(values), names)
    if wanted != list(range(len(values))):
        values = values[wanted]
    with np.errstate(all="ignore"):  # what float32 cannot hold is infinite, and reported as such
        values = np.ascontiguousarray(values, dtype=np.float32)
    return Decoded(values, sample_rate, tuple(names[i] for i in wanted) if names else ())


def oriented(modality: SensorModality, table: np.ndarray) -> np.ndarray:
    """Turn a table into (channels, samples), by what the modality says its rows are.

    Raises
    ------
    ReadError
        It has more columns than rows, and the modality does not say.
    """
    rows, columns = table.shape
    if modality.rows is None and 1 < rows < columns:
        raise ReadError(
            f"has {rows} rows and {columns} columns: set rows to channels, or to samples if it "
            f"has {columns} channels indeed"
        )
    return table if modality.rows == "channels" else table.T


def positions(modality: SignalModality, count: int, names: Sequence[str] = ()) -> list[int]:
    """Index, in the file, of each wanted channel."""
    if isinstance(modality.channels, str):
        return list(range(count))
    return [_position(channel, count, names) for channel in modality.channels]


def _position(channel: Channel, count: int, names: Sequence[str]) -> int:
    if isinstance(channel, int):
        if channel < count:
            return channel
        has = listed(names) if names else "only 0" if count == 1 else f"0 to {count - 1}"
        raise ReadError(f"has no channel {channel} (has {has})")
    if not names:
        raise ReadError(f"has no channel {channel!r}: its channels have no names; give indices")
    found = [i for i, name in enumerate(names) if name == channel]
    if len(found) > 1:
        where = ", ".join(map(str, found))
        raise ReadError(f"has {len(found)} channels {channel!r}; choose one by its index: {where}")
    if not found:
        raise ReadError(f"has no channel {channel!r}{suggestion(channel, names)}")
    return found[0]


def suggestion(name: str, known: Sequence[str]) -> str:
    """Say what else there is, the likeliest first."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    hint = f", did you mean {by_lower[close[0]]!r}?" if close else ""
    return f"{hint} (has {listed(known)})"


def listed(names: Sequence[str]) -> str:
    """Join names, not too many."""
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def common_rate(names: Sequence[str], rates: Sequence[float]) -> float:
    """Rate in Hz that the wanted channels share.

    Raises
    ------
    ReadError
        They do not share one.
    """
    if not rates:
        raise ReadError("holds no signals")
    if len(set(rates)) > 1:
        each = [f"{name} {rate:g} Hz" for name, rate in zip(names, rates, strict=True)]
        raise ReadError(
            f"has channels of different rates ({listed(each)}); choose those of one by channels"
        )
    return rates[0]
