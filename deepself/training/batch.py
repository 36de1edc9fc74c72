"""What a network is given at once."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some rows of a partition, on the device.

    Attributes
    ----------
    items
        float32 (rows, *shape) of each input: one, or one a branch.
    targets
        int64 (rows,): index of each row's class; or, where rows were mixed, float32
        (rows, classes): shares of the classes.
    lengths
        int64 (rows,) of each input: true lengths along time; None where all are full.
    """

    items: tuple[Tensor, ...]
    targets: Tensor
    lengths: tuple[Tensor | None, ...] = (None,)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the network is called with: items, and true lengths if any."""
        if len(self.items) > 1:
            return self.items, self.lengths
        return self.items if self.lengths[0] is None else (self.items[0], self.lengths[0])

    def rows(self, which: "slice | Tensor") -> "Batch":
        """A part of the batch."""
        return Batch(
            tuple(one[which] for one in self.items),
            self.targets[which],
            tuple(None if one is None else one[which] for one in self.lengths),
        )
