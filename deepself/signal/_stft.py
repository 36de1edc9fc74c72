"""The short-time Fourier transform that spectrograms, mel spectrograms and chroma share."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


def stft_power(signal: Tensor, n_fft: int, hop_length: int, win_length: int | None) -> Tensor:
    """Compute the power of each Fourier bin of each frame.

    Frame ``t`` is centred on sample ``t * hop_length``; the signal is continued with zeros at
    both ends, and weighted with a periodic Hann window.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
    n_fft, hop_length : int
        In samples.
    win_length : int or None
        Length of the window, centred in the ``n_fft`` samples; None for ``n_fft``.

    Returns
    -------
    Tensor, shape (..., n_fft // 2 + 1, 1 + (samples + 2 * (n_fft // 2) - n_fft) // hop_length)
        float32.

    Raises
    ------
    ValueError
        If ``n_fft`` or ``hop_length`` is below 1, ``win_length`` is not within 1 and ``n_fft``,
        or the signal is shorter than ``n_fft``.
    """
    length = n_fft if win_length is None else win_length
    if n_fft < 1 or hop_length < 1:
        raise ValueError(f"n_fft ({n_fft}) and hop_length ({hop_length}) must be at least 1")
    if not 1 <= length <= n_fft:
        raise ValueError(f"win_length is {length}; it must lie between 1 and n_fft ({n_fft})")
    samples = signal.shape[-1]
    if samples < n_fft:
        raise ValueError(
            f"signal has {samples} samples; n_fft is {n_fft}: lower n_fft, or take a longer signal"
        )
    return centred_power(signal, n_fft, hop_length, hann(length, signal.device), "constant")


@lru_cache(maxsize=16)
def hann(length: int, device: torch.device) -> Tensor:
    """Return the periodic Hann window, shape (length,)."""
    return torch.hann_window(length, device=device)


def centred_power(
    signal: Tensor, n_fft: int, hop_length: int, window: Tensor, pad_mode: str
) -> Tensor:
    """Compute the power spectrogram (..., bins, frames) with a given window and continuation."""
    spectrum = torch.stft(
        signal.detach().float().reshape(-1, signal.shape[-1]),
        n_fft,
        hop_length,
        len(window),
        window,
        center=True,
        pad_mode=pad_mode,
        return_complex=True,
    )
    parts = torch.view_as_real(spectrum.mT)  # frame by frame, as the transform leaves them
    power = parts[..., 0].square().addcmul_(parts[..., 1], parts[..., 1]).mT
    return power.reshape(*signal.shape[:-1], *power.shape[-2:])
