"""Bootstrap intervals against cases whose distribution is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binom

from deepself.evaluation.resampling import (
    FEWEST,
    RESAMPLES,
    Resamples,
    percentile_interval,
    within_folds,
)
from deepself.evaluation.scoring import Scorer


@dataclass
class FoldDecisions:
    """True classes (items,), predicted ones (systems, seeds, items), and groups, if any."""

    true: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray | None = None


def bootstrap_means(folds, classes, resamples=RESAMPLES, seed=0):
    """Mean UAR of each system in each resample: shape (resamples, systems)."""
    units = [
        [(number, item) for item in range(len(fold.true))]
        if fold.groups is None
        else fold.groups.tolist()
        for number, fold in enumerate(folds)
    ]
    draws = Resamples(units, resamples, seed)
    means = []
    for number, fold in enumerate(folds):
        scorers = [[Scorer(fold.true, np.eye(classes)[p]) for p in s] for s in fold.predicted]
        means.append(
            np.concatenate(
                [
                    np.mean([[one.scores(w, ranked=False)[:, 0] for one in s] for s in scorers], 1)
                    for w in draws.weights(number, units[number])
                ],
                axis=1,
            ).T
        )
    return draws.mean(np.stack(means, axis=1))


def bootstrap_interval(folds, classes, **settings):
    """Ends of the interval of each system."""
    return percentile_interval(bootstrap_means(folds, classes, **settings))


def one_class(hits, groups=None, seeds=1):
    """A fold of one class: its UAR is the share of hits, a binomial under the bootstrap."""
    hits = np.asarray(hits, bool)
    predicted = np.where(hits, 0, 1)[None, None].repeat(seeds, axis=1)
    return FoldDecisions(np.zeros(hits.size, int), predicted, groups)


def test_items_of_one_class_give_the_quantiles_of_a_binomial():
    hits = np.arange(80) < 60
    (low,), (high,) = bootstrap_interval([one_class(hits)], 2, resamples=20000)
    expected = binom.ppf([0.025, 0.975], 80, 0.75) / 80
    assert [low, high] == pytest.approx(expected, abs=1 / 80)


def test_groups_are_drawn_whole():
    """Ten groups of eight alike items are ten draws, not eighty."""
    hits, groups = np.arange(80) < 64, np.arange(80) // 8
    (low,), (high,) = bootstrap_interval([one_class(hits, groups)], 2, resamples=20000)
    assert [low, high] == pytest.approx(binom.ppf([0.025, 0.975], 10, 0.8) / 10, abs=0.101)
    (item_low,), (item_high,) = bootstrap_interval([one_class(hits)], 2, resamples=20000)
    assert high - low > 2 * (item_high - item_low)


def test_names_of_groups_do_not_matter():
    hits, groups = np.arange(30) % 3 > 0, np.arange(30) // 5
    named = np.array([f"subject {9 - g}" for g in groups])
    swapped = bootstrap_interval([one_class(hits, 9 - groups)], 2)
    assert bootstrap_interval([one_class(hits, named)], 2) == swapped


def test_items_stay_in_their_fold():
    """All right in one fold, all wrong in the other: pooled items would spread, folds do not."""
    folds = [one_class([True] * 20), one_class([False] * 20)]
    assert bootstrap_interval(folds, 2) == (pytest.approx(0.5), pytest.approx(0.5))


def test_seeds_of_a_fold_share_each_resample():
    """Two seeds that are right exactly where the other errs have a mean of one half, always."""
    right = np.arange(20) < 13
    predicted = np.stack([np.where(right, 0, 1), np.where(right, 1, 0)])[None]
    fold = FoldDecisions(np.zeros(20, int), predicted)
    assert bootstrap_interval([fold], 2) == (pytest.approx(0.5), pytest.approx(0.5))


def test_folds_count_alike_whatever_their_size():
    folds = [one_class([True] * 90), one_class([False] * 10)]
    assert bootstrap_interval(folds, 2)[0] == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_interval_and_others_do_not():
    fold = one_class(np.arange(50) < 35)
    assert bootstrap_interval([fold], 2, seed=1) == bootstrap_interval([fold], 2, seed=1)
    runs = {bootstrap_interval([fold], 2, seed=s, resamples=99)[0].item() for s in range(9)}
    assert len(runs) > 1


def test_a_further_system_leaves_the_others_intervals():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (4, 2, 60))
    few = bootstrap_interval([FoldDecisions(true, predicted[:2])], 3)
    many = bootstrap_interval([FoldDecisions(true, predicted)], 3)
    assert np.array_equal(few, np.array(many)[:, :2])


def test_each_resample_is_scored_by_uar_over_the_classes_it_holds():
    """One item a class, both right: a resample without one class still has a UAR of 1."""
    fold = FoldDecisions(np.array([0, 1]), np.array([[[0, 1]]]))
    assert bootstrap_interval([fold], 2) == (pytest.approx(1), pytest.approx(1))


def test_ninety_five_per_cent_cover_the_truth():
    rng = np.random.default_rng(4)
    recall, covered, trials = np.array([0.9, 0.6]), 0, 300
    for trial in range(trials):
        folds = []
        for _ in range(2):
            true = rng.permutation(np.repeat([0, 1], [90, 60]))
            right = rng.random(150) < recall[true]
            folds.append(FoldDecisions(true, np.where(right, true, 1 - true)[None, None]))
        (low,), (high,) = bootstrap_interval(folds, 2, resamples=500, seed=trial)
        covered += low <= recall.mean() <= high
    assert 0.91 <= covered / trials <= 0.98


def left_out(hits_a_fold, groups_a_fold=1):
    """Folds of ten items of one class, in which so many are right, the first ones."""
    folds = []
    for number, hits in enumerate(hits_a_fold):
        groups = np.arange(10) % groups_a_fold + 100 * number
        folds.append(one_class(np.arange(10) < hits, groups))
    return folds


def test_one_group_a_fold_is_drawn_over_the_whole_study():
    """A subject left out at a time: the plain bootstrap of the subjects' own recalls."""
    hits = [10] * 12 + [0] * 8
    (low,), (high,) = bootstrap_interval(left_out(hits), 2, resamples=20000)
    expected = binom.ppf([0.025, 0.975], 20, 0.6) / 20
    assert [low, high] == pytest.approx(expected, abs=0.001)


