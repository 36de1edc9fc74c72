"""Features that are made from another feature: pictures of spectral images, and embeddings."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself import signal
from deepself.errors import UserError
from deepself.features.layers import Layer
from deepself.features.transforms import Axes
from deepself.networks import build
from deepself.networks.starting import start_from
from deepself.store.feature_writer import Batch
from deepself.store.features import FeatureFile
from deepself.store.published import built_as, is_imagenet, weights_file
from deepself.store.weights import read_weights
from deepself.study.features import Derived, Embedding, Rendered
from deepself.study.networks import PictureNetwork, class_of

ROWS = 16
"""Windows of a recording read and made at once."""

CLASSES = 2
"""For which networks are built: their last layer is not used."""

Embed = Callable[[torch.Tensor], torch.Tensor]
"""Turns items (batch, ...) into vectors (batch, features)."""


class Derivation(AbstractContextManager):
    """How one feature is made from another.

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
        None: neither a picture nor an embedding has rows of frequencies or a time axis.
    ids, checksums
        Of the source's recordings.
    samples
        Length to which the source's recordings were brought, which shapes what is made of them;
        several, where the source is joined of others.
    """

    axes = Axes()

    def __init__(self, name: str, spec: Derived, source: Path, results: Path):
        self._name, self._spec = name, spec
        self._source = FeatureFile(source)
        self.ids, self.checksums = self._source.ids, self._source.checksums
        self.samples: int | list[Any] | None = self._source.specification["samples"]
        self._embed = None
        if isinstance(spec, Embedding):
            self._embed = _embedder(name, spec, self._source.shape, results)

    def make(self, recording: str) -> Batch:
        """Items of one recording."""
        rows = self._source.rows([recording])
        parts = np.array_split(rows, -(-len(rows) // ROWS))
        try:
            items = np.concatenate([self._make(self._read(part)) for part in parts])
        except (ValueError, RuntimeError) as error:  # a network says so what is too small for it
            reason = str(error).splitlines()[0]
            raise UserError(f"features.{self._name}: {recording}: {reason}") from None
        starts = self._source.starts
        return Batch(items, [len(items)], None if starts is None else starts[rows])

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def _read(self, rows: np.ndarray) -> list[torch.Tensor]:
        """Items by their true lengths: what a fill would add is no part of them."""
        items = torch.from_numpy(self._source.read_rows(rows))
        lengths = self._source.lengths
        if lengths is None:
            return [items]
        return [item[None, ..., :length] for item, length in zip(items, lengths[rows], strict=True)]

    def _make(self, groups: list[torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([self._of(items) for items in groups]).numpy()

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
        assert self._embed is not None
        return self._embed(items)


def _embedder(name: str, spec: Embedding, shape: tuple[int, ...], results: Path) -> Embed:
    """What makes an embedding of items of a shape."""
    path = weights_file(results, spec.network, spec.weights)
    network_type, settings = spec.network, dict[str, Any]()
    cls = class_of(network_type)
    if cls is not None and issubclass(cls, PictureNetwork):
        settings["imagenet_normalisation"] = is_imagenet(network_type, spec.weights)
    try:
        network = build(built_as(network_type, spec.weights), shape, CLASSES, **settings)
    except ValueError as error:
        raise UserError(f"features.{name}: {error}") from None
    try:
        start_from(network, read_weights(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    network.eval()
    if spec.layer is None:
        return network.embed
    try:
        return Layer(network, spec.layer, spec.pool, fresh=CLASSES)
    except ValueError as error:
        raise UserError(f"features.{name}.layer: {error}") from None
