"""How often a signal crosses zero."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SILENT = 1e-10
"""Values up to here, of either sign, are zero, which counts as positive."""


def zero_crossing_rate(signal: Tensor, *, frame_length: int, hop_length: int) -> Tensor:
    """Compute the share of samples, frame by frame, at which a signal changes its sign.

    Frames are centred: half a frame is added at both ends, which repeats the first and last
    sample. These are the values of ``librosa.feature.zero_crossing_rate``.

    Parameters
    ----------
    signal : Tensor, shape (..., samples)
        At least one sample.
    frame_length, hop_length : int
        Samples of a frame, and from one to the next.

    Returns
    -------
    Tensor, shape (..., 1, frames)
        float32, within [0, 1].

    Raises
    ------
    ValueError
        If a length is below 1, or there is no sample.

    References
    ----------
    L. R. Rabiner, R. W. Schafer, "Digital Processing of Speech Signals", Prentice-Hall, 1978,
    section 4.3.
    """
    for name, length in (("frame_length", frame_length), ("hop_length", hop_length)):
        if length < 1:
            raise ValueError(f"{name} is {length}; it must be at least 1")
    if signal.shape[-1] < 1:
        raise ValueError("signal has 0 samples; it needs at least 1")
    negative = signal.detach() < -_SILENT
    changes = (negative[..., 1:] != negative[..., :-1]).to(torch.int64)
    # Of what is added at the ends, and of a frame's first sample, nothing changes.
    half = frame_length // 2
    total = changes.sum(-1, keepdim=True).expand(*changes.shape[:-1], half)
    count = torch.cat([functional.pad(changes.cumsum(-1), (half + 1, 0)), total], dim=-1)
    first = count[..., : count.shape[-1] - frame_length + 1 : hop_length]
    last = count[..., frame_length - 1 :: hop_length]
    return ((last - first).to(torch.float32) / frame_length).unsqueeze(-2)
