"""What every family of classifiers is."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]
"""All that a fitted classifier needs to predict."""

Fits = Iterator[tuple[dict[str, Any], Arrays]]
"""What was chosen from the settings' lists, and the classifier fitted so; the simplest first."""


class Family(NamedTuple):
    """One family of classifiers.

    Attributes
    ----------
    fit
        From the settings, vectors (items, features), the index of each one's class, the number of
        classes, and a seed: a classifier for each choice, the simplest first. Every class has
        items.
    decide
        From such arrays and vectors (items, features): float64 (items, classes), scores or
        probabilities.
    scores
        Whether they are scores, which a temperature turns into probabilities.
    """

    fit: Callable[[Any, np.ndarray, np.ndarray, int, int], Fits]
    decide: Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]
    scores: bool


def a_class_each(scores: np.ndarray) -> np.ndarray:
    """Scores (items, classes), where for two classes there is only the second's against the first.

    Half of it for the one, half against the other: the softmax of both is the logistic function of
    the one score.
    """
    return np.concatenate([-scores, scores], axis=1) / 2 if scores.shape[1] == 1 else scores


def smoothed(shares: np.ndarray, votes: int) -> np.ndarray:
    """Probabilities (items, classes) from shares of so many votes, none of them 0 or 1.

    As if there were one vote more, for all classes alike; the order of the classes stays.
    """
    return (votes * shares + 1 / shares.shape[1]) / (votes + 1)


def in_parts(
    decide: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray, values: int
) -> np.ndarray:
    """Decide on so many items at once that the memory between stays some 100 MB.

    Parameters
    ----------
    decide
        Gives (items, classes) of vectors (items, features).
    vectors
        All vectors.
    values
        Numbers that it holds at once for an item.
    """
    rows = max(1, 2**24 // max(values, 1))
    parts = [decide(vectors[start : start + rows]) for start in range(0, len(vectors), rows)]
    return np.concatenate(parts)
