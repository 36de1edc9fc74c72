"""Zero-phase recursive filters over long signals, with their sections side by side.

A cascade of second-order sections passes each sample from section to section, and waits for each.
By partial fractions the same filter is a sum of sections that all take the input, and a processor
works at four of them at once. A sum loses digits where poles lie close together, so each filter's
sum is compared with its cascade when it is made, and not used where they differ.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LONG = 2**15
"""Samples from which on the sum is quicker than to load the compiled loop."""

TOLERANCE = 1e-9
"""Difference of the impulse responses of cascade and sum, relative to the largest value."""

COMPARED = 2**13
"""Samples of the impulse responses that are compared."""

TOGETHER = 4
"""Sections that run side by side."""


@lru_cache(maxsize=32)
def side_by_side(sections: bytes) -> tuple[np.ndarray, float] | None:
    """Make a sum of sections from a cascade.

    Parameters
    ----------
    sections : bytes
        Of an array (count, 6) of second-order sections in float64, as SciPy has them.

    Returns
    -------
    sums : ndarray, shape (groups, 4, 4)
        ``b0, b1, a1, a2`` of each section; those of zeros fill up the last group.
    direct : float
        What is added of the input itself.
        None, if the poles are too close together.
    """
    from scipy.signal import sos2zpk, sosfilt

    cascade = np.frombuffer(sections).reshape(-1, 6).copy()
    zeros, poles, gain = sos2zpk(cascade)
    # A section of first order has a pole and a zero in the origin, which are no part of it.
    zeros, poles = zeros[zeros != 0], poles[poles != 0]
    if len(zeros) > len(poles) or not len(poles):
        return None
    direct = gain * np.prod(zeros) / np.prod(poles) if len(zeros) == len(poles) else 0.0
    rows = [_pair(zeros, poles, gain, pair) for pair in _pairs(poles)]
    sums = np.zeros((-(-len(rows) // TOGETHER), TOGETHER, 4))
    sums.reshape(-1, 4)[: len(rows)] = rows
    if not np.isfinite(sums).all():
        return None
    impulse = np.zeros(COMPARED)
    impulse[0] = 1.0
    expected = sosfilt(cascade, impulse)
    response = _response(sums, float(np.real(direct)), impulse)
    if np.abs(response - expected).max() > TOLERANCE * np.abs(expected).max():
        return None
    return sums, float(np.real(direct))


def zero_phase(sums: np.ndarray, direct: float, values: np.ndarray, padding: int) -> np.ndarray:
    """Filter rows (rows, samples) forwards and backwards, as ``scipy.signal.sosfiltfilt`` does."""
    from deepself.signal._loops import both_ways  # Numba's import takes a while

    out = np.empty(values.shape, dtype=np.float32)
    for row, filtered in zip(np.ascontiguousarray(values, dtype=np.float32), out, strict=True):
        both_ways(sums, direct, row, padding, filtered)
    return out


def _pairs(poles: np.ndarray) -> list[tuple[complex, ...]]:
    """Poles by twos: a complex one with its conjugate, real ones as they come."""
    pairs: list[tuple[complex, ...]] = [(p, np.conj(p)) for p in poles[poles.imag > 0]]
    real = poles[poles.imag == 0]
    return pairs + [tuple(real[i : i + 2]) for i in range(0, len(real), 2)]


def _pair(
    zeros: np.ndarray, poles: np.ndarray, gain: float, pair: tuple[complex, ...]
) -> list[float]:
    """Coefficients ``b0, b1, a1, a2`` of the terms of one or two poles."""
    residues = []
    for pole in pair:
        others = poles[poles != pole]
        with np.errstate(all="ignore"):
            scale = np.prod(1 - zeros / pole) / np.prod(1 - others / pole)
        # Equal poles have no such term.
        residues.append(gain * scale if len(others) == len(poles) - 1 else np.nan)
    if len(pair) == 1:
        return [residues[0].real, 0.0, -pair[0].real, 0.0]
    (first, second), (p, q) = residues, pair
    parts = [first + second, -(first * q + second * p), -(p + q), p * q]
    return [float(np.real(part)) for part in parts]


def _response(sums: np.ndarray, direct: float, impulse: np.ndarray) -> np.ndarray:
    from scipy.signal import lfilter

    whole = direct * impulse
    for b0, b1, a1, a2 in sums.reshape(-1, 4):
        whole = whole + lfilter([b0, b1], [1.0, a1, a2], impulse)
    return whole
