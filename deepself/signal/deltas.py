"""Differences in time of spectral images."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 9
"""Frames over which `deltas` fits; an image needs at least as many."""

_HALF = WIDTH // 2


def deltas(image: Tensor, order: int) -> Tensor:
    """Append the differences in time of a spectral image as further channels.

    The first difference is the slope of the straight line, the second the curvature of the
    parabola, fitted to nine frames by least squares (Savitzky-Golay); the first and last four
    frames take those of the first and last nine. These are the values of
    ``librosa.feature.delta(image, width=9, order=order, mode="interp")``.

    Parameters
    ----------
    image : Tensor, shape (..., channels, bins, frames)
        At least 9 frames, unless ``order`` is 0.
    order : {0, 1, 2}
        How many differences to append.

    Returns
    -------
    Tensor, shape (..., channels * (1 + order), bins, frames)
        float32: all channels of the image, then of its first, then of its second difference.

    Raises
    ------
    ValueError
        If the order is not 0, 1 or 2, or there are too few frames.

    References
    ----------
    A. Savitzky, M. Golay, "Smoothing and differentiation of data by simplified least squares
    procedures", Analytical Chemistry 36(8), 1964.
    """
    if order not in (0, 1, 2):
        raise ValueError(f"order of deltas is {order}; it must be 0, 1 or 2")
    static = image.detach().float()
    frames = image.shape[-1]
    if order and frames < WIDTH:
        raise ValueError(f"image has {frames} frames; deltas need at least {WIDTH}")
    return torch.cat([static, *(_slope(static, n) for n in range(1, order + 1))], dim=-3)


def _slope(image: Tensor, order: int) -> Tensor:
    offsets = torch.arange(-_HALF, _HALF + 1, dtype=torch.float64)
    # The part of the polynomial's highest power that its lower ones cannot make up for.
    basis = offsets if order == 1 else offsets.square() - offsets.square().mean()
    weights = (order * basis / basis.square().sum()).tolist()
    inner = image.shape[-1] - WIDTH + 1
    # Sums of slices rather than a convolution, which accelerators may round to ten bits.
    middle = image[..., :inner] * weights[0]
    for start, weight in enumerate(weights[1:], start=1):
        middle.add_(image[..., start : start + inner], alpha=weight)
    # A line has one slope and a parabola one curvature, at the edges too.
    edge = (*image.shape[:-1], _HALF)
    return torch.cat([middle[..., :1].expand(edge), middle, middle[..., -1:].expand(edge)], dim=-1)
