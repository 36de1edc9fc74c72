"""Stacking: a logistic regression learns on dev what the members' probabilities mean.

D. H. Wolpert, "Stacked Generalization", Neural Networks 5(2), 1992; on probabilities, K. M. Ting,
I. H. Witten, "Issues in Stacked Generalization", JAIR 10, 1999.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepself.evaluation.metrics import uar
from deepself.fusion.combine import Dev
from deepself.fusion.rules import LEAST, logarithms, softmax

CLIP = 1e-6
"""Probabilities below it count as it: beyond, their logarithms would drown all others."""

PARTS = 5
"""Parts of dev that are left out in turn, at most."""

ITERATIONS = 1000


@dataclass(frozen=True)
class Stacked:
    """A fitted regression.

    Attributes
    ----------
    present
        Indices of the classes that it has seen.
    coefficients, intercepts
        Shapes (present, inputs), (present,): inputs are candidates × classes.
    complexity
        C, the inverse of the strength of the L2 penalty.
    """

    present: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    complexity: float

    def combine(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (items, classes) of those of all candidates.

        Of classes that dev lacks, nothing was learnt: they keep the mean of the candidates'
        probabilities, and the others share the rest.
        """
        fused = probabilities.mean(axis=0)
        rest = fused[:, self.present].sum(axis=1, keepdims=True)
        scores = inputs(probabilities) @ self.coefficients.T + self.intercepts
        fused[:, self.present] = rest * softmax(scores)
        return fused


def inputs(probabilities: np.ndarray) -> np.ndarray:
    """What the regression reads, (items, candidates × classes), of (candidates, items, classes)."""
    return np.concatenate(list(logarithms(probabilities, CLIP)), axis=1)


def stack(dev: Dev, complexities: Sequence[float]) -> Stacked:
    """Fit the regression on dev.

    Its complexity is the one with the highest UAR over all items of dev, each predicted by a fit
    that has not seen it nor its group; of several, that with the lowest log loss, then the lowest.
    Where dev is too small to leave anything out, it is the lowest. The parts that are left out are
    stratified and not drawn at random: the same dev gives the same fit.
    """
    ascending = sorted(set(complexities))
    compact = _compact(inputs(dev.probabilities))
    held_out = list(_parts(dev))
    best = 0
    if held_out and len(ascending) > 1:
        judged = np.concatenate([out for _, out in held_out])
        tried: list[list[np.ndarray]] = [[] for _ in ascending]
        for rest, out in held_out:
            for fits, fitted in zip(tried, _fits(compact, dev.true, rest, ascending), strict=True):
                fits.append(fitted.combine(dev.probabilities[:, out]))
        scores = [_score(dev.true[judged], np.concatenate(fits)) for fits in tried]
        best = min(range(len(ascending)), key=scores.__getitem__)
    everything = np.arange(len(dev.true))
    return _fits(compact, dev.true, everything, ascending[best : best + 1])[0]


def _score(true: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    recall = uar(true, probabilities.argmax(axis=1), probabilities.shape[1])
    of_true = probabilities[np.arange(len(true)), true]
    return -round(recall, 12), float(-np.log(np.maximum(of_true, LEAST)).mean())


def _parts(dev: Dev) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of what remains and what is left out; none where dev is too small."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    units = dev.true if dev.groups is None else np.unique(dev.groups)
    parts = min(PARTS, len(units), int(np.bincount(dev.true).max()))
    if parts < 2:
        return
    splitter: Any = StratifiedKFold(parts)
    if dev.groups is not None:
        splitter = StratifiedGroupKFold(parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer items than parts
        for rest, out in splitter.split(dev.true, dev.true, dev.groups):
            if len(rest) and len(out):
                yield rest, out


@dataclass(frozen=True)
class _Compact:
    """What the regression reads, turned into as many numbers an item as there are items at most.

    An L2 penalty is blind to rotation and wants no coefficients outside of what the items span, so
    the fit is the same, and quicker where there are more inputs than items.

    Attributes
    ----------
    turned
        Shape (items, numbers).
    basis
        Turns numbers back into inputs: shape (numbers, inputs).
    """

    turned: np.ndarray
    basis: np.ndarray


def _compact(read: np.ndarray) -> _Compact:
    if read.shape[1] <= read.shape[0]:
        return _Compact(read, np.eye(read.shape[1]))
    left, lengths, basis = np.linalg.svd(read, full_matrices=False)
    return _Compact(left * lengths, basis)


def _fits(
    compact: _Compact, true: np.ndarray, rows: np.ndarray, complexities: Sequence[float]
) -> list[Stacked]:
    """A fit to some items for each complexity, ascending: each starts where the last ended."""
    from sklearn.linear_model import LogisticRegression

    read, wanted = compact.turned[rows], true[rows]
    present = np.unique(wanted)
    if len(present) == 1:  # nothing to tell apart
        nothing = np.zeros((1, compact.basis.shape[1])), np.zeros(1)
        return [Stacked(present, *nothing, complexity) for complexity in complexities]
    # Of scikit-learn's solvers the one that needs the fewest steps where inputs are many.
    regression = LogisticRegression(
        class_weight="balanced", solver="newton-cg", max_iter=ITERATIONS, warm_start=True
    )
    fits = []
    for complexity in complexities:
        regression.set_params(C=complexity).fit(read, wanted)
        slopes, starts = regression.coef_ @ compact.basis, np.array(regression.intercept_)
        if len(present) == 2:  # one row, the second class's
            slopes, starts = np.concatenate([0 * slopes, slopes]), np.append(0, starts)
        fits.append(Stacked(present, slopes, starts, complexity))
    return fits
