"""Average pooling to a given size, as products of matrices.

torch's own adaptive average pooling has no deterministic gradient on a GPU, where it stops a
training that asks for the same numbers again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AveragePool2d(nn.Module):
    """Bring maps to ``(batch, channels, *size)``, each place the mean of those that it stands for.

    The same values as ``torch.nn.AdaptiveAvgPool2d`` gives.
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(batch, channels, height, width)``."""
        if tuple(x.shape[2:]) == self.size:
            return x
        rows, columns = (
            _shares(length, wanted, x)
            for length, wanted in zip(x.shape[2:], self.size, strict=True)
        )
        return rows @ x @ columns.T

    def extra_repr(self) -> str:
        """Show the size."""
        return str(self.size)


def _shares(length: int, wanted: int, like: Tensor) -> Tensor:
    """Share of each of ``length`` places in the mean of each of ``wanted``."""
    places = torch.arange(length, device=like.device)
    number = torch.arange(wanted, device=like.device).unsqueeze(1)
    first, beyond = number * length // wanted, -(-(number + 1) * length // wanted)
    inside = ((places >= first) & (places < beyond)).to(like.dtype)
    return inside / inside.sum(dim=1, keepdim=True)
