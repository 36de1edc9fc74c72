"""Every pair of systems: how far apart they are on test, and whether that may be chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepself.evaluation.diversity import count_pairs
from deepself.evaluation.evaluate import Evaluated
from deepself.evaluation.protocol import Protocol
from deepself.evaluation.resampling import percentile_interval
from deepself.evaluation.significance import ALPHA, corrected_t, holm, mcnemar, z_test
from deepself.store.files import read_table
from deepself.study import Layout

COMPARISONS = (
    "first",
    "second",
    "difference",
    "low",
    "high",
    "p_bootstrap",
    "p_bootstrap_holm",
    "t",
    "degrees",
    "p_t",
    "p_t_holm",
    "only_first",
    "only_second",
    "p_mcnemar",
    "p_mcnemar_holm",
    "disagreement",
    "q",
    "apart",
)
"""Columns of comparisons.csv. `difference` is the first's mean test UAR minus the second's."""


@dataclass(frozen=True)
class Comparison:
    """One pair; attributes are the columns of comparisons.csv, NaN where there is none.

    Attributes
    ----------
    apart
        Whether the two can be told apart: by the bootstrap's probability of no difference of
        mean UAR, after Holm's correction for the number of pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_bootstrap: float
    p_bootstrap_holm: float
    t: float
    degrees: float
    p_t: float
    p_t_holm: float
    only_first: float
    only_second: float
    p_mcnemar: float
    p_mcnemar_holm: float
    disagreement: float
    q: float
    apart: bool

    def seen_from(self, name: str) -> "Comparison":
        """The same pair with one of the two as its first."""
        if name == self.first:
            return self
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            t=-self.t,
            only_first=self.only_second,
            only_second=self.only_first,
        )


def compare(systems: Sequence[Evaluated], measured: Protocol) -> list[Comparison]:
    """Compare every pair of systems on test.

    The interval of the difference is the bootstrap's, pair by pair in the same resamples. Of the
    three tests, the bootstrap's asks whether the mean UAR of *these trained networks* differs on
    other items like these; the corrected resampled t-test, whether it does on other folds, with
    training anew; McNemar's, whether the pooled test items' errors are equally many, whatever
    their classes. Each is corrected for the number of pairs (Holm).

    Parameters
    ----------
    systems
        Of one protocol.
    measured
        That protocol.
    """
    if len(systems) < 2:
        return []
    pairs = np.array(np.triu_indices(len(systems), 1))
    resampled = np.column_stack([s.resampled for s in systems])
    folds = np.column_stack([s.folds for s in systems])
    difference, low, high, error = _differences(resampled, folds.mean(axis=0))
    first, second = pairs
    t, degrees, p_t = corrected_t(folds[:, first] - folds[:, second], measured.test_to_train)
    p_bootstrap = z_test(difference, error)
    weights = 1 / measured.appearances
    counts = count_pairs(np.array([s.right for s in systems]), weights)
    only = counts.only_first[first, second], counts.only_second[first, second]
    p_mcnemar = mcnemar(*only)
    corrected = holm(p_bootstrap)
    columns = [
        difference,
        low,
        high,
        p_bootstrap,
        corrected,
        t,
        degrees,
        p_t,
        holm(p_t),
        *only,
        p_mcnemar,
        holm(p_mcnemar),
        counts.disagreement[first, second],
        counts.q[first, second],
    ]
    names = [s.name for s in systems]
    rows = np.column_stack(columns).tolist()
    numbers = [dict(zip(COMPARISONS[2:-1], row, strict=True)) for row in rows]
    return [
        Comparison(names[a], names[b], **own, apart=own["p_bootstrap_holm"] < ALPHA)
        for a, b, own in zip(first.tolist(), second.tolist(), numbers, strict=True)
    ]


def comparisons(layout: Layout) -> list[Comparison]:
    """The pairs of a study that is scored.

    Raises
    ------
    UserError
        If there is no table of them.
    KeyError, ValueError
        If it is another table.
    """
    return [
        Comparison(
            row["first"],
            row["second"],
            **{name: float(row[name] or "nan") for name in COMPARISONS[2:-1]},
            apart=row["apart"] == "yes",
        )
        for row in read_table(layout.comparisons)
    ]


def _differences(resampled: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each pair: difference of mean UAR, its interval's ends, and its standard error."""
    found = []
    for place in range(len(means) - 1):
        rest = resampled[:, [place]] - resampled[:, place + 1 :]
        low, high = percentile_interval(rest)
        error = rest.std(axis=0, ddof=1)
        found.append(np.stack([means[place] - means[place + 1 :], low, high, error]))
    return tuple(np.concatenate(found, axis=1))
