"""All scores of a table of probabilities, for any weights of its rows.

A bootstrap resample is a table in which each row counts as often as it was drawn. So one
implementation gives both the scores and their resamples.
"""

import numpy as np
from numpy.typing import ArrayLike

SCORES = (
    "uar",
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "auc_macro",
    "ap_macro",
    "log_loss",
    "brier",
    "ece",
)
"""Names of the scores; `Scorer` says what they are."""

DECIDED = SCORES[:4]
"""Scores of the decisions alone, whatever the probabilities."""

RANKED = ("auc_macro", "ap_macro")
"""Scores that look at the order of the rows, and so cost most."""

LOWER_IS_BETTER = ("log_loss", "brier", "ece")

BINS = 15
"""Bins of equal width that confidences are sorted into, for the calibration error."""

_LEAST = np.finfo(np.float64).eps
"""Probabilities below it count as it: the logarithm of 0 is no number."""


class Scorer:
    """Scores of predicted probabilities.

    Parameters
    ----------
    true
        Class indices, shape (rows,).
    probabilities
        Shape (rows, classes).

    Notes
    -----
    `uar`, `accuracy`
        As in `deepself.evaluation.metrics`.
    `f1_macro`, `f1_weighted`
        Mean of the classes' F1 over those that are true or predicted anywhere; and weighted by
        how often each is true.
    `auc_macro`
        Mean of the areas under the receiver operating characteristic of each class against the
        rest, over classes for which both occur; equal probabilities count as half in order.
    `ap_macro`
        Mean of the classes' average precision, over those that occur.
    `log_loss`
        Mean of -ln of the true class's probability.
    `brier`
        Mean over rows of the squared error, summed over classes: between 0 and 2 (G. W. Brier,
        "Verification of Forecasts Expressed in Terms of Probability", 1950, eq. 2).
    `ece`
        Expected calibration error of the most probable class, over 15 bins (C. Guo et al., "On
        Calibration of Modern Neural Networks", ICML 2017, eq. 3).

    A score that does not exist, such as the AUC of a single class, is NaN.
    """

    def __init__(self, true: ArrayLike, probabilities: ArrayLike):
        given = np.asarray(probabilities, np.float64)
        rows, self._classes = given.shape
        place = np.arange(rows)
        index = np.asarray(true, np.int64)
        held = _indicator(index, self._classes)
        said = _indicator(given.argmax(axis=1), self._classes)
        loss = -np.log(np.clip(given[place, index], _LEAST, None))
        brier = ((given - held) ** 2).sum(axis=1)
        right, confidence = (held * said).sum(axis=1), given.max(axis=1)
        gaps = _indicator(bin_of(confidence), BINS) * (right - confidence)[:, None]
        self._sums = np.column_stack([held, said, held * said, gaps, loss, brier, np.ones(rows)])
        self._rankings = [_Ranking(index == c, given[:, c]) for c in range(self._classes)]

    def scores(self, weights: np.ndarray, *, ranked: bool = True) -> np.ndarray:
        """All scores, for each of several weightings of the rows.

        Parameters
        ----------
        weights
            Shape (weightings, rows), at least 0; whole numbers say how often a row counts.
        ranked
            Whether to find those in `RANKED` too; otherwise they are NaN.

        Returns
        -------
        numpy.ndarray
            Shape (weightings, scores), in the order of `SCORES`.
        """
        k = self._classes
        sums = weights @ self._sums
        held, said, hits = (sums[:, i * k : (i + 1) * k] for i in range(3))
        gaps, (loss, brier, total) = sums[:, 3 * k : 3 * k + BINS], sums[:, 3 * k + BINS :].T
        areas = np.full((2, len(weights)), np.nan)
        if ranked:
            each = np.stack([ranking.areas(weights) for ranking in self._rankings])
            areas = _mean(np.moveaxis(each, 0, -1))
        return np.column_stack(
            [
                decision_scores(held, said, hits),
                *areas,
                _divide(loss, total),
                _divide(brier, total),
                _divide(np.abs(gaps).sum(axis=1), total),
            ]
        )

    def by_class(self, weights: np.ndarray) -> np.ndarray:
        """Recall and precision of each class: shape (weightings, 2, classes).

        The recall of a class that does not occur, and the precision of one that is never
        predicted, are NaN.
        """
        k = self._classes
        sums = weights @ self._sums[:, : 3 * k]
        held, said, hits = (sums[:, i * k : (i + 1) * k] for i in range(3))
        return np.stack([_divide(hits, held), _divide(hits, said)], axis=1)

    def plain(self) -> dict[str, float]:
        """Scores with each row counted once, by name."""
        once = self.scores(np.ones((1, len(self._sums))))[0]
        return dict(zip(SCORES, once.tolist(), strict=True))


