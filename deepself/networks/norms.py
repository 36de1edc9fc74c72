"""Normalisations whose statistics leave out what fills an item up to the length of others."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from deepself.networks.layers import choose

NORMALISATIONS = ("batch", "instance", "group", "layer", "none")
MAX_GROUPS = 8


def build_norm(name: str, channels: int) -> BatchNorm | GroupNorm | None:
    """Build the normalisation called ``name`` of maps ``(batch, channels, ...)``.

    Parameters
    ----------
    name
        "batch" [1]_: each channel over the batch. The others are each item's own: "layer" [2]_
        over all its channels, "instance" [3]_ over each of them, "group" [4]_ over groups of them,
        as many as divide the channels, up to 8. "none" gives None.
    channels
        How many there are.

    References
    ----------
    .. [1] S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by
       Reducing Internal Covariate Shift", ICML 2015.
    .. [2] J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450, 2016.
    .. [3] D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance Normalization: The Missing Ingredient
       for Fast Stylization", arXiv:1607.08022, 2016.
    .. [4] Y. Wu, K. He, "Group Normalization", ECCV 2018.
    """
    if choose("normalisation", name, NORMALISATIONS) == "none":
        return None
    if name == "batch":
        return BatchNorm(channels)
    return GroupNorm(norm_groups(name, channels), channels)


def norm_groups(name: str, channels: int) -> int:
    """In how many groups the normalisation called ``name`` takes an item's channels."""
    if name == "group":
        return max(n for n in range(1, MAX_GROUPS + 1) if channels % n == 0)
    return channels if name == "instance" else 1


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over any number of axes, its statistics over valid positions only."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalise ``x`` ``(batch, channels, ...)``.

        ``valid`` is a mask that broadcasts to ``x``, False where items are filled up. It matters
        in training alone: evaluation takes the running statistics.
        """
        if valid is None or not self.training:
            return super().forward(x)
        mean, centred, variance, count = _moments(x, valid, (0, *range(2, x.dim())))
        with torch.no_grad():  # as torch does: the unbiased variance is what is remembered
            unbiased = variance * count / (count - 1).clamp(min=1)
            momentum = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.flatten().to(self.running_mean.dtype), momentum)
            self.running_var.lerp_(unbiased.flatten().to(self.running_var.dtype), momentum)
            self.num_batches_tracked += 1
        sizes = (-1, *[1] * (x.dim() - 2))
        scale = (variance + self.eps).rsqrt() * self.weight.view(sizes)
        return torch.addcmul(self.bias.view(sizes).to(scale), centred, scale).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes will do."""


class GroupNorm(nn.GroupNorm):
    """Normalisation of each item by groups of channels, its statistics over valid positions."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalise ``x`` ``(batch, channels, ...)``.

        ``valid`` is a mask that broadcasts to ``x``, False where items are filled up.
        """
        if valid is None:
            return super().forward(x)
        grouped = x.unflatten(1, (self.num_groups, -1))
        axes = tuple(range(2, grouped.dim()))
        _, centred, variance, _ = _moments(grouped, valid.unsqueeze(1), axes)
        sizes = (self.num_groups, -1, *[1] * (x.dim() - 2))
        scale = (variance + self.eps).rsqrt() * self.weight.view(sizes)
        normalised = torch.addcmul(self.bias.view(sizes).to(scale), centred, scale)
        return normalised.flatten(1, 2).to(x.dtype)


def _moments(
    x: Tensor, valid: Tensor, axes: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Statistics of ``x`` over the ``valid`` positions of ``axes``, which are kept with length 1.

    In float32 at least; in two passes, as the one-pass formula loses a small variance beside a
    large mean.

    Returns
    -------
    mean : Tensor
    centred : Tensor
        ``x`` less the mean, zero where not valid.
    variance : Tensor
    count : Tensor
        Number of valid positions.
    """
    repeats = prod(x.shape[axis] // valid.shape[axis] for axis in axes)
    count = valid.sum(axes, keepdim=True) * repeats
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean = wide.masked_fill(~valid, 0.0).sum(axes, keepdim=True) / count
    centred = (wide - mean).masked_fill(~valid, 0.0)
    return mean, centred, centred.square().sum(axes, keepdim=True) / count, count
