"""Pooling by windows that do not overlap, over one, two or three axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from deepself.networks.layers import choose

# Any, since torch types each module's sizes by its number of axes.
POOLS: dict[str, dict[int, Any]] = {
    "max": {1: nn.MaxPool1d, 2: nn.MaxPool2d},
    "average": {1: nn.AvgPool1d, 2: nn.AvgPool2d},
}
OVER_PICTURES: dict[str, Callable[..., Tensor]] = {
    "max": functional.max_pool2d,
    "average": functional.avg_pool2d,
}


def pooling(pool_type: str, size: tuple[int, ...]) -> nn.Module | None:
    """Build the pooling over windows of ``size``, an entry an axis; None where all are 1.

    What does not fill a last window is left out.
    """
    choose("pool_type", pool_type, list(POOLS))
    if max(size) == 1:
        return None
    return FilmPool(pool_type, size) if len(size) == 3 else POOLS[pool_type][len(size)](size)


class FilmPool(nn.Module):
    """Pooling over frames, height and width: over each picture, then over the frames.

    The result is that of torch's own pooling over three axes, whose gradient on CUDA has no
    deterministic algorithm (average) or only a slow one (maximum); that over two axes has.

    Parameters
    ----------
    pool_type
        "max" or "average".
    size
        Frames, height and width of a window.
    """

    def __init__(self, pool_type: str, size: tuple[int, ...]) -> None:
        super().__init__()
        self.pool_type = pool_type
        self.size = size

    def forward(self, film: Tensor) -> Tensor:
        """Pool ``(batch, channels, frames, height, width)``."""
        pool = OVER_PICTURES[self.pool_type]
        frames = film.shape[2]
        film = pool(film.flatten(1, 2), self.size[1:]).unflatten(1, (-1, frames))
        return pool(film.flatten(3), (self.size[0], 1)).unflatten(3, film.shape[3:])

    def extra_repr(self) -> str:
        """Name the settings where the network is printed."""
        return f"{self.pool_type}, {self.size}"