def decision_scores(held: np.ndarray, said: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Scores of decisions, from counts a class: those in `DECIDED`.

    Parameters
    ----------
    held, said, hits
        How often each class is true, predicted, and both, each of shape (weightings, classes).

    Returns
    -------
    numpy.ndarray
        Shape (weightings, scores), in the order of `DECIDED`.
    """
    total, f1 = held.sum(axis=1), _divide(2 * hits, held + said)
    return np.column_stack(
        [
            _mean(_divide(hits, held)),
            _divide(hits.sum(axis=1), total),
            _mean(f1),
            _divide(np.nansum(f1 * held, axis=1), total),
        ]
    )


class _Ranking:
    """Rows in the order of one class's probability, the highest first."""

    def __init__(self, positive: np.ndarray, probabilities: np.ndarray):
        self._order = np.argsort(-probabilities, kind="stable")
        self._positive = positive[self._order].astype(np.float64)
        steps = np.diff(probabilities[self._order]) != 0
        # Where each group of equal probabilities begins.
        self._starts: np.ndarray | None = np.flatnonzero(np.append(True, steps))
        if len(self._starts) == len(positive):
            self._starts = None

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """Area under the curve, and average precision: shape (2, weightings)."""
        drawn = weights[:, self._order]
        positives, all_ = drawn * self._positive, drawn
        if self._starts is not None:
            positives = np.add.reduceat(positives, self._starts, axis=1)
            all_ = np.add.reduceat(all_, self._starts, axis=1)
        negatives = all_ - positives
        found, wrong = positives.cumsum(axis=1), negatives.cumsum(axis=1)
        most, rest = found[:, -1], wrong[:, -1]
        below = rest[:, None] - wrong + negatives / 2
        precision = np.divide(found, found + wrong, out=np.zeros_like(found), where=found > 0)
        auc = _divide((positives * below).sum(axis=1), most * rest)
        return np.stack([auc, _divide((positives * precision).sum(axis=1), most)])


def bin_of(confidence: np.ndarray) -> np.ndarray:
    """Index of the bin of each confidence; a bin holds its upper edge."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def reliability(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """What confidences are worth, by bin.

    Parameters
    ----------
    true
        Class indices, shape (rows,).
    probabilities
        Shape (rows, classes).

    Returns
    -------
    numpy.ndarray
        Shape (3, bins): rows, the sum of the confidences of their most probable classes, and how
        many of these are the true ones.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    place = bin_of(confidence)
    counted = [np.bincount(place, w, minlength=BINS) for w in (None, confidence, right)]
    return np.stack(counted).astype(np.float64)


def _indicator(index: np.ndarray, count: int) -> np.ndarray:
    return (index[:, None] == np.arange(count)).astype(np.float64)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients; NaN where there is nothing to divide by."""
    same = part.shape == whole.shape  # most often, and asked many thousand times
    shape = part.shape if same else np.broadcast_shapes(part.shape, whole.shape)
    none = np.full(shape, np.nan)
    return np.divide(part, whole, out=none, where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what exists there."""
    there = ~np.isnan(values)
    return _divide(np.where(there, values, 0).sum(axis=-1), there.sum(axis=-1).astype(float))
