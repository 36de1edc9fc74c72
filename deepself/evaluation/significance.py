"""Tests of whether systems differ, and the correction for making many of them."""

from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
"""Probability of calling at least one of several equal pairs different."""


def corrected_t(
    differences: np.ndarray, test_to_train: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corrected resampled t-test: folds that share training items are not independent.

    Parameters
    ----------
    differences
        A score's differences, a row a fold: shape (folds, …).
    test_to_train
        Number of test items divided by that of training items.

    Returns
    -------
    t, degrees, p : numpy.ndarray
        The statistic, its degrees of freedom, and the two-sided probability; NaN of one fold.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
    section 3.3: the variance's factor is 1 / folds + test / train in place of 1 / folds.
    """
    from scipy.special import stdtr

    folds = len(differences)
    mean = differences.mean(axis=0)
    if folds < 2:
        none = np.full(mean.shape, np.nan)
        return none, np.zeros(mean.shape), none
    variance = differences.var(axis=0, ddof=1) * (1 / folds + test_to_train)
    # Equal differences in all folds: no spread, thus certain, unless there is none at all.
    t = np.where(np.isclose(mean, 0, atol=1e-12), 0.0, np.copysign(np.inf, mean))
    spread = variance > 1e-24
    np.divide(mean, np.sqrt(np.where(spread, variance, 1)), out=t, where=spread)
    p = 2 * stdtr(folds - 1, -np.abs(t))
    return t, np.full(mean.shape, folds - 1), p


def mcnemar(only_first: np.ndarray, only_second: np.ndarray) -> np.ndarray:
    """Exact McNemar test: two-sided probability that two systems err equally often.

    Parameters
    ----------
    only_first, only_second
        How many items only the one, or only the other, has right. Where these are means over
        seeds they need not be whole; the binomial distribution then is the incomplete beta
        function that continues it.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; T. G. Dietterich, "Approximate Statistical Tests for
    Comparing Supervised Classification Learning Algorithms", Neural Computation 10, 1998.
    """
    from scipy.special import betainc

    first, second = np.asarray(only_first, float), np.asarray(only_second, float)
    few, many = np.minimum(first, second), np.maximum(first, second)
    p = np.ones(np.broadcast_shapes(first.shape, second.shape))
    some = many > 0
    p[some] = np.minimum(1, 2 * betainc(many[some], few[some] + 1, 0.5))
    return p


def z_test(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Two-sided probability of a difference, given its standard error; 1 of none, NaN of NaN."""
    from scipy.special import erfc

    difference, error = np.asarray(difference, float), np.asarray(error, float)
    z = np.where(np.isclose(difference, 0, atol=1e-12), 0.0, np.inf)
    spread = error > 1e-12
    np.divide(np.abs(difference), np.where(spread, error, 1), out=z, where=spread)
    return np.where(np.isnan(difference + error), np.nan, erfc(z / np.sqrt(2)))


def holm(p: np.ndarray) -> np.ndarray:
    """Probabilities corrected for their number; those that do not exist (NaN) do not count.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    p = np.asarray(p, float)
    corrected = np.full(p.shape, np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return corrected


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of systems over folds, and how far apart two must be to differ.

    Attributes
    ----------
    means
        Mean rank of each system, 1 being the best; shape (systems,).
    statistic, p
        Friedman's test of whether they differ at all.
    critical
        The least difference of two mean ranks that is significant, by Nemenyi's test.
    cliques
        Largest sets of systems, each as indices in the order of their ranks, in which no two
        differ by more.
    """

    means: np.ndarray
    statistic: float
    p: float
    critical: float
    cliques: list[list[int]]


def ranks(scores: np.ndarray) -> Ranks:
    """Friedman's test with Nemenyi's as its second step.

    Parameters
    ----------
    scores
        Shape (folds, systems), higher is better; equal ones share their ranks' mean.

    Raises
    ------
    ValueError
        If there are fewer than two folds or two systems.

    References
    ----------
    J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", Journal of
    Machine Learning Research 7, 2006, section 3.2.2.
    """
    from scipy.special import chdtrc
    from scipy.stats import rankdata, studentized_range

    folds, systems = scores.shape
    if folds < 2 or systems < 2:
        raise ValueError("ranks need at least two folds and two systems")
    table = rankdata(-scores.round(12), axis=1)
    means = table.mean(axis=0)
    spread = ((table - (systems + 1) / 2) ** 2).sum() / (folds * (systems - 1))
    between = folds * ((means - (systems + 1) / 2) ** 2).sum()
    statistic = float(between / spread) if spread else 0.0
    quantile = studentized_range.ppf(1 - ALPHA, systems, np.inf) / np.sqrt(2)
    critical = float(quantile * np.sqrt(systems * (systems + 1) / (6 * folds)))
    p = float(chdtrc(systems - 1, statistic))
    return Ranks(means, statistic, p, critical, _cliques(means, critical))


def _cliques(means: np.ndarray, critical: float) -> list[list[int]]:
    order = np.argsort(means, kind="stable")
    found: list[list[int]] = []
    end = 0
    for start in range(len(order)):
        within = np.flatnonzero(means[order] - means[order[start]] <= critical)
        last = int(within.max()) + 1
        if last > end and last - start > 1:
            found.append(order[start:last].tolist())
        end = max(end, last)
    return found
