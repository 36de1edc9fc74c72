"""How sure a mean over folds is: the bootstrap resamples that all systems share."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np

RESAMPLES = 2000
"""Enough for the ends of a 95 % interval to be steady in the second digit."""

FEWEST = 5
"""Units that every fold must hold to be resampled by itself: one alone can only be drawn again,
and the few ways to draw two or three miss most of how such units differ."""

_AT_ONCE = 2**24
"""Weights held in memory at once."""

_CHUNK = 250
"""Resamples drawn at once."""


def within_folds(folds: Sequence[Iterable[Hashable]]) -> bool:
    """Whether each fold is resampled by itself, given the units of its items."""
    units = [set(own) for own in folds]
    enough = min(map(len, units)) >= FEWEST
    return enough and sum(map(len, units)) == len(set().union(*units))


class Resamples:
    """Which units each resample of a partition holds, and how often.

    The unit that is drawn, with replacement, is the item; where there are groups it is the whole
    group, since items of one group are not independent. All systems and seeds share a resample.

    Each resample draws, within every fold, as many units as the fold has. Where a fold has fewer
    than `FEWEST` (as when one subject is left out at a time) that would hide how units differ.
    Then each resample draws as many units as the whole study has, from all of them. A unit stays
    in its fold, and a fold counts in the mean as often as its units were drawn, a share of their
    number: not at all where none was, twice where the one subject left out was drawn twice. So
    the folds vary too, and with one unit a fold this is the plain bootstrap over units. The same
    is done where a unit is in several folds, as when all share one test partition: it is drawn
    for all of them at once.

    The resamples speak of other items like these, classified by the networks as trained: they
    hold no spread from training anew.

    Parameters
    ----------
    folds
        Of each fold, the unit of each of its items; the same name in two folds is the same unit.
    count
        Number of resamples.
    seed
        Governs them. They do not depend on systems.

    Raises
    ------
    ValueError
        If there is no fold, or a fold without items.

    References
    ----------
    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993:
    section 8 for data of a structure other than one plain sample.
    """

    def __init__(self, folds: Sequence[Sequence[Hashable]], count: int = RESAMPLES, seed: int = 0):
        if not folds or any(len(units) == 0 for units in folds):
            raise ValueError("an interval needs at least one fold, and items in each")
        self.count = count
        self._places = [_places(units) for units in folds]
        if within_folds(folds):
            self._drawn = [
                _draw(len(own), count, np.random.default_rng([seed, number]))
                for number, own in enumerate(self._places)
            ]
            self._shares = np.ones((count, len(folds)))
            return
        everywhere = _places([unit for own in self._places for unit in own])
        drawn = _draw(len(everywhere), count, np.random.default_rng(seed))
        self._drawn = [drawn[:, [everywhere[unit] for unit in own]] for own in self._places]
        self._shares = np.column_stack([own.mean(axis=1) for own in self._drawn])

    def weights(self, fold: int, units: Sequence[Hashable]) -> Iterator[np.ndarray]:
        """How often each row of a fold counts in each resample.

        Parameters
        ----------
        fold
            Its number.
        units
            The unit of each row, which may be an item's or one of its windows.

        Yields
        ------
        numpy.ndarray
            float64, shape (some resamples, rows), until all resamples are there.
        """
        columns = np.array([self._places[fold][unit] for unit in units])
        step = max(1, min(_CHUNK, _AT_ONCE // len(columns)))
        for start in range(0, self.count, step):
            yield self._drawn[fold][start : start + step, columns].astype(np.float64)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over folds in each resample: shapes (resamples, folds, …) in, (resamples, …) out.

        A fold in which a value does not exist (NaN) is left out of its mean.
        """
        shares = self._shares.reshape(*self._shares.shape, *[1] * (values.ndim - 2))
        there = shares * ~np.isnan(values)
        whole = there.sum(axis=1)
        total = (there * np.nan_to_num(values)).sum(axis=1)
        return np.divide(total, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def percentile_interval(
    means: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval.

    Parameters
    ----------
    means
        A statistic in each resample, shape (resamples, …): a mean over folds, or the difference
        of two systems' means, which is then a paired one. NaN where it does not exist.
    confidence
        Share of the resamples between the two ends.

    Returns
    -------
    low, high : numpy.ndarray
        Ends of the interval, of the shape that remains; NaN where no resample has the statistic.

    References
    ----------
    Efron and Tibshirani, as above, chapter 13.
    """
    tail = (1 - confidence) / 2
    if not np.isnan(means).any():  # several times faster
        low, high = np.quantile(means, [tail, 1 - tail], axis=0)
        return low, high
    shape = means.shape[1:]
    ends = np.full((2, int(np.prod(shape, dtype=int))), np.nan)
    for place, column in enumerate(means.reshape(len(means), -1).T):
        there = column[~np.isnan(column)]
        if there.size:
            ends[:, place] = np.quantile(there, [tail, 1 - tail])
    low, high = ends.reshape(2, *shape)
    return low, high


def _places(units: Sequence[Hashable]) -> dict[Hashable, int]:
    return {unit: place for place, unit in enumerate(dict.fromkeys(units))}


def _draw(units: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each unit is drawn: uint16, shape (resamples, units)."""
    drawn = np.empty((resamples, units), np.uint16)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chosen = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=rows * units)
        drawn[start : start + rows] = counts.reshape(rows, units)
    return drawn
