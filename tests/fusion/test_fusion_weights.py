"""Weights and temperatures: the same that other solvers find, and only as good as dev says."""

import numpy as np
import pytest
from scipy.optimize import minimize

from deepself.errors import UserError
from deepself.fusion.combine import Dev
from deepself.fusion.rules import softmax, weighted_mean
from deepself.fusion.temperature import BOUNDS, at_temperatures, learn_temperatures
from deepself.fusion.weights import given_weights, learn_weights
from tests.fusion.making import skilled


def log_loss(probabilities, true):
    return -np.log(probabilities[np.arange(len(true)), true]).mean()


@pytest.mark.parametrize("seed", range(4))
def test_learnt_weights_are_those_of_a_solver_over_the_simplex(seed):
    dev = skilled(seed, candidates=4)

    def loss(weights):
        return log_loss(weighted_mean(dev.probabilities, weights), dev.true)

    sums_to_one = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    found = minimize(
        loss, np.full(4, 0.25), method="SLSQP", bounds=[(0, 1)] * 4, constraints=sums_to_one,
        options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    weights = learn_weights(dev)
    assert weights.sum() == pytest.approx(1)
    assert loss(weights) <= loss(found.x) + 1e-8
    assert np.allclose(weights, found.x, atol=2e-3)


def test_learnt_weights_of_two_are_those_of_a_fine_grid():
    dev = skilled(7, candidates=2)
    shares = np.linspace(0, 1, 2001)
    losses = [
        log_loss(weighted_mean(dev.probabilities, np.array([s, 1 - s])), dev.true) for s in shares
    ]
    assert learn_weights(dev)[0] == pytest.approx(shares[np.argmin(losses)], abs=6e-4)


def test_a_candidate_that_knows_all_has_all_weight():
    dev = skilled(1, candidates=3)
    sure = np.eye(3)[dev.true] * 0.98 + 0.01
    weights = learn_weights(Dev(np.stack([*dev.probabilities, sure]), dev.true))
    assert weights[-1] > 0.95


def test_equal_candidates_have_equal_weights():
    one = skilled(1, candidates=1)
    weights = learn_weights(Dev(np.repeat(one.probabilities, 4, axis=0), one.true))
    assert np.allclose(weights, 0.25)


def test_given_weights_are_brought_to_a_sum_of_one():
    assert given_weights([3, 1, 0]).tolist() == [0.75, 0.25, 0]
    with pytest.raises(UserError, match="weight 0"):
        given_weights([0, 0])


def test_temperatures_are_those_of_a_fine_grid():
    dev = skilled(3, candidates=4, items=200)
    found = learn_temperatures(dev)
    grid = np.geomspace(*BOUNDS, 4000)
    logits = np.log(dev.probabilities)
    for one, temperature in zip(logits, found, strict=True):
        losses = [log_loss(softmax(one / t), dev.true) for t in grid]
        assert temperature == pytest.approx(grid[np.argmin(losses)], rel=2e-3)
    fused = at_temperatures(dev.probabilities, found)
    assert np.allclose(fused[0], softmax(logits[0] / found[0]))
    assert log_loss(fused[0], dev.true) <= log_loss(dev.probabilities[0], dev.true)


def test_a_scale_that_is_known_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    true = (softmax(logits).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    given_ = np.stack([softmax(3 * logits), softmax(logits), softmax(logits / 2)])
    assert np.allclose(learn_temperatures(Dev(given_, true)), [3, 1, 0.5], rtol=0.05)


def test_where_all_is_right_or_wrong_the_temperature_ends_at_its_bound():
    true = np.array([0, 1, 0, 1])
    right = np.eye(2)[true] * 0.8 + 0.1
    found = learn_temperatures(Dev(np.stack([right, 1 - right]), true))
    assert np.allclose(found, BOUNDS, rtol=1e-3)


def test_certain_and_wrong_stays_finite():
    true = np.array([0, 1, 0])
    certain = np.eye(2)[[0, 1, 1]]
    dev = Dev(np.stack([certain, certain[:, ::-1]]), true)
    assert np.isfinite(learn_temperatures(dev)).all()
    assert np.isfinite(learn_weights(dev)).all()
