"""The mel front end of the AudioSet MobileNets, whose weights accept no other."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deepself.signal._mel_filters import apply_filters, kaldi_filters, mel_frequencies
from deepself.signal._stft import centred_power

if TYPE_CHECKING:
    import numpy as np

AUDIOSET_SAMPLE_RATE = 32_000
"""Sampling rate in Hz that `audioset_mel` expects."""

AUDIOSET_HOP_LENGTH = 320
"""Samples from one frame of `audioset_mel` to the next."""

AUDIOSET_LEAST_SAMPLES = 514
"""Samples that `audioset_mel` needs: one for pre-emphasis, and more than it reflects at an end."""

_N_FFT = 1024
_WIN_LENGTH = 800
_BAND = (128, 0.0, 15_000.0)
_PRE_EMPHASIS = 0.97


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
    if samples < AUDIOSET_LEAST_SAMPLES:
        raise ValueError(
            f"signal has {samples} samples; the AudioSet front end needs at least "
            f"{AUDIOSET_LEAST_SAMPLES}"
        )
    values = signal.detach().float()
    emphasised = values[..., 1:] - _PRE_EMPHASIS * values[..., :-1]
    window = torch.hann_window(_WIN_LENGTH, periodic=False, device=signal.device)
    power = centred_power(emphasised, _N_FFT, AUDIOSET_HOP_LENGTH, window, "reflect")
    mel = apply_filters(_filters(), power)
    return ((mel + 1e-5).log() + 4.5) / 5.0


def audioset_frequencies() -> np.ndarray:
    """Give the centre of each mel filter in Hz, shape ``(128,)``."""
    return mel_frequencies(*_BAND, "kaldi")


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Return the filters, shape ``(128, 513)``: here, unlike in `log_mel`, some may be empty."""
    return kaldi_filters(AUDIOSET_SAMPLE_RATE, _N_FFT, *_BAND)
