"""Tests of differences against scipy, statsmodels and published examples."""

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables, multitest

from deepself.evaluation.diversity import count_pairs
from deepself.evaluation.significance import corrected_t, holm, mcnemar, ranks, z_test

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""Areas under the curve of four learners on 14 data sets, as in table 6 of Demšar, 2006."""


def test_without_the_correction_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.8, 0.05, (2, 10, 3))
    t, degrees, p = corrected_t(first - second, 0.0)
    expected = stats.ttest_rel(first, second)
    assert t == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)
    assert set(degrees) == {9}


def test_the_correction_widens_the_variance_as_published():
    """Ten folds, nine parts to train and one to test: 1/10 + 1/9 in place of 1/10."""
    difference = np.random.default_rng(1).normal(0.02, 0.05, 10)
    t, _, p = corrected_t(difference, 1 / 9)
    plain = stats.ttest_1samp(difference, 0).statistic
    assert t == pytest.approx(plain * np.sqrt((1 / 10) / (1 / 10 + 1 / 9)))
    assert p == pytest.approx(2 * stats.t.sf(abs(t), 9))


def test_t_test_of_differences_without_spread():
    t, _, p = corrected_t(np.array([[0.1, 0.0, -0.2]] * 5), 0.25)
    assert t.tolist() == [np.inf, 0, -np.inf]
    assert p.tolist() == [0, 1, 0]


def test_t_test_of_one_fold_does_not_exist():
    t, degrees, p = corrected_t(np.array([[0.1]]), 0.25)
    assert np.isnan([t, p]).all()
    assert degrees.tolist() == [0]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels(only_first, only_second):
    table = [[7, only_first], [only_second, 3]]
    expected = contingency_tables.mcnemar(table, exact=True).pvalue
    own = mcnemar(np.array([only_first]), np.array([only_second]))
    assert own[0] == pytest.approx(min(1, expected))


def test_mcnemar_goes_on_between_whole_numbers():
    few = np.linspace(3, 4, 11)
    p = mcnemar(few, np.full(11, 12.0))
    assert (np.diff(p) > 0).all()


@pytest.fixture(scope="module")
def frozen():
    """statsmodels collects garbage in every call: a second, among all that tests import."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_statsmodels(p):
    expected = multitest.multipletests(p, method="holm")[1]
    assert holm(np.array(p)) == pytest.approx(expected)


def test_holm_does_not_count_what_does_not_exist():
    assert holm(np.array([0.01, np.nan, 0.04])) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_z_test_is_the_normal_distributions():
    p = z_test(np.array([0.1, -0.1, 0.0, 0.2, np.nan]), np.array([0.05, 0.05, 0.0, 0.0, 0.1]))
    assert p[:2] == pytest.approx(2 * stats.norm.sf(2))
    assert p[2:4].tolist() == [1, 0]
    assert np.isnan(p[4])


def test_ranks_of_a_published_example():
    """Demšar's section 3.2.2 gives these mean ranks, this statistic and this difference."""
    found = ranks(DEMSAR)
    assert found.means == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=0.0005)
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=0.002)
    assert found.critical == pytest.approx(1.25, abs=0.01)
    # The paper's statistic is uncorrected for ties, 9.28; scipy's is corrected.
    expected = stats.friedmanchisquare(*DEMSAR.T)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    # No two differ by 1.25, so all are one clique, the best first.
    assert found.cliques == [[3, 1, 2, 0]]


def test_cliques_overlap_and_leave_out_who_stands_alone():
    wins = np.array([[9, 8, 7, 1], [9, 8, 7, 1]] * 40, float)
    wins[::2, :2] = wins[::2, 1::-1]  # the first two take turns
    assert ranks(wins).cliques == [[0, 1]]
    chain = np.tile([[9.0, 8, 7], [8, 9, 7], [9, 7, 8]], (4, 1))
    found = ranks(chain)
    apart = found.means[[1, 2]] - found.means[[0, 1]]
    assert (apart <= found.critical).all() and apart.sum() > found.critical
    assert found.cliques == [[0, 1], [1, 2]]


@pytest.mark.parametrize("shape", [(1, 4), (5, 1)])
def test_one_fold_or_system_has_no_ranks(shape):
    with pytest.raises(ValueError):
        ranks(np.zeros(shape))


def test_equal_systems_do_not_differ():
    found = ranks(np.ones((5, 3)))
    assert (found.statistic, found.p) == (0, 1)
    assert found.cliques == [[0, 1, 2]]


def test_diversity_of_a_worked_example():
    """Ten items: 4 both right, 3 only the first, 2 only the second, 1 neither."""
    first = np.array([1] * 7 + [0] * 3)
    second = np.array([1] * 4 + [0] * 3 + [1, 1, 0])
    found = count_pairs(np.array([first, second], float))
    counts = (found.both, found.only_first, found.only_second, found.neither)
    assert [table[0, 1] for table in counts] == [4, 3, 2, 1]
    assert found.disagreement[0, 1] == pytest.approx(0.5)
    assert found.q[0, 1] == pytest.approx((4 * 1 - 3 * 2) / (4 * 1 + 3 * 2))
    assert found.q[0, 1] == found.q[1, 0]


def test_q_of_a_system_without_errors_does_not_exist():
    assert np.isnan(count_pairs(np.array([[1.0, 1, 1], [1, 0, 1]])).q[0, 1])


def test_an_item_of_several_folds_counts_once():
    right = np.array([[1.0, 1, 0], [0, 0, 1]])
    found = count_pairs(right, np.array([0.5, 0.5, 1]))
    assert (found.only_first[0, 1], found.only_second[0, 1]) == (1, 1)


def test_seeds_count_as_all_their_pairs():
    """Two seeds a system, no two right together: of four pairs of seeds, three differ."""
    first, second = np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]])
    shares = np.array([first.mean(0), second.mean(0)])
    found = count_pairs(shares)
    expected = np.mean([a * (1 - b) for a in first[:, 0] for b in second[:, 0]])
    assert found.only_first[0, 1] == pytest.approx(expected)
    expected = np.mean([(1 - a) * b for a in first[:, 0] for b in second[:, 0]])
    assert found.only_second[0, 1] == pytest.approx(expected)
