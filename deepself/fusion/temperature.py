"""A temperature a candidate: what its probabilities are worth on dev.

C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. Logits are known
up to a constant of each item by the logarithms of the probabilities, which is all that a softmax
needs.
"""

import numpy as np

from deepself.fusion.combine import Dev
from deepself.fusion.rules import logarithms, softmax

BOUNDS = (0.1, 10.0)
"""Where temperatures are looked for: where all of dev is right, the loss has no lowest point."""


def learn_temperatures(dev: Dev) -> np.ndarray:
    """The temperature (candidates,) of each candidate with its lowest log loss on dev."""
    return np.array([_learn(one, dev.true) for one in dev.probabilities])


def at_temperatures(probabilities: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Probabilities (candidates, items, classes), each candidate's at its temperature."""
    logits = logarithms(probabilities)
    logits /= temperatures[:, None, None]
    return softmax(logits)


def _learn(probabilities: np.ndarray, true: np.ndarray) -> float:
    from scipy.optimize import minimize_scalar

    logits = logarithms(probabilities)
    logits -= logits.max(axis=1, keepdims=True)
    of_true = logits[np.arange(len(true)), true].mean()

    # Convex in 1 / temperature, so there is one lowest point, whatever the scale.
    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.log(np.exp(factor * logits).sum(axis=1)).mean() - factor * of_true)

    bounds = np.log(BOUNDS)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))
