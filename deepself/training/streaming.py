"""Items that stay in their file: read in blocks, one step ahead of the training.

An epoch goes through the file by *block shuffle*: blocks of neighbouring rows are put into groups
at random, and one group after the other is read; in each, rows come in the order that was drawn
for them. So a file is read once an epoch, in long stretches, whatever its size, and a batch is
drawn from a group of `SPAN` bytes.
"""

import math
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from deepself.store.features import FeatureFile
from deepself.training.batch import Batch
from deepself.training.data import Block, Part, slices
from deepself.training.partitions import Partition, fetch, labels, on_device

SPAN = 2**27
"""Bytes of items that an epoch's batches are drawn from; as much again is being read meanwhile.

It is the same on every machine, as the order of an epoch depends on it."""

STRETCH = 2**24
"""Bytes that are read at once where the order is the file's."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Source:
    """Where the items of one input of a partition are.

    Attributes
    ----------
    file
        The open feature file.
    rows
        int64 (rows,): row in the file of each of the partition's.
    lengths
        int64 (rows,), on the CPU: true lengths along time; None where all are full.
    """

    file: FeatureFile
    rows: np.ndarray
    lengths: Tensor | None

    @property
    def size(self) -> int:
        """Bytes of an item in memory."""
        return 4 * math.prod(self.file.shape)

    def blocks(self) -> Iterator[Block]:
        """All items as they are in the file, in its order, some at a time."""
        order = np.argsort(self.rows, kind="stable")
        stretch = self.file.block * max(1, STRETCH // (self.size * self.file.block or 1))
        edges = np.flatnonzero(np.diff(self.rows[order] // stretch)) + 1
        pieces = [piece for piece in np.split(order, edges) if len(piece)]
        read = (torch.from_numpy(self.file.read_rows(self.rows[piece])) for piece in pieces)
        for piece, items in zip(pieces, ahead(read), strict=True):
            yield from slices(items, None if self.lengths is None else self.lengths[piece])


@dataclass(frozen=True)
class Span:
    """Items of a part of an order.

    Attributes
    ----------
    stop
        Where the part ends.
    items
        Of each input: each row once.
    places
        int64: where each row of the part is among the items; the last is that before `stop`.
    """

    stop: int
    items: list[Tensor]
    places: Tensor

    def fetch(self, start: int, stop: int, device: torch.device) -> list[Tensor]:
        """Items of places of the order, on the device."""
        first = self.stop - len(self.places)
        rows = self.places[start - first : stop - first]
        return [fetch(one, rows, device) for one in self.items]


class InFile(Partition):
    """A partition whose items stay in their files, and are normalised batch by batch.

    Parameters
    ----------
    sources
        Where each input's items are.
    scales
        What normalises each input's items in place, given their true lengths.
    targets
        int64 (rows,), on the device.
    windows
        The partition, where its rows are windows of recordings.
    """

    home = "file"

    def __init__(
        self,
        sources: Sequence[Source],
        scales: Sequence[Callable[[Tensor, Tensor | None], None]],
        targets: Tensor,
        windows: Part | None = None,
    ):
        self.targets, self.windows = targets, windows
        self._sources, self._scales = sources, scales
        device = targets.device
        self._lengths = [None if s.lengths is None else s.lengths.to(device) for s in sources]
        # The largest items tell what is a block: those of others are small beside them.
        largest = max(sources, key=lambda source: source.size)
        self._block = largest.file.block
        self._block_of = np.unique(largest.rows // self._block, return_inverse=True)[1]
        self._block_bytes = self._block * sum(source.size for source in sources)
        self._open: weakref.WeakSet[Generator] = weakref.WeakSet()

    def arrange(self, order: Tensor, generator: torch.Generator) -> Tensor:
        """Put the rows of an epoch in the order of a block shuffle; see the module."""
        blocks = torch.from_numpy(self._block_of)
        count = int(blocks.max()) + 1
        group_of = torch.empty(count, dtype=torch.int64)
        group_of[torch.randperm(count, generator=generator)] = torch.arange(count) // self._held
        return order[group_of[blocks[order]].argsort(stable=True)]

    @property
    def _held(self) -> int:
        """Blocks of a group."""
        return max(1, SPAN // max(1, self._block_bytes))

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """A batch for each of some tensors of rows, which are int64 on the CPU."""
        return self._kept(self._batches(rows, self._held))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """All rows, in their order."""
        held = max(1, STRETCH // max(1, self._block_bytes))
        return self._kept(self._batches(torch.arange(len(self)).split(batch_size), held))

    def close(self) -> None:
        """End all reading."""
        for one in list(self._open):
            one.close()

    def _kept(self, generator: Generator[Batch, None, None]) -> Iterator[Batch]:
        self._open.add(generator)
        return generator

    def _batches(self, rows: Sequence[Tensor], held: int) -> Generator[Batch, None, None]:
        if not rows:
            return
        device = self.targets.device
        order = torch.cat(tuple(rows)).numpy()
        with closing(ahead(self._read(order, held))) as spans:
            span, start = next(spans), 0
            for which, there in zip(rows, on_device(rows, device), strict=True):
                stop, pieces = start + len(which), []
                while start < stop:
                    if start == span.stop:
                        del span  # before the next one comes
                        span = next(spans)
                    end = min(stop, span.stop)
                    pieces.append(span.fetch(start, end, device))
                    start = end
                yield self._batch(pieces, there)

    def _batch(self, pieces: list[list[Tensor]], rows: Tensor) -> Batch:
        targets, lengths = labels(self.targets, self._lengths, rows)
        by_input = zip(*pieces, strict=True)
        items = tuple(one[0] if len(one) == 1 else torch.cat(one) for one in by_input)
        for scale, one, of_one in zip(self._scales, items, lengths, strict=True):
            scale(one, of_one)
        return Batch(items, targets, lengths)

    def _read(self, order: np.ndarray, held: int) -> Iterator[Span]:
        """The items of an order, as many at a time as lie in so many blocks."""
        start = 0
        # Rows that come again and again need no more memory, but are not looked at without end.
        most = 2 * held * self._block
        while start < len(order):
            blocks = self._block_of[order[start : start + most]]
            firsts = np.sort(np.unique(blocks, return_index=True)[1])
            stop = start + int(firsts[held] if len(firsts) > held else len(blocks))
            rows, places = np.unique(order[start:stop], return_inverse=True)
            items = [torch.from_numpy(s.file.read_rows(s.rows[rows])) for s in self._sources]
            yield Span(stop, items, torch.from_numpy(places))
            start = stop


def ahead(source: Iterable[Item]) -> Generator[Item, None, None]:
    """Go through what is given in a thread, one step ahead of whoever takes it.

    So two of its things are in memory: the one that was taken, and the one that is being made or
    waits. The thread ends with the generator; what it raises is raised here.
    """
    wanted, stopped = threading.Semaphore(1), threading.Event()
    made: queue.SimpleQueue = queue.SimpleQueue()

    def work() -> None:
        try:
            things = iter(source)
            while wanted.acquire() and not stopped.is_set():
                made.put((next(things), None))
        except BaseException as error:
            made.put((None, error))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            thing, error = made.get()
            if error is not None:
                if isinstance(error, StopIteration):
                    return
                raise error
            wanted.release()
            yield thing
            del thing  # before the next one is waited for
    finally:
        stopped.set()
        wanted.release()
        if thread is not threading.current_thread():  # which may collect garbage
            thread.join()
