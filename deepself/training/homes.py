"""Where a fold's items live while a network is trained: the best home that they fit into."""

import math
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepself.store.features import FeatureFile
from deepself.training.data import SLICE, Normaliser, Part, list_fold, slices
from deepself.training.job import Input
from deepself.training.memory import free_device_memory, free_host_memory
from deepself.training.partitions import InMemory, Partition
from deepself.training.streaming import InFile, Source

SHARES = {"device": 0.5, "memory": 0.6}
"""Shares of what is free that items may take: weights, activations and batches need the rest."""

Listed = dict[str, tuple[Part, np.ndarray]]
"""Each partition without its items, and its rows in the feature's file."""


@dataclass(frozen=True)
class Fold(AbstractContextManager):
    """The partitions of a fold, ready to be trained on.

    Attributes
    ----------
    partitions
        Train, dev and test.
    parts
        Ids, labels and windows of each; no items.
    normalisers
        What normalises each input's items.
    shapes
        Shape of an item, by input.
    """

    partitions: dict[str, Partition]
    parts: dict[str, Part]
    normalisers: dict[str, Normaliser]
    shapes: dict[str, tuple[int, ...]]
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def home(self) -> str:
        """Where the items are: on the `device`, in `memory`, or in their `file`."""
        return self.partitions["train"].home

    def close(self) -> None:
        """Let go of the files."""
        self._open.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def open_fold(
    inputs: Mapping[str, Input],
    folds: Path,
    fold: str,
    classes: list[str],
    device: str,
    limit: int | None = None,
    among: int = 1,
) -> Fold:
    """Open the partitions of a fold, normalised by what the training partition teaches.

    Their items go to the GPU if they fit there beside the network, else to the host's memory,
    else they are read from their files again and again.

    Parameters
    ----------
    inputs
        The features that a run reads: one, or one a branch.
    folds, fold, classes
        The table of partitions, which of its folds, and the classes in their order.
    device
        `cpu`, or a GPU such as `cuda:0`.
    limit
        Bytes that items may take in each home; measured, unless it is given.
    among
        Runs that share the memory at the same time.

    Raises
    ------
    UserError
        A feature is not there, or lacks recordings.
    """
    with ExitStack() as stack:
        files = {n: stack.enter_context(FeatureFile(i.file)) for n, i in inputs.items()}
        listed = {n: list_fold(file, folds, fold, classes) for n, file in files.items()}
        methods = {name: source.normalise for name, source in inputs.items()}
        needed = sum(_size(file, listed[name]) for name, file in files.items())
        home = choose_home(needed * among, device, limit)
        if home == "file":
            partitions, normalisers = _in_file(files, listed, methods, device)
            for partition in partitions.values():
                stack.callback(partition.close)
        else:
            place = device if home == "device" else "cpu"
            partitions, normalisers = _in_memory(files, listed, methods, device, place)
        return Fold(
            partitions,
            {name: part for name, (part, _) in next(iter(listed.values())).items()},
            normalisers,
            {name: file.shape for name, file in files.items()},
            stack.pop_all() if home == "file" else ExitStack(),
        )


def choose_home(needed: int, device: str, limit: int | None = None) -> str:
    """The fastest home that items of so many bytes fit into; a file that is read is said.

    Parameters
    ----------
    needed
        Bytes of all items as float32.
    device
        `cpu`, or a GPU such as `cuda:0`.
    limit
        Bytes that items may take in each home; measured, unless it is given.
    """
    if device != "cpu":
        allowed = SHARES["device"] * free_device_memory(device) if limit is None else limit
        if needed <= allowed:
            return "device"
    allowed = SHARES["memory"] * free_host_memory() if limit is None else limit
    if needed <= allowed:
        return "memory"
    print(
        f"items of {needed / 1e9:.3g} GB do not fit into memory, where they may take "
        f"{allowed / 1e9:.3g} GB: they are read from their file in each epoch",
        flush=True,
    )
    return "file"


def _size(file: FeatureFile, listed: Listed) -> int:
    return 4 * math.prod(file.shape) * sum(len(rows) for _, rows in listed.values())


def _in_memory(
    files: Mapping[str, FeatureFile],
    listed: Mapping[str, Listed],
    methods: Mapping[str, str],
    device: str,
    place: str,
) -> tuple[dict[str, Partition], dict[str, Normaliser]]:
    """Read all items to a place, normalised once; batches go to the device."""
    items: dict[str, list[Tensor]] = defaultdict(list)
    normalisers = {}
    for name, file in files.items():
        sizes = [len(rows) for _, rows in listed[name].values()]
        # All at once: partitions that are drawn at random share the file's chunks.
        rows = np.concatenate([rows for _, rows in listed[name].values()])
        blocks = {}
        for (partition, (part, _)), own in zip(
            listed[name].items(), _load(file, rows, place).split(sizes), strict=True
        ):
            blocks[partition] = own, _lengths(part, place)
            items[partition].append(own)
        normalisers[name] = Normaliser.learn(partial(slices, *blocks["train"]), methods[name])
        for block in blocks.values():
            normalisers[name].apply_to(*block)
    partitions: dict[str, Partition] = {}
    for partition in items:
        parts = [own[partition][0] for own in listed.values()]
        lengths = [_lengths(part, device) for part in parts]
        labels = _labels(parts[0], device)
        partitions[partition] = InMemory(items[partition], labels[0], lengths, labels[1])
    return partitions, normalisers


def _in_file(
    files: Mapping[str, FeatureFile],
    listed: Mapping[str, Listed],
    methods: Mapping[str, str],
    device: str,
) -> tuple[dict[str, Partition], dict[str, Normaliser]]:
    """Leave the items where they are; batches are normalised on the device."""
    sources: dict[str, list[Source]] = defaultdict(list)
    normalisers = {}
    for name, file in files.items():
        for partition, (part, rows) in listed[name].items():
            sources[partition].append(Source(file, rows, _lengths(part, "cpu")))
        normalisers[name] = Normaliser.learn(sources["train"][-1].blocks, methods[name])
    scales = [normaliser.on(device) for normaliser in normalisers.values()]
    first = next(iter(listed.values()))
    return {
        partition: InFile(sources[partition], scales, *_labels(part, device))
        for partition, (part, _) in first.items()
    }, normalisers


def _load(file: FeatureFile, rows: np.ndarray, place: str) -> Tensor:
    """Rows of a file, float32; for a GPU a part at a time, as the host may not hold them all."""
    if place == "cpu":
        return torch.from_numpy(file.read_rows(rows))
    out = torch.empty((len(rows), *file.shape), device=place)
    step = max(1, SLICE["cuda"] // max(1, 4 * math.prod(file.shape)))
    for places in torch.from_numpy(np.argsort(rows, kind="stable")).split(step):
        part = torch.from_numpy(file.read_rows(rows[places.numpy()]))
        out.index_copy_(0, places.to(place), part.to(place))
    return out


def _lengths(part: Part, place: str) -> Tensor | None:
    return None if part.lengths is None else torch.from_numpy(part.lengths).to(place)


def _labels(part: Part, device: str) -> tuple[Tensor, Part | None]:
    """Targets on the device, and the partition if its rows are windows."""
    return torch.from_numpy(part.targets).to(device), None if part.starts is None else part