def means_of_groups(folds, resamples, seed):
    """The same where a fold is its groups, of equal size and of one class, and their recalls."""
    draws = Resamples([groups for groups, _ in folds], resamples, seed)
    means = []
    for number, (groups, recalls) in enumerate(folds):
        weights = np.concatenate(list(draws.weights(number, groups)))
        whole = weights.sum(1)
        there = whole > 0
        means.append(np.divide(weights @ recalls, whole, np.full(resamples, np.nan), where=there))
    return draws.mean(np.stack(means, axis=1))


def test_groups_of_equal_size_count_by_their_recalls():
    folds = [
        one_class(np.arange(8) < 6, np.arange(8) // 4),
        one_class([True] * 2, np.array([7, 8])),
    ]
    groups = [(np.arange(2), np.array([1, 0.5])), (np.array([7, 8]), np.ones(2))]
    expected = bootstrap_means(folds, 2, resamples=99)[:, 0]
    assert means_of_groups(groups, 99, 0) == pytest.approx(expected)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_few_groups_a_fold_cover_the_truth(groups):
    """Within their folds, two groups would cover it 80 times of a hundred, and one never."""
    rng = np.random.default_rng(7)
    covered, trials, folds_ = 0, 300, 12
    for trial in range(trials):
        folds = []
        for fold in range(folds_):
            recall = rng.normal(0.7, 0.12, groups).clip(0, 1)
            folds.append((100 * fold + np.arange(groups), rng.binomial(50, recall) / 50))
        low, high = percentile_interval(means_of_groups(folds, 500, trial))
        covered += low <= 0.7 <= high
    assert 0.88 <= covered / trials <= 0.98


def test_folds_count_alike_over_the_whole_study():
    """A fold of one group, all right, and one of ten, all wrong: the middle is still a half."""
    folds = [
        one_class([True] * 4, np.zeros(4, int)),
        one_class([False] * 40, np.arange(40) % 10 + 1),
    ]
    means = bootstrap_means(folds, 2)
    assert set(np.round(np.unique(means[means < 0.05]), 6)) == {0.0}  # the first was not drawn
    assert np.median(means) == pytest.approx(0.5, abs=0.03)


def test_the_fewest_units_that_stay_in_their_fold():
    folds = left_out([5] * 4, FEWEST)
    assert within_folds([range(FEWEST), range(100, 109)])
    assert not within_folds([range(FEWEST - 1), range(100, 109)])
    # Each fold's own resamples, from a source of its own: what other folds hold changes none.
    alone = bootstrap_means(folds[:1], 2)
    both = bootstrap_means([folds[0], one_class([False] * 10)], 2)
    assert np.allclose(both, alone / 2)
    mixed = bootstrap_means([folds[0], *left_out([0], FEWEST - 1)], 2)
    assert not np.allclose(mixed, alone / 2)


def test_a_group_of_two_folds_is_drawn_in_both_over_the_whole_study():
    """Right in one fold and wrong in the other, a group that is drawn counts a half, always."""
    groups = np.arange(3)
    folds = [one_class([True] * 3, groups), one_class([False] * 3, groups)]
    assert bootstrap_interval(folds, 2) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_further_system_leaves_the_others_means_over_the_whole_study():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, (4, 20)), rng.integers(0, 3, (4, 4, 2, 20))
    named = [np.full(20, number) for number in range(4)]
    few = [FoldDecisions(true[f], predicted[f, :2], named[f]) for f in range(4)]
    many = [FoldDecisions(true[f], predicted[f], named[f]) for f in range(4)]
    assert np.array_equal(bootstrap_means(few, 3), bootstrap_means(many, 3)[:, :2])


def test_folds_of_one_test_partition_are_drawn_together():
    """The same items five times over are not five times as many."""
    hits = np.arange(80) < 60
    one = bootstrap_interval([one_class(hits, np.arange(80))], 2, resamples=20000)
    same = [one_class(hits, np.arange(80)) for _ in range(5)]
    assert not within_folds([fold.groups for fold in same])
    assert np.array(bootstrap_interval(same, 2, resamples=20000)) == pytest.approx(
        np.array(one), abs=1 / 80
    )


@pytest.mark.parametrize("folds", [[], [one_class([])]])
def test_nothing_has_no_interval(folds):
    with pytest.raises(ValueError):
        bootstrap_interval(folds, 2)
