"""The classes of the nearest training items, by Euclidean distance.

It leaves the training `vectors` (items, features), their `targets` (items,), the number of
`neighbours` and that of `classes`. Each neighbour has one vote, whatever its class's share of the
training partition and its distance. Of equals on dev, the most neighbours are the simplest: the
smoothest boundary.
"""

from collections.abc import Mapping

import numpy as np

from deepself.errors import UserError
from deepself.study.models import NearestNeighbours
from deepself.training.classifiers.family import Family, Fits, in_parts, smoothed
from deepself.training.classifiers.kernel import squared_distances


def decide(arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Probabilities (items, classes) in float64 of vectors (items, features)."""
    known, neighbours = arrays["vectors"], int(arrays["neighbours"][0])
    votes = np.eye(int(arrays["classes"][0]))[arrays["targets"]]

    def shares(part: np.ndarray) -> np.ndarray:
        distances = squared_distances(part, known)
        nearest = np.argpartition(distances, neighbours - 1, axis=1)[:, :neighbours]
        return smoothed(votes[nearest].mean(axis=1), neighbours)

    return in_parts(shares, vectors, 2 * len(known) + neighbours * votes.shape[1])


def _fit(
    spec: NearestNeighbours, vectors: np.ndarray, targets: np.ndarray, classes: int, seed: int
) -> Fits:
    fitting = [count for count in sorted(spec.neighbours, reverse=True) if count <= len(vectors)]
    if not fitting:
        least = min(spec.neighbours)
        raise UserError(
            f"classifier.neighbours: at least {least}, but the training partition has only "
            f"{len(vectors)} items"
        )
    for count in fitting:
        arrays = {
            "vectors": vectors,
            "targets": targets.astype(np.int32),
            "neighbours": np.array([count]),
            "classes": np.array([classes]),
        }
        yield {"neighbours": count}, arrays


NEAREST_NEIGHBOURS = Family(_fit, decide, scores=False)
