"""Weights of a weighted mean: those that the study gives, or those that fit dev best."""

from collections.abc import Sequence

import numpy as np

from deepself.errors import UserError
from deepself.fusion.combine import Dev
from deepself.fusion.rules import LEAST, softmax

ITERATIONS = 2000

NEGLIGIBLE = 1e-6
"""Weights below it are 0: a softmax comes near to that, and never there."""


def given_weights(candidates: Sequence[float] | np.ndarray) -> np.ndarray:
    """Weights of the candidates brought to a sum of 1.

    Raises
    ------
    UserError
        If all are 0.
    """
    weights = np.array(candidates, dtype=np.float64)
    if not weights.any():
        raise UserError("all members that were chosen have the weight 0; give one of them more")
    return weights / weights.sum()


def learn_weights(dev: Dev) -> np.ndarray:
    """Weights (candidates,) of at least 0, with sum 1, that have the lowest log loss on dev.

    The loss of a weighted mean is convex in its weights. They are the softmax of free numbers,
    which L-BFGS moves from equal weights on: the same dev gives the same weights.
    """
    from scipy.optimize import minimize

    of_true = dev.probabilities[:, np.arange(len(dev.true)), dev.true]

    def loss(free: np.ndarray) -> tuple[float, np.ndarray]:
        weights = softmax(free)
        mixed = np.maximum(weights @ of_true, LEAST)
        slope = -(of_true / mixed).mean(axis=1)
        return float(-np.log(mixed).mean()), weights * (slope - weights @ slope)

    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 1e-14, "gtol": 1e-9}
    start = np.zeros(len(of_true))
    weights = softmax(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)
    return given_weights(np.where(weights < NEGLIGIBLE, 0, weights))
