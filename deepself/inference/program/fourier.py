"""The power of a short-time Fourier transform by a convolution, which every runtime has.

The operators for Fourier transforms differ between runtimes, where there are any, and complex
numbers with them. A frame's transform is a product with cosines and sines, and that of all frames
a convolution with them (the weights are the window's): in float32 like the transform itself.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Power(nn.Module):
    """Power of each Fourier bin of each frame, as `deepself.signal` defines it.

    Parameters
    ----------
    n_fft, hop_length
        In samples.
    window
        float (win_length,), centred in the `n_fft` samples.
    pad_mode
        How the signal is continued at both ends: `constant` (by zeros) or `reflect`.
    """

    basis: Tensor

    def __init__(self, n_fft: int, hop_length: int, window: Tensor, pad_mode: str):
        super().__init__()
        self._n_fft, self._hop, self._pad_mode = n_fft, hop_length, pad_mode
        self._bins = n_fft // 2 + 1
        length = len(window)
        self._left = (n_fft - length) // 2  # before it, the window is zero
        # The bins' phases are counted from the window's first sample: power has no phase.
        samples = torch.arange(length, dtype=torch.float64)
        bins = torch.arange(self._bins, dtype=torch.float64)[:, None]
        angles = 2 * math.pi / n_fft * ((bins * samples) % n_fft)
        waves = torch.cat([angles.cos(), angles.sin()]) * window.double()
        self.register_buffer("basis", waves.float()[:, None])

    def forward(self, signal: Tensor) -> Tensor:
        """Give (rows, channels, bins, frames) of (rows, channels, samples)."""
        channels, samples = signal.shape[1:]
        edge = self._n_fft // 2
        frames = (samples + 2 * edge - self._n_fft) // self._hop + 1
        seen = (frames - 1) * self._hop + self.basis.shape[-1]
        padded = functional.pad(signal.reshape(-1, 1, samples), (edge, edge), mode=self._pad_mode)
        parts = functional.conv1d(padded.narrow(-1, self._left, seen), self.basis, stride=self._hop)
        real, imaginary = parts[:, : self._bins], parts[:, self._bins :]
        power = real * real + imaginary * imaginary
        return power.reshape(-1, channels, self._bins, frames)
