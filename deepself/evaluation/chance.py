"""What chance reaches: systems that look at no recording."""

import numpy as np

from deepself.evaluation.scoring import decision_scores

DRAWS = 2000
"""Times that the random guesser guesses."""


def majority(priors: np.ndarray, rows: int) -> np.ndarray:
    """Probabilities of whoever knows the training partition's classes alone.

    Parameters
    ----------
    priors
        Share of each class, shape (classes,).
    rows
        How many items are predicted.

    Returns
    -------
    numpy.ndarray
        Shape (rows, classes), all rows alike: the decision is the most frequent class.
    """
    return np.tile(priors, (rows, 1))


def random_scores(
    true: np.ndarray, priors: np.ndarray, rng: np.random.Generator, draws: int = DRAWS
) -> np.ndarray:
    """Scores of guesses drawn as often as each class is in the training partition.

    Parameters
    ----------
    true
        Class indices, shape (items,).
    priors
        Share of each class, shape (classes,).
    rng
        Draws the guesses.
    draws
        How often all items are guessed.

    Returns
    -------
    numpy.ndarray
        Shape (draws, scores): `deepself.evaluation.scoring.DECIDED`. There are no others, since
        a guess is no probability.
    """
    items = np.bincount(true, minlength=len(priors))
    # Guesses of the items of a class do not depend on each other: their counts are multinomial.
    counts = np.stack([rng.multinomial(number, priors, draws) for number in items], axis=1)
    held = np.tile(items, (draws, 1)).astype(np.float64)
    said, hits = counts.sum(axis=1), np.diagonal(counts, axis1=1, axis2=2)
    return decision_scores(held, said.astype(np.float64), hits.astype(np.float64))
