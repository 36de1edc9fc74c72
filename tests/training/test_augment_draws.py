"""Random numbers have the distributions that they say."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from deepself.training.augment.draws import chosen, symmetric_beta, uniform, whole
from deepself.training.augment.items import at_most
from tests.training.augmenting import generator


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 2.5, 30.0])
def test_symmetric_beta_is_beta(alpha):
    drawn = symmetric_beta(20_000, alpha, generator()).numpy()
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert drawn.mean() == pytest.approx(0.5, abs=0.015)
    assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    # At an alpha of 0.05 most draws are nearer to 0 or 1 than float64 can tell.
    inner = drawn[(drawn > 1e-9) & (drawn < 1 - 1e-9)]
    law = beta(alpha, alpha)
    low, high = law.cdf([1e-9, 1 - 1e-9])
    assert kstest(inner, lambda x: (law.cdf(x) - low) / (high - low)).pvalue > 0.001


def test_symmetric_beta_of_extreme_alphas_is_finite():
    assert torch.isfinite(symmetric_beta(10_000, 1e-4, generator())).all()
    assert (symmetric_beta(10_000, 1e12, generator()) - 0.5).abs().max() < 1e-5


def test_whole_numbers_reach_both_ends_evenly():
    highest = torch.tensor([0, 1, 4]).repeat(5000)
    drawn = whole(highest, generator())
    assert drawn[::3].unique().tolist() == [0]
    assert drawn[1::3].double().mean() == pytest.approx(0.5, abs=0.03)
    counts = np.bincount(drawn[2::3].numpy(), minlength=5)
    assert counts == pytest.approx(np.full(5, 1000), rel=0.12)


def test_whole_numbers_tell_all_samples_of_a_long_recording_apart():
    drawn = whole(torch.full((2000,), 2**40), generator())
    assert (drawn % 2).double().mean() == pytest.approx(0.5, abs=0.05)


def test_uniform_stays_between_both():
    drawn = uniform(10_000, -3, 5, generator())
    assert drawn.min() >= -3
    assert drawn.max() < 5
    assert drawn.mean() == pytest.approx(1, abs=0.1)


def test_chosen_is_the_share():
    assert chosen(10_000, 0.3, generator()).double().mean() == pytest.approx(0.3, abs=0.02)
    assert chosen(1000, 1.0, generator()).all()


def test_at_most_is_not_fooled_by_binary_fractions():
    assert at_most(torch.tensor([100, 10, 3]), 0.29).tolist() == [29, 2, 0]
