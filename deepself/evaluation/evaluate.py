"""All scores of one system: of each run, and over runs with their spread and interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from deepself.evaluation.chance import majority, random_scores
from deepself.evaluation.metrics import accuracy, confusion, uar
from deepself.evaluation.protocol import LEVELS, PARTITIONS, Protocol, Rows
from deepself.evaluation.resampling import Resamples, percentile_interval
from deepself.evaluation.scoring import DECIDED, SCORES, Scorer, reliability

CLASS_SCORES = ("recall", "precision")

_RANKED = 4e7
"""Values that rankings may look at over all resamples of a run; thus large partitions have fewer
resamples of ranked scores, but never fewer than `_FEWEST_RANKED`. Their intervals are narrow."""

_FEWEST_RANKED = 200

RunKey = tuple[str, int, str, str]  # fold, seed, partition, level


@dataclass(frozen=True)
class Run:
    """Scores of one run on one partition at one level.

    Attributes
    ----------
    fold, seed, partition, level
        Which.
    scores
        In the order of `SCORES`; NaN where a score does not exist.
    by_class
        Recall and precision, shape (2, classes).
    confusion
        Counts, shape (classes, classes): rows are true classes, columns predicted ones.
    bins
        Rows, sum of confidences and number of right decisions, by confidence: shape (3, bins).
    """

    fold: str
    seed: int
    partition: str
    level: str
    scores: np.ndarray
    by_class: np.ndarray
    confusion: np.ndarray
    bins: np.ndarray

    @property
    def items(self) -> int:
        """Rows that were scored."""
        return int(self.confusion.sum())

    @property
    def held(self) -> np.ndarray:
        """Rows of each true class."""
        return self.confusion.sum(axis=1)


@dataclass(frozen=True)
class Over:
    """A score over folds and seeds: mean, standard deviation, ends of the 95 % interval.

    NaN where it does not exist; each of one shape.
    """

    runs: int
    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Evaluated:
    """A system's scores.

    Attributes
    ----------
    name, kind
        Of a model, a fusion, or a chance.
    runs
        Scores of each run.
    overall, by_class
        Scores over runs by partition and level: of shape (scores,), and (2, classes).
    resampled
        Mean test UAR in each resample, shape (resamples,).
    folds
        Test UAR by fold, mean over seeds, shape (folds,).
    right
        Share of seeds that have each test item right, fold by fold, shape (test items,).
    """

    name: str
    kind: str
    runs: list[Run] = field(repr=False)
    overall: dict[tuple[str, str], Over] = field(repr=False)
    by_class: dict[tuple[str, str], Over] = field(repr=False)
    resampled: np.ndarray = field(repr=False)
    folds: np.ndarray = field(repr=False)
    right: np.ndarray = field(repr=False)


def evaluate(name: str, kind: str, rows: Mapping[RunKey, Rows], measured: Protocol) -> Evaluated:
    """Score a system.

    Parameters
    ----------
    name, kind
        Of the system.
    rows
        What it says of each partition of each fold, with each seed.
    measured
        What it is measured on.
    """
    runs, overall, by_class = [], {}, {}
    resampled = np.array([])
    for partition in PARTITIONS:
        for level in LEVELS:
            own = {k: r for k, r in rows.items() if k[2:] == (partition, level)}
            if not own:
                continue
            scorers = {key: Scorer(r.true, r.probabilities) for key, r in own.items()}
            scored = [_run(key, own[key], scorers[key]) for key in own]
            draws = measured.resamples(partition)
            means, classes = _resample(own, scorers, measured.folds, draws)
            overall[partition, level] = _over([run.scores for run in scored], means)
            by_class[partition, level] = _over([run.by_class for run in scored], classes)
            runs += scored
            if (partition, level) == ("test", "recording"):
                resampled = means[:, SCORES.index("uar")]
    order = {key: place for place, key in enumerate(rows)}
    runs.sort(key=lambda run: order[run.fold, run.seed, run.partition, run.level])
    tested = [r for r in runs if (r.partition, r.level) == ("test", "recording")]
    folds = np.array(
        [np.mean([r.scores[0] for r in tested if r.fold == f]) for f in measured.folds]
    )
    return Evaluated(name, kind, runs, overall, by_class, resampled, folds, _right(rows, measured))


def chances(measured: Protocol) -> list[Evaluated]:
    """What chance reaches: `majority`, which knows the training classes, and `random` guesses."""
    rows = {}
    for fold, counts in zip(measured.folds, measured.trained_on, strict=True):
        for partition in PARTITIONS:
            truth = measured.truth[fold, partition]
            always = majority(counts / counts.sum(), len(truth.ids))
            rows[fold, 0, partition, "recording"] = Rows(truth.true, always, truth.units)
    return [evaluate("majority", "chance", rows, measured), _random(measured)]


def _random(measured: Protocol) -> Evaluated:
    """Guesses as often as classes are in training; the interval holds 95 % of the guessers."""
    overall = {}
    for number, partition in enumerate(PARTITIONS):
        rng = np.random.default_rng([1, number])
        drawn = [
            random_scores(measured.truth[fold, partition].true, counts / counts.sum(), rng)
            for fold, counts in zip(measured.folds, measured.trained_on, strict=True)
        ]
        means = np.full((len(drawn[0]), len(SCORES)), np.nan)
        means[:, : len(DECIDED)] = np.mean(drawn, axis=0)
        low, high = percentile_interval(means)
        none = np.full(len(SCORES), np.nan)
        overall[partition, "recording"] = Over(len(drawn), means.mean(axis=0), none, low, high)
    empty = np.array([])
    return Evaluated("random", "chance", [], overall, {}, empty, empty, empty)


def _run(key: RunKey, rows: Rows, scorer: Scorer) -> Run:
    once = np.ones((1, len(rows.true)))
    classes = rows.probabilities.shape[1]
    predicted = rows.probabilities.argmax(axis=1)
    scores = scorer.scores(once)[0]
    # The definitions themselves, to the last bit.
    scores[0], scores[1] = uar(rows.true, predicted, classes), accuracy(rows.true, predicted)
    counts = confusion(rows.true, predicted, classes)
    bins = reliability(rows.true, rows.probabilities)
    return Run(*key, scores, scorer.by_class(once)[0], counts, bins)


def _resample(
    rows: Mapping[RunKey, Rows],
    scorers: Mapping[RunKey, Scorer],
    folds: list[str],
    draws: Resamples,
) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds and folds in each resample: (resamples, scores), (…, 2, classes)."""
    classes = next(iter(rows.values())).probabilities.shape[1]
    largest = max(len(one.true) for one in rows.values())
    ranked = max(_FEWEST_RANKED, int(_RANKED // (largest * classes)))
    means = np.empty((draws.count, len(folds), len(SCORES)))
    by_class = np.empty((draws.count, len(folds), 2, classes))
    for number, fold in enumerate(folds):
        own = [key for key in rows if key[0] == fold]
        start = 0
        # Seeds share the rows' units, so each weighting is made once.
        for weights in draws.weights(number, rows[own[0]].units.tolist()):
            end = start + len(weights)
            some = [scorers[key].scores(weights, ranked=start < ranked) for key in own]
            means[start:end, number] = np.mean(some, axis=0)
            each = np.array([scorers[key].by_class(weights) for key in own])
            by_class[start:end, number] = _nanmean(each)
            start = end
    return draws.mean(means), draws.mean(by_class)


def _over(values: list[np.ndarray], means: np.ndarray) -> Over:
    table = np.array(values)
    there = (~np.isnan(table)).sum(axis=0)
    mean = _nanmean(table)
    squares = np.where(np.isnan(table), 0, table - mean) ** 2
    spread = np.sqrt(squares.sum(axis=0) / np.maximum(there - 1, 1))
    low, high = percentile_interval(means)
    none = np.isnan(mean)
    return Over(
        len(table),
        mean,
        np.where(there > 1, spread, np.nan),
        np.where(none, np.nan, low),
        np.where(none, np.nan, high),
    )


def _nanmean(table: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what exists."""
    there = (~np.isnan(table)).sum(axis=0)
    total = np.nan_to_num(table).sum(axis=0)
    return np.divide(total, there, out=np.full(total.shape, np.nan), where=there > 0)


def _right(rows: Mapping[RunKey, Rows], measured: Protocol) -> np.ndarray:
    found = []
    for fold in measured.folds:
        own = [r for k, r in rows.items() if (k[0], *k[2:]) == (fold, "test", "recording")]
        found.append(np.mean([r.probabilities.argmax(axis=1) == r.true for r in own], axis=0))
    return np.concatenate(found)
