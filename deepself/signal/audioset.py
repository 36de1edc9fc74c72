"""The mel front end of the AudioSet MobileNets, whose weights accept no other."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

AUDIOSET_SAMPLE_RATE = 32_000
"""Sampling rate in Hz that `audioset_mel` expects."""

AUDIOSET_HOP_LENGTH = 320
"""Samples from one frame of `audioset_mel` to the next."""

_N_FFT = 1024
_WIN_LENGTH = 800
_N_MELS = 128
_FMAX = 15_000.0
_PRE_EMPHASIS = 0.97
# Pre-emphasis takes one sample, and a reflection must be shorter than what it reflects.
_MIN_SAMPLES = _N_FFT // 2 + 2


def audioset_mel(signal: Tensor) -> Tensor:
    """Compute the log-mel image on which the AudioSet MobileNets were trained.

    Pre-emphasis ``y[t] = x[t + 1] - 0.97 x[t]``; power spectrogram (1024 points, symmetric Hann
    window of 800, hop 320, reflected at the ends); 128 Kaldi-style mel filters up to 15 kHz; then
    ``(ln(mel + 1e-5) + 4.5) / 5``, which brings typical recordings near zero mean and unit range.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At 32 kHz (`AUDIOSET_SAMPLE_RATE`), within [-1, 1].

    Returns
    -------
    Tensor, shape (..., 128, 1 + (samples - 1) // 320)
        float32; row 0 is the lowest filter. The lowest filters are narrower than a Fourier bin,
        and those that contain none are constant, as they were in training.

    Raises
    ------
    ValueError
        If the signal has fewer than 514 samples.

    References
    ----------
    F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via
    Transformer-to-CNN Knowledge Distillation", ICASSP 2023.
    """
    samples = signal.shape[-1]
    if samples < _MIN_SAMPLES:
        raise ValueError(
            f"signal has {samples} samples; the AudioSet front end needs at least {_MIN_SAMPLES}"
        )
    flat = signal.float().reshape(-1, samples)
    emphasised = flat[:, 1:] - _PRE_EMPHASIS * flat[:, :-1]
    spectrum = torch.stft(
        emphasised,
        _N_FFT,
        AUDIOSET_HOP_LENGTH,
        _WIN_LENGTH,
        torch.hann_window(_WIN_LENGTH, periodic=False, device=signal.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    mel = _filters().to(signal.device) @ spectrum.abs().square()
    image = ((mel + 1e-5).log() + 4.5) / 5.0
    return image.reshape(*signal.shape[:-1], *image.shape[-2:])


def audioset_frequencies() -> np.ndarray:
    """Give the centre of each mel filter in Hz, shape ``(128,)``."""
    centres = np.linspace(0.0, _mel(_FMAX), _N_MELS + 2)[1:-1]
    return 700.0 * np.expm1(centres / 1127.0)


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Return Kaldi's mel filters, shape ``(128, 513)``.

    Unlike Slaney's, the triangles are straight in mel rather than in Hz, and all have height 1.
    Kaldi leaves out the bin at half the sampling rate, which here is above the last filter anyway.
    """
    edges = torch.linspace(0.0, _mel(_FMAX), _N_MELS + 2, dtype=torch.float64).unsqueeze(1)
    hertz = torch.arange(_N_FFT // 2 + 1, dtype=torch.float64) * (AUDIOSET_SAMPLE_RATE / _N_FFT)
    mels = 1127.0 * torch.log1p(hertz / 700.0)
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp_min(0.0).float()


def _mel(hertz: float) -> float:
    return 1127.0 * math.log1p(hertz / 700.0)
