"""A run of a classical classifier over a feature's items as vectors."""

import time
import warnings
from typing import Any

import numpy as np

from deepself.evaluation.metrics import uar
from deepself.study.models import LinearSVM
from deepself.training.data import Normaliser, Part
from deepself.training.outcome import Outcome

HISTORY = ("complexity", "dev_uar", "seconds")
"""Columns of a classifier's history."""

TEMPERATURES = np.geomspace(0.01, 100, 81)
"""Where the temperature of the probabilities is looked for."""


def run_classifier(
    spec: LinearSVM, parts: dict[str, Part], classes: int, normaliser: Normaliser, seed: int
) -> Outcome:
    """Fit a linear SVM for each complexity, keep the best on dev, and predict dev and test.

    A linear SVM gives scores, not probabilities: they are divided by a temperature, learnt on dev
    by its log loss, before the softmax (Guo et al., "On Calibration of Modern Neural Networks",
    ICML 2017, section 4.2). The most probable class of a row stays the one with the highest score;
    a recording's is that of the mean of its windows' probabilities.
    """
    from sklearn.svm import LinearSVC

    vectors = {name: part.items.reshape(len(part.items), -1) for name, part in parts.items()}
    history, best_uar, best, temperature = [], -1.0, None, 1.0
    for complexity in sorted(spec.complexity):  # of equals, the simplest
        start = time.perf_counter()
        svm = LinearSVC(
            C=complexity, class_weight="balanced", random_state=seed, max_iter=20_000, dual="auto"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unconverged fit shows in its dev UAR
            svm.fit(vectors["train"], parts["train"].targets)
        on_dev = _scores(svm, vectors["dev"], classes)
        learnt = choose_temperature(on_dev, parts["dev"].targets)
        found = parts["dev"].by_recording(softmax(on_dev / learnt))
        score = uar(parts["dev"].labels, found.argmax(axis=1), classes)
        history.append((complexity, score, time.perf_counter() - start))
        if score > best_uar:
            best_uar, best, temperature = score, svm, learnt
    assert best is not None
    after = time.perf_counter()
    scores = {name: _scores(best, vectors[name], classes) for name in ("dev", "test")}
    return Outcome(
        probabilities={name: softmax(value / temperature) for name, value in scores.items()},
        best={"complexity": best.C, "temperature": temperature},
        columns=HISTORY,
        history=history,
        parameters=best.coef_.size + best.intercept_.size,
        weights={
            "svm.coefficients": best.coef_,
            "svm.intercepts": best.intercept_,
            "svm.temperature": np.array([temperature]),
            **normaliser.arrays(),
        },
        seconds={
            "train": sum(seconds for *_, seconds in history),
            "predict": time.perf_counter() - after,
        },
    )


def choose_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the lowest log loss, for scores (items, classes)."""
    losses = [
        -np.log(np.maximum(softmax(scores / t)[np.arange(len(targets)), targets], 1e-300)).mean()
        for t in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (items, classes) of scores, in float64."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _scores(svm: Any, vectors: np.ndarray, classes: int) -> np.ndarray:
    """One score a class; for two classes scikit-learn gives only the second's."""
    found = svm.decision_function(vectors).astype(np.float64)
    if found.ndim == 1:
        found = np.stack([-found, found], axis=1) / 2
    scores = np.full((len(vectors), classes), -np.inf)
    scores[:, svm.classes_] = found
    return scores
