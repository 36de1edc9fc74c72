"""Mel spectrograms, and the cepstral coefficients made from them."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from deepself.signal._decibels import power_to_db_
from deepself.signal._mel_filters import apply_filters, check_mel, mel_filters
from deepself.signal._stft import stft_power

_LN_OFFSET = 1e-6


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
    mel: str = "slaney",
    log: str = "db",
) -> Tensor:
    """Compute the logarithmic mel spectrogram of a signal.

    The power of `spectrogram`, summed under triangular filters whose centres are equally spaced
    on a mel scale.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At least ``n_fft`` samples.
    sample_rate : float
        In Hz.
    n_fft, hop_length, win_length : int
        As in `spectrogram`.
    n_mels : int
        Number of mel filters.
    fmin, fmax : float
        Lower end of the first and upper end of the last filter, in Hz; ``fmax`` is half the
        sampling rate by default.
    mel : {"slaney", "htk", "kaldi"}
        Slaney's filters and HTK's have equal areas, as in ``librosa.feature.melspectrogram``;
        Kaldi's are straight in mel rather than in Hz, and of height 1.
    log : {"db", "ln"}
        Decibels relative to 1, ending 80 dB below the peak of each item (of the last three axes
        ``(channels, bins, frames)`` of the result, or of both when there are only two), or the
        natural logarithm of the sums plus 1e-6.

    Returns
    -------
    Tensor, shape (..., n_mels, frames)
        float32. Row 0 is the lowest filter, and `mel_frequencies` gives the centres.

    Raises
    ------
    ValueError
        As `spectrogram`; and if ``fmin`` is negative or not below ``fmax``, ``fmax`` is above
        half the sampling rate, a filter is so narrow that it contains no Fourier bin, or ``mel``
        or ``log`` is unknown.

    References
    ----------
    M. Slaney, "Auditory Toolbox, version 2", Interval Research Technical Report 1998-010.
    S. Young et al., "The HTK Book", Cambridge University, 2006, section 5.4.
    D. Povey et al., "The Kaldi Speech Recognition Toolkit", ASRU 2011.
    """
    if log not in ("db", "ln"):
        raise ValueError(f"log {log!r} is not one of db, ln")
    power = _mel_power(
        signal, sample_rate, (n_fft, hop_length, win_length), (n_mels, fmin, fmax), mel
    )
    return power_to_db_(power) if log == "db" else power.add_(_LN_OFFSET).log_()


def mfcc(
    signal: Tensor,
    sample_rate: float,
    *,
    n_mfcc: int,
    n_mels: int,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    fmin: float = 0.0,
    fmax: float | None = None,
    mel: str = "slaney",
) -> Tensor:
    """Compute mel-frequency cepstral coefficients.

    The orthonormal discrete cosine transform (type II) of `log_mel` in decibels, over the
    filters, as ``librosa.feature.mfcc`` defines it.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At least ``n_fft`` samples.
    sample_rate : float
        In Hz.
    n_mfcc : int
        Coefficients to keep, from the lowest; at most ``n_mels``.
    n_mels, n_fft, hop_length, win_length, fmin, fmax, mel
        As in `log_mel`.

    Returns
    -------
    Tensor, shape (..., n_mfcc, frames)
        float32; row 0 follows the loudness.

    Raises
    ------
    ValueError
        As `log_mel`; and if ``n_mfcc`` is not within 1 and ``n_mels``.

    References
    ----------
    S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 1980.
    """
    if not 1 <= n_mfcc <= n_mels:
        raise ValueError(f"n_mfcc is {n_mfcc}; it must lie between 1 and n_mels ({n_mels})")
    power = _mel_power(
        signal, sample_rate, (n_fft, hop_length, win_length), (n_mels, fmin, fmax), mel
    )
    return _cosines(n_mfcc, n_mels).to(power.device) @ power_to_db_(power)


def _mel_power(
    signal: Tensor,
    sample_rate: float,
    lengths: tuple[int, int, int | None],
    band: tuple[int, float, float | None],
    mel: str,
) -> Tensor:
    n_mels, fmin, fmax = band
    upper = sample_rate / 2 if fmax is None else fmax
    if upper > sample_rate / 2:
        raise ValueError(
            f"fmax is {upper:g} Hz, above {sample_rate / 2:g} Hz, "
            f"half the sampling rate of {sample_rate:g} Hz"
        )
    check_mel(n_mels, fmin, upper, mel)
    power = stft_power(signal, *lengths)
    filters = mel_filters(float(sample_rate), lengths[0], n_mels, float(fmin), float(upper), mel)
    return apply_filters(filters, power)


@lru_cache(maxsize=8)
def _cosines(rows: int, size: int) -> Tensor:
    """Return the first rows of the orthonormal DCT-II matrix, shape ``(rows, size)``."""
    order = torch.arange(rows, dtype=torch.float64).unsqueeze(1)
    angles = math.pi / size * order * (torch.arange(size, dtype=torch.float64) + 0.5)
    matrix = angles.cos() * math.sqrt(2.0 / size)
    matrix[0] /= math.sqrt(2.0)
    return matrix.float()
