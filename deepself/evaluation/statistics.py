"""How sure a mean UAR is: bootstrap intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
"""Enough for the ends of a 95 % interval to be steady in the second digit."""

_CHUNK = 250
"""Resamples held in memory at once."""


@dataclass(frozen=True)
class FoldDecisions:
    """What several systems (models, fusions) decided on one partition of one fold.

    Attributes
    ----------
    true
        Class indices, shape (items,).
    predicted
        Class indices, shape (systems, seeds, items).
    groups
        Group of each item, shape (items,), or None where items are independent.
    """

    true: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray | None = None


def bootstrap_interval(
    folds: Sequence[FoldDecisions],
    classes: int,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval of the mean UAR over folds and seeds.

    Each resample draws, within every fold, as many items as the fold has, with replacement;
    where there are groups it draws whole groups, since items of one group are not independent.
    A resample is shared by all systems and seeds of its fold. UAR is computed a fold and seed,
    over the classes that the resample holds, then averaged over seeds and folds.

    The interval speaks of other items like these, classified by the networks as trained: it
    holds no spread from training anew.

    Parameters
    ----------
    folds
        One entry a fold, all with the same systems in the same order.
    classes
        Number of classes.
    resamples
        Number of bootstrap resamples.
    confidence
        Share of the bootstrap distribution between the two ends.
    seed
        Governs the resamples. They do not depend on the systems: adding one leaves the
        intervals of the others as they are.

    Returns
    -------
    low, high : numpy.ndarray
        Ends of the interval of each system, shape (systems,).

    Raises
    ------
    ValueError
        If there is no fold, or a fold without items.

    References
    ----------
    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993:
    chapter 13 for the percentile interval, section 8 for data of a structure other than one
    plain sample.
    """
    if not folds or any(fold.true.size == 0 for fold in folds):
        raise ValueError("an interval needs at least one fold, and items in each")
    means = np.zeros((resamples, folds[0].predicted.shape[0]))
    for number, fold in enumerate(folds):
        rng = np.random.default_rng([seed, number])
        means += _resampled_uar(fold, classes, resamples, rng) / len(folds)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def _resampled_uar(
    fold: FoldDecisions, classes: int, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """UAR of each resample of a fold, averaged over seeds: shape (resamples, systems).

    A resample is a vector of how often each unit (item or group) was drawn; its counts of items
    and of hits a class are then one matrix product.
    """
    systems, seeds, items = fold.predicted.shape
    unit = np.arange(items)
    if fold.groups is not None:
        unit = np.unique(fold.groups, return_inverse=True)[1]
    units = int(unit.max()) + 1
    totals = np.zeros((units, classes))
    np.add.at(totals, (unit, fold.true), 1)
    hits = np.zeros((units, systems, seeds, classes))
    system, run, item = np.nonzero(fold.predicted == fold.true)
    np.add.at(hits, (unit[item], system, run, fold.true[item]), 1)

    means = []
    for drawn in _draw(units, resamples, rng):
        held = drawn @ totals
        found = (drawn @ hits.reshape(units, -1)).reshape(-1, systems, seeds, classes)
        present = held > 0
        recall = found / np.where(present, held, 1)[:, None, None, :]  # an absent class: 0
        uar = recall.sum(axis=-1) / present.sum(axis=-1)[:, None, None]
        means.append(uar.mean(axis=-1))
    return np.concatenate(means)


def _draw(units: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each unit is drawn, in chunks of shape (≤ _CHUNK, units)."""
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chosen = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=rows * units)
        yield counts.reshape(rows, units).astype(np.float64)
