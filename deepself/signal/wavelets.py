"""Scalograms by the continuous wavelet transform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deepself.signal._decibels import check_scale, limit_range_, log_power_
from deepself.signal._kernels import bank, fast_length, folded_bins, is_complex, kernels

if TYPE_CHECKING:
    import numpy as np

_COMPLEX64_BYTES = 8
_BLOCK_BYTES = 2**23  # of one bank; `bank` keeps up to 32 of them
# Pieces should fit the caches of a processor, but keep all of an accelerator busy.
_WORKING_BYTES = 2**22
_ACCELERATOR_WORKING_BYTES = 2**28


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
    Beside the result, a call holds pieces of a few megabytes (on an accelerator, of hundreds; or
    one frequency of one signal, where that is more), and up to 256 MB of kernels are kept for the
    next call.
    """
    check_scale(scale)
    samples = signal.shape[-1]
    if samples == 0 or hop_length < 1:
        raise ValueError(
            f"signal has {samples} samples and hop_length is {hop_length}; both must be at least 1"
        )
    cycles = _cycles_per_sample(frequencies, sample_rate)
    flat = signal.detach().float().reshape(-1, samples)
    image = _image(flat, wavelet, cycles, min(hop_length, samples), scale)
    image = image.reshape(*signal.shape[:-1], *image.shape[1:])
    return limit_range_(image) if scale == "db" else image


def wavelet_frequencies(low: float, high: float, count: int, spacing: str = "log") -> np.ndarray:
    """Return frequencies that cover a range, ascending, with both its ends.

    Parameters
    ----------
    low, high : float
        The ends, in Hz.
    count : int
        How many frequencies, at least 2.
    spacing : {"log", "linear"}
        The same factor apart, or the same distance. Wavelets have a width in proportion to their
        period, so the same factor covers a range evenly.

    Returns
    -------
    ndarray, shape (count,)

    Raises
    ------
    ValueError
        Unless ``0 < low < high`` and ``count >= 2``, or if the spacing is unknown.
    """
    if not 0 < low < high:
        raise ValueError(f"low ({low:g} Hz) must lie between 0 and high ({high:g} Hz)")
    if count < 2:
        raise ValueError(f"count is {count}; it must be at least 2, for both ends of the range")
    if spacing not in ("log", "linear"):
        raise ValueError(f"spacing {spacing!r} is not one of log, linear")
    import numpy as np

    return np.geomspace(low, high, count) if spacing == "log" else np.linspace(low, high, count)


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


def _image(flat: Tensor, wavelet: str, cycles: tuple[float, ...], hop: int, scale: str) -> Tensor:
    """Transform ``(items, samples)`` into ``(items, rows, frames)``, piece by piece."""
    samples, frames = flat.shape[1], math.ceil(flat.shape[1] / hop)
    longest = max(len(kernel) for kernel in kernels(wavelet, cycles))
    # No lag beyond the signal's own length meets a sample of it.
    reach = min(longest // 2, samples - 1)
    length = fast_length(math.ceil((samples + reach) / hop))
    row_bytes = hop * folded_bins(wavelet, length) * _COMPLEX64_BYTES
    working_bytes = _WORKING_BYTES if flat.device.type == "cpu" else _ACCELERATOR_WORKING_BYTES
    per_piece = max(1, working_bytes // (2 * row_bytes))
    per_block = max(1, _BLOCK_BYTES // row_bytes)
    image = _empty((len(flat), len(cycles), frames), flat.device)
    for start in range(0, len(cycles), per_block):
        stop = min(start + per_block, len(cycles))
        spectra = bank(wavelet, cycles, (start, stop), length * hop, hop, flat.device)
        items_at_once = max(1, per_piece // len(spectra))
        for first in range(0, len(flat), items_at_once):
            transformed = _fold(flat[first : first + items_at_once], wavelet, length, hop)
            for row in range(0, len(spectra), per_piece):
                piece = spectra[row : row + per_piece]
                coefficients = _convolve(transformed, piece, wavelet, length)[..., :frames]
                rows = slice(start + row, start + row + len(piece))
                _write(coefficients, scale, image[first : first + len(transformed), rows])
    return image


def _empty(shape: tuple[int, ...], device: torch.device) -> Tensor:
    if device.type != "cpu":
        return torch.empty(shape, device=device)
    import numpy as np

    # NumPy, unlike torch, asks the system for huge pages: fetching a large image page by page can
    # take as long as the transform.
    return torch.from_numpy(np.empty(shape, dtype=np.float32))


def _fold(flat: Tensor, wavelet: str, length: int, hop: int) -> Tensor:
    """Lay out the spectra of ``(items, samples)`` as a `bank`: (items, 1, hop, bins)."""
    spectra = torch.fft.fft(flat, length * hop).unflatten(-1, (1, hop, length))
    return spectra[..., : folded_bins(wavelet, length)]


def _convolve(transformed: Tensor, spectra: Tensor, wavelet: str, length: int) -> Tensor:
    """Convolve with the rows of a `bank`, giving ``(items, rows, length)``."""
    product = transformed * spectra
    folded = product.squeeze(-2) if product.shape[-2] == 1 else product.sum(dim=-2)
    if is_complex(wavelet):
        return torch.fft.ifft(folded)
    return torch.fft.irfft(folded, length)


def _write(coefficients: Tensor, scale: str, place: Tensor) -> None:
    """Write coefficients to their place in the image, all but the range of the decibels."""
    if coefficients.is_complex():
        torch.square(coefficients.real, out=place)
        place.addcmul_(coefficients.imag, coefficients.imag)
        if scale == "magnitude":
            place.sqrt_()
    elif scale == "magnitude":
        torch.abs(coefficients, out=place)
    else:
        torch.square(coefficients, out=place)
    if scale == "db":
        log_power_(place)
