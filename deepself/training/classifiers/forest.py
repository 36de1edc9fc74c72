"""Random forest, its trees side by side.

It leaves, of all nodes of all trees, the `features` (nodes,) that they ask for (-1 for a leaf), the
`thresholds` up to which an item goes to `left` and beyond which to `right` (numbers of nodes), and
in which row of `shares` (kinds, classes) a leaf's shares of the classes stand (`kinds`); `roots`
(trees,) are the nodes at which the trees begin. Of equals on dev, the largest leaves are the
simplest.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepself.study.models import RandomForest
from deepself.training.classifiers.family import Arrays, Family, Fits, in_parts, smoothed

LEAF = -1


def decide(arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Probabilities (items, classes) in float64 of vectors (items, features)."""
    trees, classes = len(arrays["roots"]), arrays["shares"].shape[1]

    def shares(part: np.ndarray) -> np.ndarray:
        kinds = arrays["kinds"][_leaves(arrays, part)]
        return smoothed(arrays["shares"][kinds].mean(axis=1), trees)

    return in_parts(shares, vectors, trees * (classes + 8))


def _leaves(arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Nodes at which the items' ways through the trees end: (items, trees)."""
    vectors = np.asarray(vectors, dtype=np.float32)  # as scikit-learn compares
    trees = len(arrays["roots"])
    nodes = np.tile(arrays["roots"], len(vectors))
    items = np.repeat(np.arange(len(vectors)), trees)
    under_way = np.arange(len(nodes))
    while True:
        under_way = under_way[arrays["features"][nodes[under_way]] != LEAF]
        if not len(under_way):
            return nodes.reshape(-1, trees)
        at = nodes[under_way]
        asked = vectors[items[under_way], arrays["features"][at]]
        to_left = asked <= arrays["thresholds"][at]
        nodes[under_way] = np.where(to_left, arrays["left"][at], arrays["right"][at])


def _fit(
    spec: RandomForest, vectors: np.ndarray, targets: np.ndarray, classes: int, seed: int
) -> Fits:
    from sklearn.ensemble import RandomForestClassifier
    from torch import get_num_threads

    settings = {"class_weight": "balanced", "random_state": seed}
    for leaf in sorted(spec.leaf, reverse=True):
        # The number of threads, which is the run's, changes nothing in the trees.
        forest = RandomForestClassifier(
            spec.trees, min_samples_leaf=leaf, n_jobs=get_num_threads(), **settings
        )
        forest.fit(vectors, targets)
        yield {"leaf": leaf}, _flattened([tree.tree_ for tree in forest.estimators_])


def _flattened(trees: list[Any]) -> Arrays:
    """One table of the nodes of all trees."""
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    shift = np.repeat(roots, sizes)
    left, right, features, thresholds = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    values = np.concatenate([tree.value[:, 0, :] for tree in trees])
    is_leaf = left < 0
    shares = values[is_leaf] / values[is_leaf].sum(axis=1, keepdims=True)
    # Most leaves hold one class only: each mixture is kept once.
    shares, kinds = np.unique(shares, axis=0, return_inverse=True)
    of_node = np.zeros(len(left), dtype=np.int32)
    of_node[is_leaf] = kinds.ravel()
    return {
        "roots": roots.astype(np.int32),
        "features": np.where(is_leaf, LEAF, features).astype(np.int32),
        "thresholds": thresholds,
        "left": np.where(is_leaf, 0, left + shift).astype(np.int32),
        "right": np.where(is_leaf, 0, right + shift).astype(np.int32),
        "kinds": of_node,
        "shares": shares,
    }


RANDOM_FOREST = Family(_fit, decide, scores=False)
