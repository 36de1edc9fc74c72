"""Support vector machine with a Gaussian kernel, one class against the rest.

It leaves the support `vectors` (supports, features) of all classes, their `coefficients` (classes,
supports), `intercepts` (classes,) and `gamma`; of two classes a row only, the second's. Of equals
on dev, the least gamma is the simplest, of these the least C: the smoothest boundary.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepself.study.models import RBFSVM
from deepself.training.classifiers.family import Arrays, Family, Fits, a_class_each, in_parts

AT_ONCE = 6000
"""Most training items of which all similarities are held in memory (0.3 GB), for all fits."""

ITERATIONS = 10**6
"""Most iterations of a fit; one that has not converged shows in its dev UAR."""


def similarities(ones: np.ndarray, others: np.ndarray, gamma: float) -> np.ndarray:
    """Kernel exp(-gamma |x - y|²) of (n, features) and (m, features): float64 (n, m)."""
    found = squared_distances(ones, others)
    found *= -gamma
    return np.exp(found, out=found)


def squared_distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """|x - y|² of (n, features) and (m, features): float64 (n, m)."""
    ones, others = ones.astype(np.float64), others.astype(np.float64)
    found = ones @ others.T
    found *= -2
    found += np.square(ones).sum(axis=1)[:, None]
    found += np.square(others).sum(axis=1)
    return np.maximum(found, 0, out=found)


def decide(arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Scores (items, classes) in float64 of vectors (items, features)."""
    supports, gamma = arrays["vectors"], float(arrays["gamma"][0])

    def scores(part: np.ndarray) -> np.ndarray:
        found = similarities(part, supports, gamma) @ arrays["coefficients"].T
        return a_class_each(found + arrays["intercepts"])

    return in_parts(scores, vectors, len(supports) + vectors.shape[1])


def _fit(spec: RBFSVM, vectors: np.ndarray, targets: np.ndarray, classes: int, seed: int) -> Fits:
    variance = float(vectors.var(dtype=np.float64)) or 1.0
    for multiple in sorted(spec.gamma):
        gamma = multiple / (vectors.shape[1] * variance)
        few = len(vectors) <= AT_ONCE
        known = similarities(vectors, vectors, gamma) if few else None
        for complexity in sorted(spec.complexity):
            settings = {"C": complexity, "gamma": gamma, "class_weight": "balanced"}
            machines = _fit_each(settings, vectors, known, targets, classes)
            yield {"complexity": complexity, "gamma": multiple}, _joined(machines, vectors, gamma)


def _fit_each(
    settings: dict[str, Any],
    vectors: np.ndarray,
    known: np.ndarray | None,
    targets: np.ndarray,
    classes: int,
) -> list[Any]:
    """A machine a class, against all others; of two classes the second's only."""
    from sklearn.svm import SVC

    kernel = "rbf" if known is None else "precomputed"
    read = vectors if known is None else known
    own = range(classes) if classes > 2 else [1]
    return [
        SVC(kernel=kernel, max_iter=ITERATIONS, **settings).fit(read, targets == one) for one in own
    ]


def _joined(machines: list[Any], vectors: np.ndarray, gamma: float) -> Arrays:
    """One table of support vectors for all classes."""
    used = np.unique(np.concatenate([machine.support_ for machine in machines]))
    coefficients = np.zeros((len(machines), len(used)))
    for row, machine in zip(coefficients, machines, strict=True):
        row[np.searchsorted(used, machine.support_)] = machine.dual_coef_[0]
    return {
        "vectors": vectors[used],
        "coefficients": coefficients,
        "intercepts": np.array([machine.intercept_[0] for machine in machines]),
        "gamma": np.array([gamma]),
    }


RBF_SVM = Family(_fit, decide, scores=True)
