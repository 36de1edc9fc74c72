"""Vectors in the plane: principal components, and t-SNE."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEED = 0

COMPONENTS = 50
"""Principal components that t-SNE looks at: more are mostly noise, and slow."""

PERPLEXITY = 30
"""Of t-SNE, where there are enough items."""

FEWEST = 4
"""Items that t-SNE needs: of fewer, neighbours say nothing that PCA does not."""


@dataclass(frozen=True)
class Plane:
    """Places of items.

    Attributes
    ----------
    pca, tsne
        float64, shape (items, 2).
    shares
        Of the vectors' variance, along each axis of `pca`.
    perplexity
        Of t-SNE; None where there are too few items, and `tsne` is `pca`.
    """

    pca: np.ndarray
    tsne: np.ndarray
    shares: tuple[float, float]
    perplexity: float | None


def in_plane(vectors: np.ndarray) -> Plane:
    """Place vectors (items, size) in the plane, as their order and values alone say.

    References
    ----------
    L. van der Maaten, G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008.
    D. Kobak, P. Berens, "The art of using t-SNE for single-cell transcriptomics", Nature
    Communications 10, 2019: to begin from the principal components.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # threads add up in an order of their own
        components, shares = _principal(vectors)
        pca = components[:, :2]
        if len(vectors) < FEWEST:
            return Plane(pca, pca, shares, None)
        perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
        return Plane(pca, _tsne(components, perplexity), shares, perplexity)


def _principal(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Principal components (items, at least 2), and shares of the first two in the variance."""
    from sklearn.decomposition import PCA

    items, size = vectors.shape
    places, shares = np.zeros((items, 2)), np.zeros(2)
    values = vectors.astype(np.float64)
    values -= values.mean(axis=0)
    total = np.einsum("ij,ij->", values, values)
    if items > 1 and total > 0:
        model = PCA(min(COMPONENTS, items, size), copy=False, random_state=SEED)
        found = model.fit_transform(values)
        places = np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))
        own = (found[:, :2] ** 2).sum(axis=0) / total
        shares[: len(own)] = own
    return places, (float(shares[0]), float(shares[1]))


def _tsne(components: np.ndarray, perplexity: float) -> np.ndarray:
    from sklearn.manifold import TSNE

    spread = components[:, 0].std()
    if spread > 0:
        start = components[:, :2] / spread * 1e-4
    else:  # all items are alike, and there is nothing to begin from
        start = np.random.default_rng(SEED).normal(0, 1e-4, (len(components), 2))
    model = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=SEED)
    return model.fit_transform(components).astype(np.float64)


def drawn(labels: Sequence[str], limit: int) -> list[int]:
    """Numbers of at most `limit` items, drawn at random, each class with its share, in order.

    Of each class there is at least one, though `limit` be smaller than the number of classes.
    """
    if len(labels) <= limit:
        return list(range(len(labels)))
    random = np.random.default_rng(SEED)
    classes = np.asarray(labels, dtype=object)
    first: list[int] = []
    others: list[tuple[float, int]] = []
    for label in dict.fromkeys(labels):
        own = random.permutation(np.flatnonzero(classes == label)).tolist()
        first.append(own[0])
        others += [(rank / len(own), number) for rank, number in enumerate(own) if rank]
    rest = [number for _, number in sorted(others)][: max(0, limit - len(first))]
    return sorted(first + rest)
