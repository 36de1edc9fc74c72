"""A run of a classical classifier over a feature's items as vectors."""

import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.study.models import AnyClassifier
from deepself.training.classifiers.family import Arrays
from deepself.training.classifiers.forest import RANDOM_FOREST
from deepself.training.classifiers.kernel import RBF_SVM
from deepself.training.classifiers.linear import LINEAR_SVM, LOGISTIC_REGRESSION
from deepself.training.classifiers.neighbours import NEAREST_NEIGHBOURS
from deepself.training.classifiers.probabilities import choose_temperature, softmax
from deepself.training.data import Normaliser, Part
from deepself.training.outcome import Outcome

FAMILIES = {
    "linear_svm": LINEAR_SVM,
    "rbf_svm": RBF_SVM,
    "logistic_regression": LOGISTIC_REGRESSION,
    "random_forest": RANDOM_FOREST,
    "nearest_neighbours": NEAREST_NEIGHBOURS,
}
"""Families by the type that a study writes."""

PREFIX = "classifier."
"""Before the names of a classifier's arrays in a run's weights."""

LEARNT = ("temperature",)
"""Arrays of one number that is learnt on dev."""

CONSTANTS = (*LEARNT, "gamma", "neighbours", "classes")
"""Arrays of one number that is no parameter of the classifier."""


def run_classifier(
    spec: AnyClassifier, parts: dict[str, Part], classes: int, normaliser: Normaliser, seed: int
) -> Outcome:
    """Fit a classifier for each choice that its settings list, and keep the best on dev.

    The best is that with the highest UAR over dev's recordings; of equals, the simplest, as each
    family's module says. It predicts dev and test. Where a family gives scores, they become
    probabilities by a temperature learnt on dev: the most probable class of a row stays the one
    with the highest score; a recording's is that of the mean of its windows' probabilities.

    Parameters
    ----------
    spec
        The classifier's settings, one of the classes in `deepself.study.models`.
    parts
        The partitions, normalised.
    classes
        Number of classes.
    normaliser
        What normalised them, which is kept beside the classifier.
    seed
        Seed of what is drawn at random.

    Raises
    ------
    UserError
        The training partition lacks a class, or is smaller than all choices need.
    """
    vectors = {name: part.items.reshape(len(part.items), -1) for name, part in parts.items()}
    _require_all_classes(parts["train"].targets, classes)
    history: list[tuple] = []
    best_uar, best, arrays = -1.0, dict[str, Any](), Arrays()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unconverged fit shows in its dev UAR
        for choice, fitted, score, seconds in _choices(spec, parts, vectors, classes, seed):
            history.append((*choice.values(), score, seconds))
            if score > best_uar:
                best_uar, best, arrays = score, choice, fitted
    weights = {f"{PREFIX}{name}": array for name, array in arrays.items()}
    after = time.perf_counter()
    held = ("dev", "test")
    return Outcome(
        probabilities={name: predict(spec.type, weights, vectors[name]) for name in held},
        best=best | {name: float(arrays[name][0]) for name in LEARNT if name in arrays},
        columns=(*best, "dev_uar", "seconds"),
        history=history,
        parameters=sum(array.size for name, array in arrays.items() if name not in CONSTANTS),
        weights=weights | normaliser.arrays(),
        seconds={
            "train": sum(seconds for *_, seconds in history),
            "predict": time.perf_counter() - after,
        },
    )


def _choices(
    spec: AnyClassifier,
    parts: dict[str, Part],
    vectors: dict[str, np.ndarray],
    classes: int,
    seed: int,
) -> Iterator[tuple[dict[str, Any], Arrays, float, float]]:
    """Each choice, what was fitted so, its UAR on dev, and the seconds that it took."""
    family, dev = FAMILIES[spec.type], parts["dev"]
    start = time.perf_counter()
    for choice, arrays in family.fit(spec, vectors["train"], parts["train"].targets, classes, seed):
        found = family.decide(arrays, vectors["dev"])
        if family.scores:
            temperature = choose_temperature(found, dev.targets)
            arrays["temperature"] = np.array([temperature])
            found = softmax(found / temperature)
        score = uar(dev.labels, dev.by_recording(found).argmax(axis=1), classes)
        now = time.perf_counter()
        yield choice, arrays, score, now - start
        start = now


def predict(type: str, weights: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Probabilities of a run's classifier, by NumPy alone.

    Parameters
    ----------
    type
        The classifier's type.
    weights
        A run's weights.
    vectors
        Normalised vectors (items, features).

    Returns
    -------
    numpy.ndarray
        float64 (items, classes).
    """
    arrays = {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
    found = FAMILIES[type].decide(arrays, vectors)
    return softmax(found / arrays["temperature"][0]) if "temperature" in arrays else found


def _require_all_classes(targets: np.ndarray, classes: int) -> None:
    missing = np.setdiff1d(np.arange(classes), targets)
    if len(missing):
        raise UserError(
            f"the training partition has items of {classes - len(missing)} of {classes} classes "
            "only; a classifier needs all"
        )
