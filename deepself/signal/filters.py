"""Butterworth and notch filters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deepself.signal._recursion import LONG, side_by_side
from deepself.signal._recursion import zero_phase as filter_rows

if TYPE_CHECKING:
    import numpy as np


def butterworth(
    signal: Tensor,
    sample_rate: float,
    *,
    low: float | None = None,
    high: float | None = None,
    stop: bool = False,
    order: int = 4,
    zero_phase: bool = True,
) -> Tensor:
    """Filter a signal with a digital Butterworth filter.

    ``low`` alone makes a high-pass filter, ``high`` alone a low-pass, both together a band-pass
    of ``order`` poles at each edge, or a band-stop. The filter runs as second-order sections in
    float64, since a transfer function of this order is already unusable when an edge is far below
    the sampling rate.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        Filtered along the last axis.
    sample_rate : float
        In Hz.
    low, high : float, optional
        The edges in Hz, where one pass of the filter has a gain of -3 dB.
    stop : bool
        Stop the band between ``low`` and ``high``, and pass the rest.
    order : int
        Order of the low-pass prototype.
    zero_phase : bool
        Filter forwards and then backwards: no delay, but the gain is squared (-6 dB at the
        edges) and the filter is not causal. Otherwise filter forwards once, from rest.

    Returns
    -------
    Tensor, shape (..., samples)
        float32, on the signal's device.

    Raises
    ------
    ValueError
        If no edge is given, or only one of a band-stop's, an edge is not strictly between 0 and
        half the sampling rate, ``low`` is not below ``high``, ``order`` is below 1, or the signal
        has fewer than `least_samples`.

    References
    ----------
    S. Butterworth, "On the theory of filter amplifiers", Wireless Engineer 7, 1930.
    F. Gustafsson, "Determining the initial states in forward-backward filtering", IEEE
    Transactions on Signal Processing 44(4), 1996.
    """
    _check_edges(sample_rate, low, high, stop, order)
    sections = _butterworth_sections(float(sample_rate), low, high, stop, order)
    least = least_samples(low=low, high=high, stop=stop, order=order, zero_phase=zero_phase)
    return _run(signal, sections, zero_phase, least, f"a zero-phase filter of order {order}")


def notch(
    signal: Tensor,
    sample_rate: float,
    *,
    frequencies: Sequence[float],
    q: float = 30.0,
    zero_phase: bool = True,
) -> Tensor:
    """Cut single frequencies out of a signal, such as the mains and its harmonics.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        Filtered along the last axis.
    sample_rate : float
        In Hz.
    frequencies : sequence of float
        What to cut out, in Hz: one second-order section each, in cascade. With none, the signal
        passes unchanged.
    q : float
        Quality of each notch: its frequency divided by its width where one pass has a gain of
        -3 dB. A notch rings for some ``q`` of its periods.
    zero_phase : bool
        As in `butterworth`.

    Returns
    -------
    Tensor, shape (..., samples)
        float32, on the signal's device.

    Raises
    ------
    ValueError
        If a frequency is not strictly between 0 and half the sampling rate, a notch is as wide as
        half the sampling rate, or the signal has fewer than `least_samples`.

    References
    ----------
    S. Orfanidis, "Introduction to Signal Processing", Prentice-Hall, 1996, section 11.3.
    """
    wanted = tuple(float(frequency) for frequency in frequencies)
    if not wanted:
        return signal.detach().float()
    _check_notches(sample_rate, wanted, q)
    least = least_samples(zero_phase=zero_phase, notches=len(wanted))
    name = f"a zero-phase filter of {len(wanted)} notch{'es' if len(wanted) > 1 else ''}"
    sections = _notch_sections(float(sample_rate), wanted, float(q))
    return _run(signal, sections, zero_phase, least, name)


def least_samples(
    *,
    low: float | None = None,
    high: float | None = None,
    stop: bool = False,
    order: int = 4,
    zero_phase: bool = True,
    notches: int = 0,
) -> int:
    """Count the samples that a signal must have for `butterworth` and then `notch`.

    A zero-phase filter first continues the signal at both ends, by three times the number of its
    coefficients (SciPy's rule), with its own mirrored samples; a causal one takes any signal.

    Parameters
    ----------
    low, high, stop, order, zero_phase
        As in `butterworth`; neither edge for no such filter.
    notches : int
        How many frequencies are cut out.

    Returns
    -------
    int
    """
    needs = [1]
    if zero_phase and (low is not None or high is not None):
        # A band has two edges, and so twice the order. The kind, pass or stop, is all the same.
        total = order if low is None or high is None else 2 * order
        needs.append(3 * (total + 1) + 1)
    if zero_phase and notches:
        needs.append(3 * (2 * notches + 1) + 1)
    return max(needs)


def _run(signal: Tensor, sections: np.ndarray, zero_phase: bool, least: int, name: str) -> Tensor:
    from scipy.signal import sosfilt, sosfiltfilt

    samples = signal.shape[-1]
    values = signal.detach().cpu().numpy()  # the sections make it float64
    if zero_phase:
        if samples < least:
            raise ValueError(f"signal has {samples} samples; {name} needs at least {least}")
        sums = side_by_side(sections.tobytes()) if samples >= LONG else None
        if sums is not None:
            rows = filter_rows(*sums, values.reshape(-1, samples), least - 1)
            return torch.from_numpy(rows.reshape(values.shape)).to(signal.device)
        filtered = sosfiltfilt(sections, values, axis=-1, padlen=least - 1)
    elif values.size == 0:
        filtered = values
    else:
        filtered = sosfilt(sections, values, axis=-1)
    return torch.from_numpy(filtered.astype("float32")).to(signal.device)


def _check_edges(
    sample_rate: float, low: float | None, high: float | None, stop: bool, order: int
) -> None:
    if low is None and high is None:
        raise ValueError("neither low nor high is given: a filter needs at least one edge in Hz")
    if order < 1:
        raise ValueError(f"order is {order}; it must be at least 1")
    for name, edge in (("low", low), ("high", high)):
        if edge is not None:
            _check_frequency(name, edge, sample_rate)
    if low is not None and high is not None:
        if low >= high:
            raise ValueError(f"low ({low:g} Hz) must be below high ({high:g} Hz)")
    elif stop:
        raise ValueError("a band-stop needs both low and high, in Hz")


def _check_notches(sample_rate: float, frequencies: tuple[float, ...], q: float) -> None:
    if not q > 0:
        raise ValueError(f"q is {q:g}; it must be above 0")
    for frequency in frequencies:
        _check_frequency("notch", frequency, sample_rate)
        if frequency / q >= sample_rate / 2:
            raise ValueError(
                f"a notch at {frequency:g} Hz with q {q:g} is {frequency / q:g} Hz wide; it must "
                f"be narrower than {sample_rate / 2:g} Hz, half the sampling rate: raise q"
            )


def _check_frequency(name: str, frequency: float, sample_rate: float) -> None:
    if not 0 < frequency < sample_rate / 2:
        raise ValueError(
            f"{name} is {frequency:g} Hz; it must lie between 0 and {sample_rate / 2:g} Hz, "
            f"half the sampling rate of {sample_rate:g} Hz"
        )


@lru_cache(maxsize=32)
def _butterworth_sections(
    sample_rate: float, low: float | None, high: float | None, stop: bool, order: int
) -> np.ndarray:
    from scipy.signal import butter

    band = "bandstop" if stop else "bandpass"
    kind = "highpass" if high is None else "lowpass" if low is None else band
    edges = [edge for edge in (low, high) if edge is not None]
    return butter(
        order, edges if len(edges) > 1 else edges[0], btype=kind, fs=sample_rate, output="sos"
    )


@lru_cache(maxsize=32)
def _notch_sections(sample_rate: float, frequencies: tuple[float, ...], q: float) -> np.ndarray:
    import numpy as np
    from scipy.signal import iirnotch

    # A notch has three coefficients above and three below: it is a section as it stands.
    return np.array([np.concatenate(iirnotch(f, q, fs=sample_rate)) for f in frequencies])
