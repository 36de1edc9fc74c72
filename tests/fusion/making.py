"""Predictions for tests, made up or spoilt."""

from dataclasses import replace

import numpy as np

from deepself.fusion.combine import Dev
from deepself.store.files import read_table
from deepself.store.predictions import Predictions, read_predictions, write_predictions
from deepself.study import load

CLASSES = ("a", "b", "c")

METHODS = {
    "mean": "mean",
    "geometric_mean": "geometric_mean",
    "maximum": "maximum",
    "majority_vote": "majority_vote",
    "borda": "borda",
    "weighted_mean": "weighted_mean",
    "stacking": "{type: stacking, complexity: [0.01, 1]}",
    "greedy": "{type: greedy, rounds: 10, initial: 2}",
}
"""One setting of each method, as the study writes it."""


def made(seed, items=20):
    """Predictions of dev and test, item by item in turn."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), items)
    ids = np.array([f"i{i}" for i in range(items)], dtype=object)
    labels = np.array([CLASSES[i % 3] for i in range(items)], dtype=object)
    partition = np.array(["dev", "test"] * (items // 2), dtype=object)
    return Predictions(partition, ids, labels, CLASSES, probabilities)


def skilled(seed, candidates=5, items=60, classes=3, groups=None):
    """Dev of candidates that are right more or less often, and each wrong in its own way."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, items)
    scores = rng.normal(0, 1, (candidates, items, classes))
    scores[:, np.arange(items), true] += rng.uniform(0.2, 2, (candidates, 1))
    raised = np.exp(scores * rng.uniform(0.5, 3, (candidates, 1, 1)))
    return Dev(raised / raised.sum(axis=2, keepdims=True), true, groups)


def loaded(tree, *overrides):
    """The study of a tree with some settings overridden."""
    return load(tree.path, overrides)


def spoil_test(tree, fold, seed=0):
    """Shuffle labels and probabilities of the test partition of every run of a fold."""
    rng = np.random.default_rng(9)
    order = None
    for model in tree.study.models:
        path = tree.layout.run(model, fold, seed) / "predictions.csv"
        p = read_predictions(path)
        test = np.flatnonzero(p.partition == "test")
        order = rng.permutation(len(test)) if order is None else order  # labels stay common
        labels, probabilities = p.labels.copy(), p.probabilities.copy()
        labels[test] = labels[test][order]
        probabilities[test] = rng.dirichlet(np.ones(len(p.classes)), len(test))
        write_predictions(path, replace(p, labels=labels, probabilities=probabilities))


def partitions(tree, fold):
    """Partition of each item in a fold, by id."""
    return {row["id"]: row[f"fold-{fold}"] for row in read_table(tree.layout.folds)}
