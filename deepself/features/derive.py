"""Features that are made from another feature: pictures of spectral images, and embeddings."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself import signal
from deepself.errors import UserError
from deepself.features.transforms import Axes
from deepself.networks import build
from deepself.networks.base import Network
from deepself.store.feature_writer import Batch
from deepself.store.features import FeatureFile
from deepself.store.published import is_imagenet, weights_file
from deepself.store.weights import read_weights
from deepself.study.features import Derived, Embedding, Rendered

ROWS = 16
"""Windows of a recording read and made at once."""


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
    samples
        Length to which the source's recordings were brought, which shapes what is made of them.
    """

    axes = Axes()

    def __init__(self, name: str, spec: Derived, source: Path, results: Path):
        self._name, self._spec = name, spec
        self._source = FeatureFile(source)
        self.samples: int | None = self._source.specification["samples"]
        self._network = None
        if isinstance(spec, Embedding):
            self._network = _network(spec, self._source.shape, results)

    def make(self, recording: str) -> Batch:
        """Items of one recording."""
        rows = self._source.rows([recording])
        parts = np.array_split(rows, -(-len(rows) // ROWS))
        try:
            items = np.concatenate([self._make(self._read(part)) for part in parts])
        except ValueError as error:
            raise UserError(f"features.{self._name}: {recording}: {error}") from None
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
        assert self._network is not None
        return self._network.embed(items)


def _network(spec: Embedding, shape: tuple[int, ...], results: Path) -> Network:
    path = weights_file(results, spec.network, spec.weights)
    imagenet = is_imagenet(spec.network, spec.weights)
    settings: dict[str, Any] = {"imagenet_normalisation": True} if imagenet else {}
    try:
        network = build(spec.network, shape, classes=2, **settings)
        network.load_pretrained(read_weights(path))  # type: ignore[operator]
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return network.eval()
