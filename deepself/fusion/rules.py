"""Rules that combine probabilities without learning anything.

All take probabilities of shape (candidates, items, classes) and return (items, classes), whose rows
sum to 1. What products, votes and ranks do is compared in J. Kittler et al., "On Combining
Classifiers", IEEE PAMI 20(3), 1998.
"""

import numpy as np

LEAST = np.finfo(np.float64).eps
"""Probabilities below it count as it: the logarithm of 0 is no number."""

NUDGE = 1e-6
"""Share that the mean of the probabilities has where votes or ranks are tied, to settle that."""


def mean(probabilities: np.ndarray) -> np.ndarray:
    """Mean of the probabilities."""
    return probabilities.mean(axis=0)


def weighted_mean(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the probabilities, by weights (candidates,) that sum to 1."""
    return np.tensordot(weights, probabilities, axes=1)


def geometric_mean(probabilities: np.ndarray) -> np.ndarray:
    """Geometric mean of the probabilities, renormalised: the logarithmic opinion pool.

    A class that one candidate excludes is not excluded by that: zeros count as `LEAST`
    (C. Genest, J. V. Zidek, "Combining Probability Distributions: A Critique and an Annotated
    Bibliography", Statistical Science 1(1), 1986).
    """
    return softmax(logarithms(probabilities).mean(axis=0))


def maximum(probabilities: np.ndarray) -> np.ndarray:
    """Highest probability of each class, renormalised."""
    highest = probabilities.max(axis=0)
    return highest / highest.sum(axis=1, keepdims=True)


def majority_vote(probabilities: np.ndarray) -> np.ndarray:
    """Share of the candidates that decide for each class.

    Where several classes have the most votes, the mean of the probabilities settles which of them
    is the most probable; votes move by `NUDGE` of it and no more.
    """
    classes = np.arange(probabilities.shape[2])
    votes = (probabilities.argmax(axis=2)[..., None] == classes).sum(axis=0)
    return _settled(votes, votes / len(probabilities), probabilities)


def borda(probabilities: np.ndarray) -> np.ndarray:
    """Mean rank of each class, the least probable 0, brought to a sum of 1 (J.-C. de Borda, 1781).

    Equally probable classes share the mean of their ranks. Classes whose mean rank is the same and
    the highest are settled as in `majority_vote`.
    """
    points = np.zeros(probabilities.shape[1:])
    for one in probabilities:
        points += 2 * ranks(one)  # twice, so that they are whole
    return _settled(points, points / points.sum(axis=1, keepdims=True), probabilities)


def ranks(probabilities: np.ndarray) -> np.ndarray:
    """Rank of each class in each row of (items, classes), from 0; equal ones share their mean."""
    order = np.argsort(probabilities, axis=1, kind="stable")
    ascending = np.take_along_axis(probabilities, order, axis=1)
    place = np.broadcast_to(np.arange(order.shape[1]), order.shape)
    new = np.ones(order.shape, bool)
    new[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    last = np.ones(order.shape, bool)
    last[:, :-1] = new[:, 1:]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    final = np.where(last, place, order.shape[1])
    final = np.minimum.accumulate(final[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(order.shape)
    np.put_along_axis(found, order, (first + final) / 2, axis=1)
    return found


def logarithms(probabilities: np.ndarray, least: float = LEAST) -> np.ndarray:
    """Natural logarithms, of at least `least`."""
    return np.log(np.maximum(probabilities, least))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of scores, along the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _settled(counts: np.ndarray, shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Shares, moved a little towards the mean where the highest of the whole counts are equal."""
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    moved = shares.astype(np.float64)
    moved[tied] = (1 - NUDGE) * shares[tied] + NUDGE * probabilities[:, tied].mean(axis=0)
    return moved
