"""Stacking: scikit-learn's fit, chosen without a look at what is left out, on any dev."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from deepself.fusion import rules, stacking
from deepself.fusion.combine import Dev
from deepself.fusion.stacking import inputs, stack
from tests.fusion.making import skilled


@pytest.mark.parametrize(("classes", "candidates", "items"), [(3, 4, 80), (2, 3, 50), (4, 20, 30)])
def test_the_fit_is_that_of_the_plain_inputs(classes, candidates, items):
    dev = skilled(1, candidates, items, classes)
    stacked = stack(dev, [0.1])
    read = np.log(np.clip(dev.probabilities, 1e-6, None)).transpose(1, 0, 2).reshape(items, -1)
    assert np.allclose(inputs(dev.probabilities), read)
    plain = LogisticRegression(C=0.1, class_weight="balanced", max_iter=50_000, tol=1e-10)
    expected = plain.fit(read, dev.true).predict_proba(read)
    assert np.allclose(stacked.combine(dev.probabilities), expected, atol=2e-3)


def test_it_learns_what_a_mean_cannot():
    dev = skilled(3, candidates=2, items=300)
    mixed_up = dev.probabilities[0][:, [1, 2, 0]]  # its classes
    turned = np.stack([mixed_up, dev.probabilities[1]])
    dev = Dev(turned, dev.true)
    stacked = stack(dev, [0.01, 0.1, 1.0]).combine(turned)
    right = (stacked.argmax(axis=1) == dev.true).mean()
    assert right > (turned.mean(axis=0).argmax(axis=1) == dev.true).mean() + 0.1


def test_noise_is_met_with_the_strongest_penalty():
    rng = np.random.default_rng(0)
    noise = rng.dirichlet(np.ones(3), (40, 60))
    signal = skilled(1, candidates=1, items=60)
    dev = Dev(np.concatenate([signal.probabilities, noise]), signal.true)
    assert stack(dev, [1e-4, 1e4]).complexity == 1e-4


def test_the_same_dev_gives_the_same_fit():
    one, two = (stack(skilled(1), [0.01, 1.0]) for _ in range(2))
    assert one.complexity == two.complexity
    assert np.array_equal(one.coefficients, two.coefficients)
    assert np.array_equal(one.intercepts, two.intercepts)


def test_no_group_is_on_both_sides_of_a_split():
    groups = np.array([f"s{i // 6}" for i in range(60)])
    dev = skilled(1, groups=groups)
    parts = list(stacking._parts(dev))
    assert len(parts) == stacking.PARTS
    assert sorted(np.concatenate([out for _, out in parts]).tolist()) == list(range(60))
    for rest, out in parts:
        assert not set(groups[rest]) & set(groups[out])
    # Without groups, the split would separate items of one.
    assert any(
        set(groups[rest]) & set(groups[out])
        for rest, out in stacking._parts(Dev(dev.probabilities, dev.true))
    )


def test_groups_keep_the_fit_from_what_it_knows_by_heart():
    rng = np.random.default_rng(0)
    true = np.tile(np.arange(24) % 2, 10)
    groups = np.tile([f"s{i}" for i in range(24)], 10)
    # One candidate has learnt something; thirty say the same of all items of a group, at random.
    marks = np.tile(rng.dirichlet(np.full(2, 0.5), (30, 24)), (1, 10, 1))
    scores = rng.normal(0, 1, (240, 2))
    scores[np.arange(240), true] += 1.5
    learnt = rules.softmax(3 * scores)
    given = np.concatenate([learnt[None], marks])
    assert stack(Dev(given, true), [1e-4, 10.0]).complexity == 10.0
    assert stack(Dev(given, true, groups), [1e-4, 10.0]).complexity == 1e-4


@pytest.mark.parametrize("keep", [[0, 2], [1]])
def test_a_class_that_dev_lacks_keeps_the_mean(keep):
    dev = skilled(5, items=90)
    kept = np.isin(dev.true, keep)
    stacked = stack(Dev(dev.probabilities[:, kept], dev.true[kept]), [0.01, 1.0])
    fused, mean = stacked.combine(dev.probabilities), dev.probabilities.mean(axis=0)
    absent = [c for c in range(3) if c not in keep]
    assert stacked.present.tolist() == keep
    assert np.allclose(fused[:, absent], mean[:, absent])
    assert np.allclose(fused.sum(axis=1), 1)
    if len(keep) == 1:
        assert np.allclose(fused, mean)


@pytest.mark.parametrize(
    ("true", "groups"),
    [
        ([0, 1, 2], None),  # nothing can be left out
        ([0, 1, 2, 2], None),
        ([0, 0, 0, 0, 1, 2], None),
        ([0, 0, 1, 1, 2, 2], ["s"] * 6),
        ([0, 0, 1, 1, 2, 2], ["s", "s", "s", "t", "t", "t"]),  # a class a group
    ],
)
def test_a_small_dev_gives_a_fit(true, groups):
    dev = skilled(1, items=len(true))
    dev = Dev(dev.probabilities, np.array(true), None if groups is None else np.array(groups))
    fused = stack(dev, [0.01, 1.0]).combine(dev.probabilities)
    assert np.isfinite(fused).all()
    assert np.allclose(fused.sum(axis=1), 1)
