"""The convolution kernels of the continuous wavelet transform, as PyWavelets defines them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np
    import pywt

# How finely pywt.cwt tabulates the wavelet by default: 2 ** 12 points.
_PRECISION = 12

# Names of families that want parameters, with some.
_EXAMPLES = {"cmor": "cmor1.5-1.0", "shan": "shan1.5-1.0", "fbsp": "fbsp1-1.5-1.0"}


@lru_cache(maxsize=32)
def continuous_wavelet(name: str) -> pywt.ContinuousWavelet:
    """Return PyWavelets' object for a continuous wavelet, or refuse the name."""
    import difflib

    import pywt

    try:
        return pywt.ContinuousWavelet(name)
    except ValueError as error:
        known = pywt.wavelist(kind="continuous")
        nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.0)[0]
        family = "" if nearest not in _EXAMPLES else f", as in {_EXAMPLES[nearest]!r}"
        raise ValueError(
            f"{name!r} is not a continuous wavelet; the nearest is {nearest!r}{family} "
            f"(known: {', '.join(known)})"
        ) from error


@lru_cache(maxsize=8)
def kernels(wavelet: str, frequencies: tuple[float, ...]) -> tuple[np.ndarray, ...]:
    """Return one kernel a frequency, in float64 or complex128.

    ``pywt.cwt`` convolves with the integrated wavelet and then takes differences. Taking the
    differences of the kernel instead is the same by linearity, and spares float32 the
    subtraction of nearly equal numbers.

    Parameters
    ----------
    wavelet : str
        A continuous wavelet.
    frequencies : tuple of float
        In cycles per sample.

    Raises
    ------
    ValueError
        If the wavelet has fewer than two samples at a frequency.
    """
    import numpy as np
    import pywt

    shape = continuous_wavelet(wavelet)
    integral, grid = pywt.integrate_wavelet(shape, precision=_PRECISION)
    step, width = grid[1] - grid[0], grid[-1] - grid[0]
    made = []
    for frequency in frequencies:
        scale = pywt.frequency2scale(shape, frequency, precision=_PRECISION)
        points = (np.arange(scale * width + 1) / (scale * step)).astype(int)
        points = points[points < len(integral)]
        if len(points) < 2:
            raise ValueError(
                f"{wavelet!r} has no samples left at {frequency:g} of the sampling rate: "
                f"lower the highest frequency"
            )
        # Reversed, for a convolution; conjugated, since the transform correlates.
        reversed_integral = integral[points][::-1].conj()
        made.append(np.sqrt(scale) * np.diff(reversed_integral, prepend=0, append=0))
    return tuple(made)


@lru_cache(maxsize=32)
def bank(
    wavelet: str,
    frequencies: tuple[float, ...],
    rows: tuple[int, int],
    size: int,
    hop: int,
    device: torch.device,
) -> Tensor:
    """Return the spectra of some kernels, ready for a transform that keeps every hop-th sample.

    Keeping every ``hop``-th sample folds a spectrum of ``size`` bins onto ``size // hop``. The
    spectra are therefore laid out with the bins that fall together along one axis, to be summed.
    Of a real kernel only the first half of the folded bins is kept: the others mirror them.

    Parameters
    ----------
    wavelet, frequencies
        As for `kernels`.
    rows : tuple of int
        Start and stop in ``frequencies``.
    size : int
        Length of the Fourier transform: even, and a multiple of ``hop``.
    hop : int
        Samples from one frame to the next.
    device : torch.device
        Where the bank is kept.

    Returns
    -------
    Tensor, shape (stop - start, hop, bins)
        complex64, where ``bins`` is `folded_bins`.
    """
    chosen = kernels(wavelet, frequencies)[slice(*rows)]
    dtype = torch.complex128 if is_complex(wavelet) else torch.float64
    placed = torch.zeros(len(chosen), size, dtype=dtype)
    for row, kernel in zip(placed, chosen, strict=True):
        lags = torch.arange(len(kernel)) - (len(kernel) - 1) // 2
        # A lag of half the transform or more is longer than the signal and would wrap round.
        kept = lags.abs() * 2 < size
        row[lags[kept] % size] = torch.from_numpy(kernel)[kept]
    spectra = torch.fft.fft(placed).unflatten(-1, (hop, size // hop)) / hop
    kept_bins = spectra[..., : folded_bins(wavelet, size // hop)]
    return kept_bins.to(torch.complex64).contiguous().to(device)


def is_complex(wavelet: str) -> bool:
    """Say whether the transform with this wavelet has complex coefficients."""
    return bool(continuous_wavelet(wavelet).complex_cwt)


def folded_bins(wavelet: str, frames: int) -> int:
    """Return how many bins a transform back to ``frames`` values takes (see `bank`)."""
    return frames if is_complex(wavelet) else frames // 2 + 1


def fast_length(least: int) -> int:
    """Return the smallest even length from ``least`` on that a Fourier transform is quick at."""
    return min(
        2 * odd << max(0, (-(-least // (2 * odd)) - 1).bit_length())
        for odd in (1, 3, 5, 7, 9, 15, 21, 25, 27, 35, 45)
    )
