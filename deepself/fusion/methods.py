"""Each method of fusion, with all that it learns from dev."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deepself.fusion import rules
from deepself.fusion.combine import Dev
from deepself.fusion.greedy import pick
from deepself.fusion.stacking import Stacked, stack
from deepself.fusion.weights import given_weights, learn_weights
from deepself.study.fusions import Greedy, Method, Stacking, WeightedMean

FIXED = {
    "mean": rules.mean,
    "geometric_mean": rules.geometric_mean,
    "maximum": rules.maximum,
    "majority_vote": rules.majority_vote,
    "borda": rules.borda,
}
"""Methods that learn nothing."""


@dataclass(frozen=True)
class Learnt:
    """A method, ready to combine.

    Attributes
    ----------
    combine
        Probabilities (candidates, items, classes) in, (items, classes) out.
    weights
        Of the candidates, with sum 1; None where they have none.
    record
        What else was decided.
    """

    combine: Callable[[np.ndarray], np.ndarray]
    weights: np.ndarray | None = None
    record: dict[str, Any] = field(default_factory=dict)


def learn(
    method: Method,
    dev: Dev,
    names: Sequence[str],
    classes: Sequence[str],
    given: Sequence[float] | None = None,
) -> Learnt:
    """Learn from dev all that a method needs.

    Parameters
    ----------
    method
        Its settings.
    dev
        What the candidates say of dev, and what is true.
    names, classes
        Of the candidates, and of the classes.
    given
        Weight of each candidate, where the study gives them.

    Raises
    ------
    UserError
        If all given weights are 0.
    """
    if isinstance(method, Stacking):
        stacked = stack(dev, method.complexity)
        record = {
            "complexity": stacked.complexity,
            "classes": [classes[place] for place in stacked.present],
            "coefficients": stacked.coefficients.tolist(),
            "intercepts": stacked.intercepts.tolist(),
        }
        return Learnt(stacked.combine, None, {"stacking": record})
    if isinstance(method, Greedy):
        picks = pick(dev, method.rounds, method.initial)
        record = {
            "picks": [names[place] for place in picks.order],
            "counts": {n: c for n, c in zip(names, picks.counts.tolist(), strict=True) if c},
        }
        return _weighted(picks.weights, record)
    if isinstance(method, WeightedMean):
        return _weighted(learn_weights(dev) if given is None else given_weights(given))
    return Learnt(FIXED[method.type])


def recalled(record: Mapping[str, Any], names: Sequence[str], classes: Sequence[str]) -> Learnt:
    """A method as a fusion's record says that it was learnt.

    Parameters
    ----------
    record
        The content of `fusion.json`: `method`, and `weights`, `stacking` where it has them.
    names, classes
        Of the candidates that were chosen, and of the classes.

    Raises
    ------
    ValueError
        It is no such record.
    """
    method = record["method"]
    if method in FIXED:
        return Learnt(FIXED[method])
    try:
        if method != "stacking":
            weights = np.array([record["weights"][name] for name in names], dtype=np.float64)
            return _weighted(weights)
        own = record["stacking"]
        stacked = Stacked(
            np.array([classes.index(label) for label in own["classes"]], dtype=np.int64),
            np.array(own["coefficients"], dtype=np.float64),
            np.array(own["intercepts"], dtype=np.float64),
            float(own["complexity"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"says nothing that a fusion by {method} could be made of") from None
    wanted = (len(stacked.present), len(names) * len(classes)), (len(stacked.present),)
    if (stacked.coefficients.shape, stacked.intercepts.shape) != wanted:
        raise ValueError("has coefficients of other members or classes")
    return Learnt(stacked.combine)


def _weighted(weights: np.ndarray, record: dict[str, Any] | None = None) -> Learnt:
    return Learnt(lambda given: rules.weighted_mean(given, weights), weights, record or {})
