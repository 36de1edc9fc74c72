"""How sure a mean UAR is: bootstrap intervals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
"""Enough for the ends of a 95 % interval to be steady in the second digit."""

FEWEST = 5
"""Units that every fold must hold to be resampled by itself: one alone can only be drawn again,
and the few ways to draw two or three miss most of how such units differ."""

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
        Group of each item, shape (items,), or None where items are independent. The same name
        in two folds is the same group.
    """

    true: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray | None = None


def within_folds(units: Iterable[int]) -> bool:
    """Whether each fold is resampled by itself, given how many units each holds."""
    return min(units) >= FEWEST


def bootstrap_means(
    folds: Sequence[FoldDecisions],
    classes: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Mean UAR over folds and seeds in each of many bootstrap resamples.

    The unit that is drawn, with replacement, is the item; where there are groups it is the whole
    group, since items of one group are not independent. A resample is shared by all systems and
    seeds. UAR is computed a fold and seed, over the classes that the resample holds there, then
    averaged over seeds and folds.

    Each resample draws, within every fold, as many units as the fold has. Where a fold has fewer
    than `FEWEST` (as when one subject is left out at a time) that would hide how units differ.
    Then each resample draws as many units as the whole study has, from all of them. A unit stays
    in its fold, and a fold counts in the mean as often as its units were drawn, a share of their
    number: not at all where none was, twice where the one subject left out was drawn twice. So
    the folds vary too, and with one unit a fold this is the plain bootstrap over units.

    The resamples speak of other items like these, classified by the networks as trained: they
    hold no spread from training anew.

    Parameters
    ----------
    folds
        One entry a fold, all with the same systems in the same order.
    classes
        Number of classes.
    resamples
        Number of bootstrap resamples.
    seed
        Governs the resamples. They do not depend on the systems: adding one leaves the means of
        the others as they are.

    Returns
    -------
    numpy.ndarray
        Shape (resamples, systems).

    Raises
    ------
    ValueError
        If there is no fold, or a fold without items.

    References
    ----------
    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993:
    section 8 for data of a structure other than one plain sample.
    """
    if not folds or any(fold.true.size == 0 for fold in folds):
        raise ValueError("an interval needs at least one fold, and items in each")
    counts = [_count(fold, number, classes) for number, fold in enumerate(folds)]
    if not within_folds(len(own.units) for own in counts):
        return _means_over_study(counts, resamples, seed)
    means = np.zeros((resamples, folds[0].predicted.shape[0]))
    for number, own in enumerate(counts):
        draws = _draw(len(own.units), resamples, np.random.default_rng([seed, number]))
        means += np.concatenate([own.uar(drawn) for drawn in draws]) / len(folds)
    return means


def percentile_interval(
    means: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval.

    Parameters
    ----------
    means
        A statistic in each resample, shape (resamples, …): `bootstrap_means`, or the difference
        of two of its columns, which is then a paired one.
    confidence
        Share of the resamples between the two ends.

    Returns
    -------
    low, high : numpy.ndarray
        Ends of the interval, of the shape that remains.

    References
    ----------
    Efron and Tibshirani, as above, chapter 13.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


@dataclass(frozen=True)
class _Counts:
    """What a fold's UAR is made of.

    Names of its units, the items of each, shape (units, classes), and how many of them were hit,
    shape (units, systems, seeds, classes).
    """

    units: list
    items: np.ndarray
    hits: np.ndarray

    def uar(self, drawn: np.ndarray) -> np.ndarray:
        """UAR, averaged over seeds, of resamples given as how often each unit was drawn.

        Shapes (resamples, units) in, (resamples, systems) out; without any unit it is 0.
        """
        held = drawn @ self.items
        found = (drawn @ self.hits.reshape(len(self.units), -1)).reshape(-1, *self.hits.shape[1:])
        present = held > 0
        recall = found / np.where(present, held, 1)[:, None, None, :]  # an absent class: 0
        uar = recall.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)[:, None, None]
        return uar.mean(axis=-1)


def _count(fold: FoldDecisions, number: int, classes: int) -> _Counts:
    systems, seeds, items = fold.predicted.shape
    alone = [(number, item) for item in range(items)]
    names = alone if fold.groups is None else fold.groups.tolist()
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    unit = np.array([place[name] for name in names])
    totals = np.zeros((len(place), classes))
    np.add.at(totals, (unit, fold.true), 1)
    hits = np.zeros((len(place), systems, seeds, classes))
    system, run, item = np.nonzero(fold.predicted == fold.true)
    np.add.at(hits, (unit[item], system, run, fold.true[item]), 1)
    return _Counts(list(place), totals, hits)


def _means_over_study(counts: list[_Counts], resamples: int, seed: int) -> np.ndarray:
    """Means of resamples of all folds' units together; a unit brings its items in its fold."""
    names = dict.fromkeys(name for own in counts for name in own.units)
    place = {name: i for i, name in enumerate(names)}
    columns = [np.array([place[name] for name in own.units]) for own in counts]
    means = []
    for drawn in _draw(len(place), resamples, np.random.default_rng(seed)):
        parts = [drawn[:, here] for here in columns]
        weights = [part.mean(axis=1)[:, None] for part in parts]
        uars = [own.uar(part) for own, part in zip(counts, parts, strict=True)]
        weighted = [uar * weight for uar, weight in zip(uars, weights, strict=True)]
        means.append(np.sum(weighted, axis=0) / np.sum(weights, axis=0))
    return np.concatenate(means)


def _draw(units: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each unit is drawn, in chunks of shape (≤ _CHUNK, units)."""
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chosen = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=rows * units)
        yield counts.reshape(rows, units).astype(np.float64)
