"""Rules without learning: against SciPy, by hand, and where classes are tied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gmean, rankdata

from deepself.fusion import rules
from tests.fusion.making import made, skilled

RULES = [rules.mean, rules.geometric_mean, rules.maximum, rules.majority_vote, rules.borda]


def stacked(*rows):
    """Candidates, each with one item."""
    return np.array(rows, dtype=np.float64)[:, None, :]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), candidates=st.integers(1, 6), classes=st.integers(2, 5))
def test_rows_sum_to_one_and_candidates_have_no_order(rule, seed, candidates, classes):
    rng = np.random.default_rng(seed)
    given_ = rng.dirichlet(np.full(classes, 0.3), (candidates, 15))
    given_[rng.random(given_.shape) < 0.2] = 0
    given_[..., 0] += given_.sum(axis=2) == 0
    given_ /= given_.sum(axis=2, keepdims=True)
    fused = rule(given_)
    assert fused.shape == (15, classes)
    assert (fused >= 0).all()
    assert np.allclose(fused.sum(axis=1), 1)
    assert np.allclose(rule(given_[::-1]), fused)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_candidates_that_agree_keep_their_decision(rule):
    one = made(1).probabilities
    fused = rule(np.stack([one, one, one]))
    assert np.array_equal(fused.argmax(axis=1), one.argmax(axis=1))


def test_geometric_mean_is_that_of_scipy():
    given_ = skilled(1).probabilities
    expected = gmean(given_, axis=0)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(rules.geometric_mean(given_), expected, rtol=1e-12)


def test_a_zero_of_one_candidate_leaves_a_number():
    fused = rules.geometric_mean(stacked([1, 0], [0, 1]))
    assert np.allclose(fused, 0.5)
    # sqrt(LEAST × 0.9) against sqrt(1 × 0.1)
    fused = rules.geometric_mean(stacked([0, 1], [0.9, 0.1]))
    ratio = np.sqrt(rules.LEAST * 0.9 / 0.1)
    assert fused[0, 0] / fused[0, 1] == pytest.approx(ratio)


def test_maximum_by_hand():
    fused = rules.maximum(stacked([0.7, 0.2, 0.1], [0.1, 0.3, 0.6]))
    assert np.allclose(fused, np.array([[0.7, 0.3, 0.6]]) / 1.6)


def test_votes_by_hand():
    fused = rules.majority_vote(stacked([0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.1, 0.2, 0.7]))
    assert np.array_equal(fused, [[2 / 3, 0, 1 / 3]])


def test_tied_votes_fall_to_the_mean():
    # One vote each; the second class has the higher mean, though the first stands before it.
    votes = stacked([0.6, 0.4, 0.0], [0.1, 0.9, 0.0])
    fused = rules.majority_vote(votes)
    assert fused.argmax() == 1
    assert np.allclose(fused, [[0.5, 0.5, 0]], atol=2 * rules.NUDGE)
    # The mean speaks among the tied alone: the third class has the highest, and the fewest votes.
    votes = stacked([0.51, 0, 0.49], [0.51, 0, 0.49], [0, 0.52, 0.48], [0, 0.52, 0.48])
    assert rules.majority_vote(votes).argmax() == 1
    assert rules.mean(votes).argmax() == 2


def test_borda_by_hand():
    # Ranks of the classes, the least probable 0: (3, 2, 1, 0), (2, 3, 0, 1), (3, 0.5, 2, 0.5).
    given_ = stacked([0.4, 0.3, 0.2, 0.1], [0.3, 0.5, 0.05, 0.15], [0.5, 0.1, 0.3, 0.1])
    assert np.allclose(rules.borda(given_), np.array([[8, 5.5, 3, 1.5]]) / 18)


def test_tied_ranks_fall_to_the_mean():
    assert rules.borda(stacked([0.5, 0.4, 0.1], [0.1, 0.8, 0.1])).argmax() == 1
    given_ = stacked([0.6, 0.4, 0], [0.1, 0.9, 0])  # ranks (2, 1, 0) and (1, 2, 0)
    fused = rules.borda(given_)
    assert fused.argmax() == 1
    assert np.allclose(fused, [[0.5, 0.5, 0]], atol=2 * rules.NUDGE)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000))
def test_ranks_are_those_of_scipy(seed):
    values = np.random.default_rng(seed).integers(0, 4, (10, 6)).astype(float)  # with many ties
    assert np.array_equal(rules.ranks(values), rankdata(values, axis=1) - 1)
