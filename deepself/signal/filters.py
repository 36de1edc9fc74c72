"""Butterworth filters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np


def butterworth(
    signal: Tensor,
    sample_rate: float,
    *,
    low: float | None = None,
    high: float | None = None,
    order: int = 4,
    zero_phase: bool = True,
) -> Tensor:
    """Filter a signal with a digital Butterworth filter.

    ``low`` alone makes a high-pass filter, ``high`` alone a low-pass, both together a band-pass
    of ``order`` poles at each edge. The filter runs as second-order sections in float64, since a
    transfer function of this order is already unusable when an edge is far below the sampling
    rate.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        Filtered along the last axis.
    sample_rate : float
        In Hz.
    low, high : float, optional
        The edges in Hz, where one pass of the filter has a gain of -3 dB.
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
        If no edge is given, an edge is not strictly between 0 and half the sampling rate, ``low``
        is not below ``high``, ``order`` is below 1, or the signal is shorter than the padding of
        the zero-phase filter allows.

    References
    ----------
    S. Butterworth, "On the theory of filter amplifiers", Wireless Engineer 7, 1930.
    F. Gustafsson, "Determining the initial states in forward-backward filtering", IEEE
    Transactions on Signal Processing 44(4), 1996.
    """
    _check_edges(sample_rate, low, high, order)
    from scipy.signal import sosfilt, sosfiltfilt

    sections = _sections(float(sample_rate), low, high, order)
    samples = signal.shape[-1]
    values = signal.detach().cpu().double().numpy()
    if zero_phase:
        padding = _padding(sections)
        if samples <= padding:
            raise ValueError(
                f"signal has {samples} samples; a zero-phase filter of order {order} "
                f"needs at least {padding + 1}"
            )
        filtered = sosfiltfilt(sections, values, axis=-1, padlen=padding)
    elif values.size == 0:
        filtered = values
    else:
        filtered = sosfilt(sections, values, axis=-1)
    return torch.from_numpy(filtered.astype("float32")).to(signal.device)


def _check_edges(sample_rate: float, low: float | None, high: float | None, order: int) -> None:
    if low is None and high is None:
        raise ValueError("neither low nor high is given: a filter needs at least one edge in Hz")
    if order < 1:
        raise ValueError(f"order is {order}; it must be at least 1")
    nyquist = sample_rate / 2
    for name, edge in (("low", low), ("high", high)):
        if edge is not None and not 0 < edge < nyquist:
            raise ValueError(
                f"{name} is {edge:g} Hz; it must lie between 0 and {nyquist:g} Hz, "
                f"half the sampling rate of {sample_rate:g} Hz"
            )
    if low is not None and high is not None and low >= high:
        raise ValueError(f"low ({low:g} Hz) must be below high ({high:g} Hz)")


@lru_cache(maxsize=32)
def _sections(sample_rate: float, low: float | None, high: float | None, order: int) -> np.ndarray:
    from scipy.signal import butter

    kind = "highpass" if high is None else "lowpass" if low is None else "bandpass"
    edges = [edge for edge in (low, high) if edge is not None]
    return butter(
        order, edges if len(edges) > 1 else edges[0], btype=kind, fs=sample_rate, output="sos"
    )


def _padding(sections: np.ndarray) -> int:
    """Return how many samples are mirrored at each end: three times the filter's length.

    A section with a vanishing last coefficient is of first order, so counting two orders a
    section would ask for more samples than the filter has memory.
    """
    first_order = min(int((sections[:, 2] == 0).sum()), int((sections[:, 5] == 0).sum()))
    return 3 * (2 * len(sections) + 1 - first_order)
