"""Banks of mel filters: Slaney's and HTK's of equal area, Kaldi's of equal height."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

MEL_SCALES = ("slaney", "htk", "kaldi")


def mel_frequencies(n_mels: int, fmin: float, fmax: float, mel: str = "slaney") -> np.ndarray:
    """Return the centre of each mel filter in Hz.

    The outermost filters end at ``fmin`` and ``fmax``, so their centres lie inside.

    Parameters
    ----------
    n_mels : int
        Number of filters.
    fmin, fmax : float
        In Hz.
    mel : {"slaney", "htk", "kaldi"}
        The scale on which the centres are equally spaced. HTK's and Kaldi's differ by a constant
        factor, and so in nothing that shows here.

    Returns
    -------
    ndarray, shape (n_mels,)

    Raises
    ------
    ValueError
        If ``n_mels`` is below 1, not ``0 <= fmin < fmax``, or the scale is unknown.
    """
    check_mel(n_mels, fmin, fmax, mel)
    return _edges(n_mels, fmin, fmax, mel)[1:-1]


def check_mel(n_mels: int, fmin: float, fmax: float, mel: str) -> None:
    """Refuse filters that cannot be made, with a `ValueError`."""
    if mel not in MEL_SCALES:
        raise ValueError(f"mel {mel!r} is not one of {', '.join(MEL_SCALES)}")
    if n_mels < 1:
        raise ValueError(f"n_mels is {n_mels}; it must be at least 1")
    if not 0 <= fmin < fmax:
        raise ValueError(f"fmin ({fmin:g} Hz) must lie between 0 and fmax ({fmax:g} Hz)")


BAND = 16
"""Filters that are applied together: low ones see few of the Fourier bins."""


def apply_filters(filters: Tensor, power: Tensor) -> Tensor:
    """Sum power (..., bins, frames) under filters (n_mels, bins), leaving out most zeros."""
    parts = [
        rows.to(power.device) @ power[..., low : low + rows.shape[1], :]
        for low, rows in _bands(filters)
    ]
    return torch.cat(parts, dim=-2)


@lru_cache(maxsize=16)  # by identity: the filters are kept, too
def _bands(filters: Tensor) -> list[tuple[int, Tensor]]:
    """Bands of filters, and the first of the bins that they see."""
    bands = []
    for rows in filters.split(BAND):
        seen = rows.amax(dim=0).nonzero().ravel()
        # Filters narrower than a bin see none; they sum nothing.
        low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
        bands.append((low, rows[:, low:high].contiguous()))
    return bands


@lru_cache(maxsize=16)
def mel_filters(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, mel: str
) -> Tensor:
    """Return a bank of filters, none of them empty.

    Returns
    -------
    Tensor, shape (n_mels, n_fft // 2 + 1)
        float32.

    Raises
    ------
    ValueError
        If a filter is so narrow that it contains no Fourier bin.
    """
    if mel == "kaldi":
        filters = kaldi_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    else:
        filters = _equal_area(sample_rate, n_fft, n_mels, fmin, fmax, mel)
    empty = int((filters.amax(dim=1) <= 0).sum())
    if empty:
        raise ValueError(
            f"{empty} of {n_mels} mel filters from {fmin:g} to {fmax:g} Hz contain no Fourier bin "
            f"(bins are {sample_rate / n_fft:g} Hz apart): reduce n_mels or raise n_fft ({n_fft})"
        )
    return filters


def kaldi_filters(sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Tensor:
    """Return Kaldi's mel filters, shape ``(n_mels, n_fft // 2 + 1)``; narrow ones may be empty.

    Unlike Slaney's, the triangles are straight in mel rather than in Hz, and all have height 1.
    As in Kaldi, the bin at half the sampling rate, which an even ``n_fft`` has, is left out.
    """
    edges = torch.linspace(
        kaldi_mel(fmin), kaldi_mel(fmax), n_mels + 2, dtype=torch.float64
    ).unsqueeze(1)
    hertz = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * (sample_rate / n_fft)
    mels = 1127.0 * torch.log1p(hertz / 700.0)
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0.0).float()
    if n_fft % 2 == 0:
        filters[:, -1] = 0.0
    return filters


def kaldi_mel(hertz: float) -> float:
    """Convert Hz to mel by Kaldi's formula."""
    return 1127.0 * math.log1p(hertz / 700.0)


LINEAR = 1000.0
"""Hz up to which Slaney's scale is linear."""

SLOPE = 200.0 / 3.0
"""Hz a mel below."""

STEP = math.log(6.4) / 27.0
"""Logarithm of the ratio of two frequencies a mel apart above."""


def _equal_area(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, mel: str
) -> Tensor:
    """Triangles that are straight in Hz, and all of area 1 (M. Slaney, Auditory Toolbox, 1998)."""
    edges = _edges(n_mels, fmin, fmax, mel)[:, None]
    hertz = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    widths = np.diff(edges, axis=0)
    rising = (hertz - edges[:-2]) / widths[:-1]
    falling = (edges[2:] - hertz) / widths[1:]
    filters = np.minimum(rising, falling).clip(0.0).astype(np.float32)
    filters *= 2.0 / (edges[2:] - edges[:-2])
    return torch.from_numpy(filters)


def _edges(n_mels: int, fmin: float, fmax: float, mel: str) -> np.ndarray:
    """Where filters begin, peak and end in Hz (n_mels + 2,): each peaks where the next begins."""
    if mel == "slaney":
        mels = np.linspace(_slaney_mel(fmin), _slaney_mel(fmax), n_mels + 2)
        bend = LINEAR / SLOPE
        above = LINEAR * np.exp(STEP * (mels - bend).clip(0.0))
        return np.where(mels < bend, SLOPE * mels, above)
    # HTK's mels are Kaldi's but for a constant factor, which equal steps do not see.
    mels = np.linspace(kaldi_mel(fmin), kaldi_mel(fmax), n_mels + 2)
    return 700.0 * np.expm1(mels / 1127.0)


def _slaney_mel(hertz: float) -> float:
    """Convert Hz to mel by Slaney's formula."""
    if hertz < LINEAR:
        return hertz / SLOPE
    return LINEAR / SLOPE + math.log(hertz / LINEAR) / STEP
