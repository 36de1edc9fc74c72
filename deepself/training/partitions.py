"""What the training loop sees of a partition, and partitions in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from deepself.evaluation.metrics import uar
from deepself.training.batch import Batch
from deepself.training.data import Part


class Partition(ABC):
    """One partition of a fold, wherever its items live.

    Attributes
    ----------
    targets
        int64 (rows,), on the device: index of each row's class.
    windows
        The partition, where its rows are windows of recordings, else None.
    home
        Where the items are: on the `device`, in `memory`, or in their `file`.
    """

    targets: Tensor
    windows: Part | None
    home: str

    def __len__(self) -> int:
        return len(self.targets)

    def arrange(self, order: Tensor, generator: torch.Generator) -> Tensor:
        """Rearrange the rows of an epoch so that they can be read quickly.

        Parameters
        ----------
        order
            The rows as they were drawn, int64 on the CPU; some may be there several times.
        generator
            Of the CPU, for what is to be drawn; in memory there is nothing, and the order stays.
        """
        return order

    def close(self) -> None:  # noqa: B027
        """End what is still being read."""

    @abstractmethod
    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """A batch for each of some tensors of rows, which are int64 on the CPU.

        The items are the batch's own: they may be changed in place.
        """

    @abstractmethod
    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """All rows, in their order; nothing of them may be changed in place."""

    def uar(self, logits: Tensor, classes: int) -> float:
        """UAR over recordings: windows' probabilities are averaged first."""
        if self.windows is None:
            return uar(self.targets.cpu().numpy(), logits.argmax(1).cpu().numpy(), classes)
        means = self.windows.by_recording(logits.detach().double().softmax(1).cpu().numpy())
        return uar(self.windows.labels, means.argmax(1), classes)


class InMemory(Partition):
    """A partition whose items are held, normalised, on the device or in the host's memory.

    Parameters
    ----------
    items
        float32 (rows, *shape) of each input: one, or one a branch.
    targets
        int64 (rows,), on the device that trains.
    lengths
        int64 (rows,) of each input, on that device: true lengths along time; None where all are
        full.
    windows
        The partition, where its rows are windows of recordings.
    """

    def __init__(
        self,
        items: Sequence[Tensor],
        targets: Tensor,
        lengths: Sequence[Tensor | None] | None = None,
        windows: Part | None = None,
    ):
        self.targets, self.windows = targets, windows
        self._items = tuple(items)
        self._lengths = tuple(lengths or [None] * len(self._items))
        self._there = all(one.device == targets.device for one in self._items)
        self.home = "device" if self._there and targets.is_cuda else "memory"

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """A batch for each of some tensors of rows, which are int64 on the CPU."""
        for which, there in zip(rows, on_device(rows, self.targets.device), strict=True):
            if self._there:
                items = tuple(one.index_select(0, there) for one in self._items)
            else:
                items = tuple(fetch(one, which, self.targets.device) for one in self._items)
            yield Batch(items, *labels(self.targets, self._lengths, there))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """All rows, in their order; nothing of them may be changed in place."""
        if not self._there:
            yield from self.batches(torch.arange(len(self)).split(batch_size))
            return
        whole = Batch(self._items, self.targets, self._lengths)
        for start in range(0, len(self), batch_size):
            yield whole.rows(slice(start, start + batch_size))


def on_device(rows: Sequence[Tensor], device: torch.device) -> Sequence[Tensor]:
    """Tensors of rows on a device, in one copy for all of them."""
    if device.type == "cpu" or not rows:
        return rows
    return torch.cat(tuple(rows)).to(device).split([len(which) for which in rows])


def labels(
    targets: Tensor, lengths: Sequence[Tensor | None], rows: Tensor
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """Targets and true lengths of some rows; all on one device."""
    return (
        targets.index_select(0, rows),
        tuple(None if one is None else one.index_select(0, rows) for one in lengths),
    )


def fetch(items: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """Some rows of items in the host's memory, on the device.

    They go there by pinned memory: the copy runs while the GPU works on what it has, and PyTorch
    hands the pinned memory out again only when the copy is done.
    """
    if device.type == "cpu":
        return items.index_select(0, rows)
    shape = (len(rows), *items.shape[1:])
    pinned = torch.empty(shape, dtype=items.dtype, pin_memory=device.type == "cuda")
    torch.index_select(items, 0, rows, out=pinned)
    return pinned.to(device, non_blocking=True)
