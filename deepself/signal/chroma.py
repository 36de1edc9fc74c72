"""The energy of each pitch class."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from deepself.signal._stft import stft_power


def chroma(
    signal: Tensor,
    sample_rate: float,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    n_chroma: int = 12,
) -> Tensor:
    """Compute the chromagram of a signal, tuned to A at 440 Hz.

    The power of `spectrogram`, summed over octaves into pitch classes and divided by the
    strongest class of each frame, as ``librosa.feature.chroma_stft(tuning=0.0)`` defines it.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At least ``n_fft`` samples.
    sample_rate : float
        In Hz.
    n_fft, hop_length, win_length : int
        As in `spectrogram`.
    n_chroma : int
        Pitch classes to an octave.

    Returns
    -------
    Tensor, shape (..., n_chroma, frames)
        float32, within [0, 1]; row 0 is C where ``n_chroma`` is a multiple of 12. Silent frames
        are 0.

    Raises
    ------
    ValueError
        As `spectrogram`; and if ``n_chroma`` is below 1.

    References
    ----------
    D. Ellis, "Chroma feature analysis and synthesis", Columbia University, 2007.
    """
    if n_chroma < 1:
        raise ValueError(f"n_chroma is {n_chroma}; it must be at least 1")
    power = stft_power(signal, n_fft, hop_length, win_length)
    energy = _filters(float(sample_rate), n_fft, n_chroma).to(power.device) @ power
    strongest = energy.amax(dim=-2, keepdim=True)
    silent = strongest < torch.finfo(strongest.dtype).tiny
    return energy.div_(strongest.masked_fill_(silent, 1.0))


@lru_cache(maxsize=8)
def _filters(sample_rate: float, n_fft: int, n_chroma: int) -> Tensor:
    import librosa

    filters = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, n_chroma=n_chroma, tuning=0.0)
    return torch.from_numpy(filters)
