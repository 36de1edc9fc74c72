"""Changing the sampling rate."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Signal = TypeVar("Signal", np.ndarray, Tensor)


QUALITIES = ("VHQ", "HQ", "MQ", "LQ", "QQ")
"""soxr's recipes, from the best to the quickest."""


def resample(signal: Signal, rate_in: float, rate_out: float, quality: str = "HQ") -> Signal:
    """Resample a signal with soxr.

    Parameters
    ----------
    signal : ndarray or Tensor, shape (..., samples)
        Usually ``(channels, samples)``.
    rate_in, rate_out : float
        The signal's sampling rate and the one wanted, in Hz.
    quality : {"VHQ", "HQ", "MQ", "LQ", "QQ"}
        28, 20 or 16 bits of precision, 16 bits with a wider transition band, or cubic
        interpolation, which does not keep frequencies from folding. All have linear phase.

    Returns
    -------
    ndarray or Tensor, shape (..., resampled)
        float32, of the signal's type (a tensor stays on its device). soxr makes
        ``samples * rate_out / rate_in`` samples, rounded to the nearest (halves upwards). At
        equal rates the values pass through unchanged.

    Raises
    ------
    ValueError
        If a rate is not positive, or the quality is unknown.

    References
    ----------
    R. Sykes, "The SoX Resampler library", https://sourceforge.net/projects/soxr/
    """
    if quality not in QUALITIES:
        raise ValueError(f"quality {quality!r} is not one of {', '.join(QUALITIES)}")
    if not (rate_in > 0 and rate_out > 0):
        raise ValueError(f"sampling rates must be positive, not {rate_in:g} and {rate_out:g} Hz")
    if isinstance(signal, Tensor):
        if rate_in == rate_out:
            return signal.float()
        values = _soxr(signal.detach().cpu().float().numpy(), rate_in, rate_out, quality)
        return torch.from_numpy(values).to(signal.device)
    values = np.asarray(signal, dtype=np.float32)
    return values if rate_in == rate_out else _soxr(values, rate_in, rate_out, quality)


def _soxr(values: np.ndarray, rate_in: float, rate_out: float, quality: str) -> np.ndarray:
    import soxr

    # soxr wants (samples, channels): every leading index is one of its channels.
    *leading, samples = values.shape
    columns = values.reshape(math.prod(leading), samples).T
    resampled = soxr.resample(np.ascontiguousarray(columns), rate_in, rate_out, quality=quality)
    return np.ascontiguousarray(resampled.T).reshape(*leading, len(resampled))
