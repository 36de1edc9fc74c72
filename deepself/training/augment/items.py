"""One input of a batch, as augmentations see it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from deepself.networks.layers import silence, time_axis, within


@dataclass(frozen=True)
class Items:
    """The items of one input.

    Attributes
    ----------
    values
        float32 (rows, *item shape), normalised.
    true
        int64 (rows,): true lengths along the time axis, behind which zeros fill the items up;
        None where all are full.
    sort
        One of `deepself.study.augmentation`'s.
    mean, deviation
        What the items were normalised by, broadcastable to one; None where they were not, or
        each by its own.
    """

    values: Tensor
    true: Tensor | None
    sort: str
    mean: Tensor | None = None
    deviation: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def axis(self) -> int:
        """The axis of time."""
        return time_axis(self.values)

    @property
    def lengths(self) -> Tensor:
        """Lengths along time, true or full: int64 (rows,)."""
        if self.true is not None:
            return self.true
        full = self.values.shape[self.axis]
        return torch.full((len(self),), full, device=self.values.device)

    def each(self, numbers: Tensor) -> Tensor:
        """One number an item, (rows,), with axes of length 1 to broadcast to the values."""
        return numbers.to(self.values.dtype).view(-1, *(1,) * (self.values.ndim - 1))

    def along(self, values: Tensor, axis: int) -> Tensor:
        """Values (rows, length of an axis), with axes of length 1 to broadcast to the items'."""
        sizes = [1] * self.values.ndim
        sizes[0], sizes[axis] = values.shape
        return values.view(sizes)

    def silenced(self, values: Tensor) -> Tensor:
        """Values with zeros behind the true lengths."""
        return values if self.true is None else silence(values, self.true)

    def without(self, mask: Tensor) -> Tensor:
        """The values, but where a mask that broadcasts to them is true, those that say nothing.

        That is 0, the mean of normalised items; of others, the mean of the item's own channel.
        """
        if self.true is not None:
            mask = mask & within(self.values, self.true)
        return torch.where(mask, self._neutral(), self.values)

    def _neutral(self) -> Tensor:
        if self.mean is not None:
            return self.values.new_zeros(())
        axes = tuple(range(2, self.values.ndim))
        mean = self.values.mean(axes, keepdim=True)  # zeros that fill up count in it
        return mean * (self.values.shape[self.axis] / self.each(self.lengths))


def at_most(lengths: Tensor, share: float) -> Tensor:
    """The most whole steps that are no more than a share of each length: int64, as `lengths`."""
    # 0.29 · 100 is a little less than 29 in binary.
    return torch.floor(lengths.double() * share + 1e-6).long()


def taken(values: Tensor, places: Tensor, axis: int) -> Tensor:
    """Each item's values at its own places (rows, count) along an axis."""
    sizes = [1] * values.ndim
    sizes[0], sizes[axis] = places.shape
    shape = list(values.shape)
    shape[axis] = places.shape[1]
    return values.gather(axis, places.view(sizes).expand(shape))
