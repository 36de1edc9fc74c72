"""Features that are made from another: pictures of spectral images, embeddings, statistics."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself import signal
from deepself.errors import UserError
from deepself.features.layers import Layer
from deepself.features.transforms import Axes
from deepself.networks import build
from deepself.networks.base import Network
from deepself.networks.starting import start_from
from deepself.store.feature_writer import Batch
from deepself.store.features import FeatureFile
from deepself.store.published import built_as, is_imagenet, weights_file
from deepself.store.weights import read_weights
from deepself.study.features import Derived, Embedding, Rendered, Statistics
from deepself.study.networks import PictureNetwork, class_of

ROWS = 16
"""Windows of a recording read and made at once."""

CLASSES = 2
"""For which networks are built: their last layer is not used."""

Embed = Callable[[torch.Tensor], torch.Tensor]
"""Turns items (batch, ...) into vectors (batch, features)."""


class Deriver:
    """How items of one feature become those of another.

    Parameters
    ----------
    spec
        The feature that is made.
    embed
        The network that an embedding needs.
    """

    def __init__(self, spec: Derived, embed: Embed | None = None):
        self._spec, self._embed = spec, embed

    def __call__(self, items: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Items (rows, *item shape) of those of the source, by their true lengths.

        Raises
        ------
        ValueError
            They are too small for the network.
        """
        groups = [torch.from_numpy(items)]
        if lengths is not None:  # what a fill would add is no part of them
            rows = zip(groups[0], lengths, strict=True)
            groups = [item[None, ..., :length] for item, length in rows]
        try:
            with torch.inference_mode():
                return torch.cat([self._of(group) for group in groups]).numpy()
        except RuntimeError as error:  # a network says so what is too small for it
            raise ValueError(str(error).splitlines()[0]) from None

    def _of(self, items: torch.Tensor) -> torch.Tensor:
        if isinstance(self._spec, Rendered):
            chosen = self._spec
            return signal.render(
                items,
                value_range=None if chosen.range == "item" else chosen.range,
                colormap=chosen.colormap,
                height=chosen.height,
                width=chosen.width,
                layout=chosen.layout,
            )
        if isinstance(self._spec, Statistics):
            return signal.statistics(items, self._spec.statistics)
        assert self._embed is not None
        return self._embed(items)


class Derivation(AbstractContextManager):
    """How one feature is made from the file of another.

    Parameters
    ----------
    name, spec
        The feature.
    source
        The file of the feature that it is made from.
    results
        Folder of the results, for weights.

    Attributes
    ----------
    axes
        None: neither pictures nor vectors have rows of frequencies or a time axis.
    ids, checksums
        Of the source's recordings.
    samples
        Length to which the source's recordings were brought, which shapes what is made of them;
        several, where the source is joined of others.
    """

    axes = Axes()

    def __init__(self, name: str, spec: Derived, source: Path, results: Path):
        self._name = name
        self._source = FeatureFile(source)
        self.ids, self.checksums = self._source.ids, self._source.checksums
        self.samples: int | list[Any] | None = self._source.specification["samples"]
        embed = None
        if isinstance(spec, Embedding):
            path = weights_file(results, spec.network, spec.weights)
            embedder = Embedder.of(spec)
            embed = embedder.built(f"features.{name}", self._source.shape, path)
        self._derive = Deriver(spec, embed)

    def make(self, recording: str) -> Batch:
        """Items of one recording."""
        rows = self._source.rows([recording])
        parts = np.array_split(rows, -(-len(rows) // ROWS))
        lengths = self._source.lengths
        try:
            items = np.concatenate(
                [
                    self._derive(
                        self._source.read_rows(part), None if lengths is None else lengths[part]
                    )
                    for part in parts
                ]
            )
        except ValueError as error:
            raise UserError(f"features.{self._name}: {recording}: {error}") from None
        starts = self._source.starts
        return Batch(items, [len(items)], None if starts is None else starts[rows])

    def __exit__(self, *_: object) -> None:
        self._source.close()


@dataclass(frozen=True)
class Embedder:
    """The network of an embedding, whose weights may lie anywhere.

    Attributes
    ----------
    network, settings
        What is built.
    layer, pool
        As in the study.
    """

    network: str
    settings: dict[str, Any]
    layer: str | None
    pool: str

    @classmethod
    def of(cls, spec: Embedding) -> "Embedder":
        """The network that an embedding of a study names, by its weights."""
        kind, settings = class_of(spec.network), dict[str, Any]()
        if kind is not None and issubclass(kind, PictureNetwork):
            settings["imagenet_normalisation"] = is_imagenet(spec.network, spec.weights)
        return cls(built_as(spec.network, spec.weights), settings, spec.layer, spec.pool)

    def on(self, shape: tuple[int, ...]) -> Network:
        """The network for items of a shape, with weights that are drawn.

        Raises
        ------
        ValueError
            It does not fit the items.
        """
        return build(self.network, shape, CLASSES, **self.settings)

    def built(
        self,
        label: str,
        shape: tuple[int, ...],
        weights: Path,
        device: str = "cpu",
        state: Mapping[str, torch.Tensor] | None = None,
    ) -> Embed:
        """What makes an embedding of items of a shape, which lie on the device.

        `state` is what the file of weights holds, where that has been read.

        Raises
        ------
        UserError
            The network does not fit the items, or the weights do not fit the network.
        """
        try:
            network = self.on(shape)
        except ValueError as error:
            raise UserError(f"{label}: {error}") from None
        try:
            start_from(network, read_weights(weights) if state is None else state)
        except ValueError as error:
            raise UserError(f"{weights}: {error}") from None
        network.eval().to(device)
        if self.layer is None:
            return network.embed
        try:
            return Layer(network, self.layer, self.pool, fresh=CLASSES)
        except ValueError as error:
            raise UserError(f"{label}.layer: {error}") from None
