"""Spectrograms by the short-time Fourier transform, with linear or mel frequency axis."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deepself.signal._decibels import check_scale, from_magnitude, power_to_db

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
        If the signal is empty, ``n_fft`` or ``hop_length`` is below 1, ``win_length`` is not
        within 1 and ``n_fft``, or the scale is unknown.
    """
    check_scale(scale)
    return from_magnitude(_stft(signal, n_fft, hop_length, win_length).abs(), scale)


def log_mel(
    signal: Tensor,
    sample_rate: float,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    n_mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> Tensor:
    """Compute the mel spectrogram of a signal in decibels.

    The power of `spectrogram`, summed under triangular filters of equal area whose centres are
    equally spaced on Slaney's mel scale, as ``librosa.feature.melspectrogram`` defines it.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
    sample_rate : float
        In Hz.
    n_fft, hop_length, win_length : int
        As in `spectrogram`.
    n_mels : int
        Number of mel filters.
    fmin, fmax : float
        Lower end of the first and upper end of the last filter, in Hz; ``fmax`` is half the
        sampling rate by default.

    Returns
    -------
    Tensor, shape (..., n_mels, frames)
        float32, in dB relative to 1, ending 80 dB below the peak of each item: of the last three
        axes ``(channels, bins, frames)`` of the result, or of both when there are only two.
        Row 0 is the lowest filter, and `mel_frequencies` gives the centres.

    Raises
    ------
    ValueError
        As `spectrogram`; and if ``fmin`` is negative or not below ``fmax``, ``fmax`` is above
        half the sampling rate, or a filter is so narrow that it contains no Fourier bin.

    References
    ----------
    M. Slaney, "Auditory Toolbox, version 2", Interval Research Technical Report 1998-010.
    """
    upper = sample_rate / 2 if fmax is None else fmax
    if upper > sample_rate / 2:
        raise ValueError(
            f"fmax is {upper:g} Hz, above {sample_rate / 2:g} Hz, "
            f"half the sampling rate of {sample_rate:g} Hz"
        )
    _check_mel_range(n_mels, fmin, upper)
    power = _stft(signal, n_fft, hop_length, win_length).abs().square()
    filters = _mel_filters(float(sample_rate), n_fft, n_mels, float(fmin), float(upper))
    return power_to_db(filters.to(power.device) @ power)


def fft_frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """Return the frequency in Hz of each row of a spectrogram, shape ``(n_fft // 2 + 1,)``."""
    import numpy as np

    return np.fft.rfftfreq(n_fft, 1.0 / sample_rate)


def mel_frequencies(n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return the centre in Hz of each mel filter, shape ``(n_mels,)`` (Slaney's scale).

    The outermost filters end at ``fmin`` and ``fmax``, so their centres lie inside. Raises
    `ValueError` if ``n_mels`` is below 1 or not ``0 <= fmin < fmax``.
    """
    _check_mel_range(n_mels, fmin, fmax)
    import librosa

    return librosa.mel_frequencies(n_mels=n_mels + 2, fmin=fmin, fmax=fmax)[1:-1]


def _check_mel_range(n_mels: int, fmin: float, fmax: float) -> None:
    if n_mels < 1:
        raise ValueError(f"n_mels is {n_mels}; it must be at least 1")
    if not 0 <= fmin < fmax:
        raise ValueError(f"fmin ({fmin:g} Hz) must lie between 0 and fmax ({fmax:g} Hz)")


@lru_cache(maxsize=16)
def _mel_filters(sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Tensor:
    import warnings

    import librosa

    with warnings.catch_warnings():
        # Empty filters are refused below, with the numbers to change.
        warnings.simplefilter("ignore", UserWarning)
        filters = librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax
        )
    empty = int((filters.max(axis=1) <= 0).sum())
    if empty:
        raise ValueError(
            f"{empty} of {n_mels} mel filters from {fmin:g} to {fmax:g} Hz contain no Fourier bin "
            f"(bins are {sample_rate / n_fft:g} Hz apart): reduce n_mels or raise n_fft ({n_fft})"
        )
    return torch.from_numpy(filters)


def _stft(signal: Tensor, n_fft: int, hop_length: int, win_length: int | None) -> Tensor:
    length = n_fft if win_length is None else win_length
    if n_fft < 1 or hop_length < 1:
        raise ValueError(f"n_fft ({n_fft}) and hop_length ({hop_length}) must be at least 1")
    if not 1 <= length <= n_fft:
        raise ValueError(f"win_length is {length}; it must lie between 1 and n_fft ({n_fft})")
    samples = signal.shape[-1]
    if samples == 0:
        raise ValueError("signal has 0 samples: a spectrogram needs at least 1")
    spectrum = torch.stft(
        signal.float().reshape(-1, samples),
        n_fft,
        hop_length,
        length,
        torch.hann_window(length, device=signal.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.reshape(*signal.shape[:-1], *spectrum.shape[-2:])
