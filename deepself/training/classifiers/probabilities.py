"""Probabilities from scores: a softmax, at a temperature learnt on dev."""

import numpy as np

TEMPERATURES = np.geomspace(0.01, 100, 81)
"""Where the temperature of the probabilities is looked for."""


def choose_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the lowest log loss, for scores (items, classes).

    Scores say which class is the most probable, not how probable: they are divided by a temperature
    before the softmax (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section
    4.2). The order of the classes stays.

    Where all items are right, the loss would fall without end towards certainty. Of n items and two
    more, one is taken to be wrong, by Laplace's rule of succession; Platt ("Probabilistic Outputs
    for Support Vector Machines", 1999, section 2.2) softens his targets so.
    """
    items, classes = scores.shape
    wrong = 1 / (items + 2)
    wanted = np.full(scores.shape, wrong / (classes - 1))
    wanted[np.arange(items), targets] = 1 - wrong
    losses = [-(wanted * _log_softmax(scores / t)).sum(axis=1).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (items, classes) of scores, in float64."""
    return np.exp(_log_softmax(scores))


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
