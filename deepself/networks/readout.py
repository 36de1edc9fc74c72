"""Read-outs: from maps, or the steps of a sequence, to one vector an item."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from deepself.networks.layers import choose, time_axis, within

READOUTS = ("mean", "max", "attention", "flatten")


class Attention(nn.Module):
    """Weighted mean of vectors, the weights a softmax of learnt linear scores [1]_.

    Parameters
    ----------
    features
        Length of the vectors.

    References
    ----------
    .. [1] S. Mirsamadi, E. Barsoum, C. Zhang, "Automatic Speech Emotion Recognition Using
       Recurrent Neural Networks with Local Attention", ICASSP 2017.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, 1, bias=False)  # a softmax would cancel a bias

    def forward(self, vectors: Tensor, valid: Tensor | None = None) -> Tensor:
        """Average ``(batch, positions, features)`` to ``(batch, features)``.

        ``valid`` ``(batch, positions)`` is False where a position has no weight.
        """
        scores = self.score(vectors).squeeze(2)
        if valid is not None:
            scores = scores.masked_fill(~valid, -torch.inf)
        return (scores.softmax(dim=1).unsqueeze(1) @ vectors).squeeze(1)


class MapReadout(nn.Module):
    """What makes a vector of the maps that convolutions leave.

    Parameters
    ----------
    readout
        "mean", "max" or "attention" over all positions, which may be of any number; or "flatten",
        which takes all values and so the sizes it was built with.
    channels, sizes
        Of the maps.

    Attributes
    ----------
    out_features
        Length of the vector.
    """

    def __init__(self, readout: str, channels: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.readout = choose("readout", readout, READOUTS)
        self.sizes = tuple(sizes)
        self.out_features = channels * prod(sizes) if readout == "flatten" else channels
        self.attention = Attention(channels) if readout == "attention" else None

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Turn ``maps`` ``(batch, channels, ...)`` into ``(batch, out_features)``.

        Positions beyond an item's true length, where ``maps`` must be zero, have no effect.

        Raises
        ------
        ValueError
            Where all values are taken, and the maps are of other sizes.
        """
        if self.readout == "flatten":
            if maps.shape[2:] != self.sizes:
                raise ValueError(
                    "readout flatten is tied to the input's shape: it was built for maps of "
                    f"{self.sizes}, not {tuple(maps.shape[2:])}"
                )
            return maps.flatten(1)
        flat = maps.flatten(2)
        if self.readout == "mean":
            if lengths is None:
                return flat.mean(dim=2)
            positions = lengths * (flat.shape[2] // maps.shape[time_axis(maps)])
            return flat.sum(dim=2) / positions.unsqueeze(1)
        valid = None if lengths is None else _valid(maps, lengths)
        if self.attention is not None:
            return self.attention(flat.transpose(1, 2), valid)
        if valid is not None:
            flat = flat.masked_fill(~valid.unsqueeze(1), -torch.inf)
        return flat.amax(dim=2)


def _valid(maps: Tensor, lengths: Tensor) -> Tensor:
    """Mask ``(batch, positions)`` of maps: True within an item's true length."""
    mask = within(maps, lengths)[:, 0]
    return mask.expand(-1, *maps.shape[2:]).flatten(1)
