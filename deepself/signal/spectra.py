"""Spectrograms by the short-time Fourier transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from deepself.signal._decibels import check_scale, power_to_db_
from deepself.signal._stft import stft_power

if TYPE_CHECKING:
    import numpy as np


def spectrogram(
    signal: Tensor,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    scale: str = "db",
) -> Tensor:
    """Compute the spectrogram of a signal.

    Frame ``t`` is centred on sample ``t * hop_length``; the signal is continued with zeros at
    both ends, and weighted with a periodic Hann window.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At least ``n_fft`` samples.
    n_fft : int
        Length of the Fourier transform, in samples.
    hop_length : int
        Samples from one frame to the next.
    win_length : int, optional
        Length of the window, centred in the ``n_fft`` samples; ``n_fft`` by default.
    scale : {"db", "power", "magnitude"}
        Decibels are relative to 1 and end 80 dB below the peak of each item, that is of the last
        three axes ``(channels, bins, frames)`` of the result, or of both when there are only two.

    Returns
    -------
    Tensor, shape (..., n_fft // 2 + 1, 1 + (samples + 2 * (n_fft // 2) - n_fft) // hop_length)
        float32; row 0 is 0 Hz, and `fft_frequencies` gives the others. For an even ``n_fft``
        these are ``1 + samples // hop_length`` frames.

    Raises
    ------
    ValueError
        If the signal is shorter than ``n_fft``, ``n_fft`` or ``hop_length`` is below 1,
        ``win_length`` is not within 1 and ``n_fft``, or the scale is unknown.
    """
    check_scale(scale)
    power = stft_power(signal, n_fft, hop_length, win_length)
    if scale == "magnitude":
        return power.sqrt_()
    return power if scale == "power" else power_to_db_(power)


def fft_frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """Return the frequency in Hz of each row of a spectrogram, shape ``(n_fft // 2 + 1,)``."""
    import numpy as np

    return np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
