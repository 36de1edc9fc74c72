"""The mel front end of the PANNs, whose weights accept no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from deepself.signal._decibels import log_power_
from deepself.signal._mel_filters import apply_filters, mel_filters, mel_frequencies
from deepself.signal._stft import centred_power, hann

if TYPE_CHECKING:
    import numpy as np

PANNS_SAMPLE_RATE = 32_000
"""Sampling rate in Hz that `panns_mel` expects."""

PANNS_HOP_LENGTH = 320
"""Samples from one frame of `panns_mel` to the next."""

PANNS_LEAST_SAMPLES = 513
"""Samples that `panns_mel` needs: more than it reflects at each end."""

_N_FFT = 1024
_BAND = (64, 50.0, 14_000.0)


def panns_mel(signal: Tensor) -> Tensor:
    """Compute the log-mel image on which the PANNs were trained.

    Power spectrogram (1024 points, periodic Hann window, hop 320, reflected at the ends); 64 of
    Slaney's mel filters from 50 to 14000 Hz; decibels relative to 1, at least -100.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At 32 kHz (`PANNS_SAMPLE_RATE`), within [-1, 1].

    Returns
    -------
    Tensor, shape (..., 64, 1 + samples // 320)
        float32; row 0 is the lowest filter, and `panns_frequencies` gives the centres.

    Raises
    ------
    ValueError
        If the signal has fewer than 513 samples.

    References
    ----------
    Q. Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
    Recognition", IEEE/ACM Transactions on Audio, Speech, and Language Processing 28, 2020.
    """
    samples = signal.shape[-1]
    if samples < PANNS_LEAST_SAMPLES:
        raise ValueError(
            f"signal has {samples} samples; the PANNs front end needs at least "
            f"{PANNS_LEAST_SAMPLES}"
        )
    window = hann(_N_FFT, signal.device)
    power = centred_power(signal, _N_FFT, PANNS_HOP_LENGTH, window, "reflect")
    filters = mel_filters(float(PANNS_SAMPLE_RATE), _N_FFT, *_BAND, "slaney")
    return log_power_(apply_filters(filters, power))


def panns_frequencies() -> np.ndarray:
    """Give the centre of each mel filter in Hz, shape ``(64,)``."""
    return mel_frequencies(*_BAND)
