"""Linear classifiers: a support vector machine, and logistic regression.

They leave `coefficients` (classes, features) and `intercepts` (classes,); of two classes a row
only, the second's. Of equals on dev, the least C is the simplest: the strongest penalty.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deepself.study.models import LinearSVM, LogisticRegression
from deepself.training.classifiers.family import Family, Fits, a_class_each

ITERATIONS = 20_000
"""Most iterations of a fit; one that has not converged shows in its dev UAR."""


def decide(arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Scores (items, classes) in float64 of vectors (items, features)."""
    scores = vectors @ arrays["coefficients"].T + arrays["intercepts"]
    return a_class_each(scores.astype(np.float64))


def _fit_svm(
    spec: LinearSVM, vectors: np.ndarray, targets: np.ndarray, classes: int, seed: int
) -> Fits:
    """One class against the rest, squared hinge loss."""
    from sklearn.svm import LinearSVC

    def make(complexity: float) -> Any:
        return LinearSVC(
            C=complexity,
            class_weight="balanced",
            random_state=seed,
            max_iter=ITERATIONS,
            dual="auto",
        )

    return _fit(make, spec.complexity, vectors, targets)


def _fit_regression(
    spec: LogisticRegression, vectors: np.ndarray, targets: np.ndarray, classes: int, seed: int
) -> Fits:
    """All classes together, by their softmax."""
    from sklearn.linear_model import LogisticRegression as Regression

    def make(complexity: float) -> Any:
        return Regression(C=complexity, class_weight="balanced", max_iter=ITERATIONS)

    return _fit(make, spec.complexity, vectors, targets)


def _fit(
    make: Callable[[float], Any],
    complexities: list[float],
    vectors: np.ndarray,
    targets: np.ndarray,
) -> Fits:
    for complexity in sorted(complexities):
        fitted = make(complexity).fit(vectors, targets)
        arrays = {
            "coefficients": np.ascontiguousarray(fitted.coef_, dtype=np.float64),
            "intercepts": fitted.intercept_.astype(np.float64),
        }
        yield {"complexity": complexity}, arrays


LINEAR_SVM = Family(_fit_svm, decide, scores=True)
LOGISTIC_REGRESSION = Family(_fit_regression, decide, scores=True)
