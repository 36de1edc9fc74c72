"""Scalograms by the continuous wavelet transform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deepself.signal._decibels import check_scale, from_magnitude
from deepself.signal._kernels import bank, fast_length, fold_count, is_complex, kernels

if TYPE_CHECKING:
    import numpy as np

_COMPLEX64_BYTES = 8
_BLOCK_BYTES = 2**23  # of one bank; `bank` keeps up to 32 of them
_WORKING_BYTES = 2**24  # small, since the work is bound by memory: pieces should fit the caches


def scalogram(
    signal: Tensor,
    sample_rate: float,
    *,
    wavelet: str = "morl",
    frequencies: Sequence[float] | np.ndarray,
    hop_length: int = 1,
    scale: str = "magnitude",
) -> Tensor:
    """Compute the scalogram of a signal: the size of its continuous wavelet transform.

    The values are those of ``pywt.cwt`` (convolution with the differences of the integrated
    wavelet, normalised by the root of the scale), at every ``hop_length``-th sample; but all
    frequencies and all leading axes share one Fourier transform, and with a hop only the samples
    that are kept are transformed back.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        Continued with zeros at both ends.
    sample_rate : float
        In Hz.
    wavelet : str
        A continuous wavelet of PyWavelets, with its parameters where the family has any, such as
        ``"morl"``, ``"gaus4"`` or ``"cmor1.5-1.0"`` (bandwidth 1.5, centre 1).
    frequencies : sequence of float
        In Hz, strictly ascending, at most half the sampling rate; see `wavelet_frequencies`.
        The frequency of a scale is PyWavelets' own: the peak of the wavelet's spectrum. For the
        flat spectra of ``shan`` and ``fbsp`` that peak is anywhere on the plateau, not its centre.
    hop_length : int
        Samples from one frame to the next.
    scale : {"magnitude", "power", "db"}
        Decibels are relative to 1 and end 80 dB below the peak of each item, that is of the last
        three axes ``(channels, bins, frames)`` of the result, or of both when there are only two.

    Returns
    -------
    Tensor, shape (..., len(frequencies), ceil(samples / hop_length))
        float32; row 0 is the lowest frequency.

    Raises
    ------
    ValueError
        If the signal is empty, the hop is below 1, the wavelet or the scale is unknown, or the
        frequencies are not ascending within 0 and half the sampling rate.

    Notes
    -----
    Beside the result, a call holds pieces of tens of megabytes (or one frequency of one signal,
    where that is more), and up to 256 MB of kernels are kept for the next call.
    """
    check_scale(scale)
    samples = signal.shape[-1]
    if samples == 0 or hop_length < 1:
        raise ValueError(
            f"signal has {samples} samples and hop_length is {hop_length}; both must be at least 1"
        )
    cycles = _cycles_per_sample(frequencies, sample_rate)
    flat = signal.float().reshape(-1, samples)
    magnitude = _magnitude(flat, wavelet, cycles, min(hop_length, samples))
    return from_magnitude(magnitude.reshape(*signal.shape[:-1], *magnitude.shape[1:]), scale)


def wavelet_frequencies(low: float, high: float, count: int) -> np.ndarray:
    """Return ``count`` frequencies from ``low`` to ``high`` in Hz, each the same factor apart.

    Both ends are included. Wavelets have a width in proportion to their period, so this spacing
    covers the range evenly. Raises `ValueError` unless ``0 < low < high`` and ``count >= 2``.
    """
    if not 0 < low < high:
        raise ValueError(f"low ({low:g} Hz) must lie between 0 and high ({high:g} Hz)")
    if count < 2:
        raise ValueError(f"count is {count}; it must be at least 2, for both ends of the range")
    import numpy as np

    return np.geomspace(low, high, count)


def _cycles_per_sample(
    frequencies: Sequence[float] | np.ndarray, sample_rate: float
) -> tuple[float, ...]:
    hertz = [float(frequency) for frequency in frequencies]
    if not hertz:
        raise ValueError("frequencies is empty: a scalogram needs at least 1")
    for frequency in hertz:
        if not 0 < frequency <= sample_rate / 2:
            raise ValueError(
                f"frequency {frequency:g} Hz must be above 0 and at most {sample_rate / 2:g} Hz, "
                f"half the sampling rate of {sample_rate:g} Hz"
            )
    for lower, upper in pairwise(hertz):
        if lower >= upper:
            raise ValueError(
                f"frequencies must ascend, but {lower:g} Hz is followed by {upper:g} Hz"
            )
    return tuple(frequency / sample_rate for frequency in hertz)


def _magnitude(flat: Tensor, wavelet: str, cycles: tuple[float, ...], hop: int) -> Tensor:
    samples, frames = flat.shape[1], math.ceil(flat.shape[1] / hop)
    longest = max(len(kernel) for kernel in kernels(wavelet, cycles))
    # No lag beyond the signal's own length meets a sample of it.
    reach = min(longest // 2, samples - 1)
    bins = fast_length(math.ceil((samples + reach) / hop))
    row_bytes = fold_count(wavelet, hop) * bins * _COMPLEX64_BYTES
    per_block = max(1, _BLOCK_BYTES // row_bytes)
    magnitude = flat.new_empty(len(flat), len(cycles), frames)
    for start in range(0, len(cycles), per_block):
        rows = slice(start, min(start + per_block, len(cycles)))
        spectra = bank(wavelet, cycles, (rows.start, rows.stop), bins * hop, hop, flat.device)
        per_piece = max(1, _WORKING_BYTES // (2 * len(spectra) * row_bytes))
        for first in range(0, len(flat), per_piece):
            items = slice(first, first + per_piece)
            coefficients = _convolve(flat[items], spectra, bins * hop)
            kept = coefficients[..., :frames]
            magnitude[items, rows] = kept.abs() if is_complex(wavelet) else kept.real.abs()
    return magnitude


def _convolve(flat: Tensor, spectra: Tensor, size: int) -> Tensor:
    """Convolve ``(items, samples)`` with a `bank`, giving ``(items, rows, size // hop)``."""
    _, folds, bins = spectra.shape
    transformed = torch.fft.fft(flat, size)[:, : folds * bins].unflatten(-1, (1, folds, bins))
    return torch.fft.ifft((transformed * spectra).sum(dim=-2))
