"""Embeddings: what a pretrained network makes of another feature, cached like any feature."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself.errors import UserError
from deepself.features.transforms import Axes
from deepself.networks import build
from deepself.store.features import FeatureFile
from deepself.store.published import is_imagenet, weights_file
from deepself.store.weights import read_weights
from deepself.study.features import Embedding

BATCH = 16
"""Items embedded at once."""


def embed(
    spec: Embedding, source: Path, results: Path
) -> tuple[list[str], Iterator[np.ndarray], Axes]:
    """Embed every item of a feature file.

    Returns
    -------
    ids
        Names of the items.
    batches
        float32 arrays of shape (batch, embedding size), in the order of the ids.
    axes
        None: an embedding has neither rows of frequencies nor time.
    """
    with FeatureFile(source) as feature:
        ids, shape = feature.ids, feature.shape
    path = weights_file(results, spec.network, spec.weights)
    imagenet = is_imagenet(spec.network, spec.weights)
    settings: dict[str, Any] = {"imagenet_normalisation": True} if imagenet else {}
    try:
        network = build(spec.network, shape, classes=2, **settings)
        network.load_pretrained(read_weights(path))  # type: ignore[operator]
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return ids, _batches(network.eval(), source), Axes()


def _batches(network: torch.nn.Module, source: Path) -> Iterator[np.ndarray]:
    with FeatureFile(source) as feature, torch.inference_mode():
        for start in range(0, len(feature.ids), BATCH):
            items = torch.from_numpy(feature.read(feature.ids[start : start + BATCH]))
            yield network.embed(items).numpy()  # type: ignore[operator]
