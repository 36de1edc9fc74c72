"""Networks at chance on dev are named, with the cause."""

import numpy as np
import pytest
import torch
from torch import nn

from deepself.study.training import Training
from deepself.training.diagnosis import at_chance, chance_limit
from tests.training.toys import blobs, make_loop, partition


def diagnose(loop, dev):
    return at_chance(
        loop.course.history, dev, 2, loop.steps, lambda: loop.logits_by_batch_statistics(dev)
    )


def test_running_statistics_that_have_not_settled_are_the_cause():
    """A network that learns from its first step, and whose statistics hardly move."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(3, momentum=1e-4), nn.Linear(3, 2))
    train, dev = blobs(200), blobs(60, 1)
    for part in (train, dev):
        part._items = (part._items[0] * 0.01 + 50,)
    settings = Training(epochs=6, batch_size=20, lr=0.1)
    loop = make_loop(settings, network=network, train=train, dev=dev)
    loop.run()
    said = diagnose(loop, dev)
    assert said is not None
    assert said.startswith("at chance on dev (UAR 50.0%, 50.0% at best; 50.0% by chance) while")
    assert "running statistics of its batch normalisation have not settled in 60 steps" in said
    kept = network[0].running_mean.clone()
    diagnose(loop, dev)
    assert torch.equal(network[0].running_mean, kept)


def test_labels_that_mean_nothing_are_learnt_by_heart():
    random = torch.Generator().manual_seed(0)
    train, dev = (
        partition(torch.randn(n, 20, generator=random), torch.arange(n) % 2) for n in (40, 60)
    )
    network = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
    settings = Training(epochs=60, batch_size=8, lr=0.01)
    loop = make_loop(settings, network=network, train=train, dev=dev)
    loop.run()
    loop.course.history = [(*row[:4], min(row[4], 0.55), *row[5:]) for row in loop.course.history]
    assert "it learns its items by heart" in diagnose(loop, dev)


def test_what_learns_or_does_not_even_fit_is_not_named():
    loop = make_loop(Training(epochs=20, batch_size=8, lr=0.05))
    loop.run()
    assert diagnose(loop, blobs(20, 1)) is None
    loop = make_loop(Training(epochs=2, batch_size=8, lr=1e-9), dev=blobs(20, 1, gap=0.0))
    loop.run()
    assert diagnose(loop, blobs(20, 1, gap=0.0)) is None


def test_few_items_do_not_make_a_good_score_chance():
    assert chance_limit(np.array([0, 0, 1, 1, 2, 2]), 3) < 0.5


@pytest.mark.parametrize("counts", [[50, 50], [80, 40], [20, 20, 20, 20]])
def test_limit_of_chance_holds_for_guesses(counts):
    """About 2 % of guesses pass two standard errors; never more than a few."""
    random = np.random.default_rng(0)
    classes = len(counts)
    targets = np.repeat(np.arange(classes), counts)
    limit = chance_limit(targets, classes)
    scores = []
    for _ in range(1000):
        right = random.integers(0, classes, len(targets)) == targets
        scores.append(np.mean([right[targets == c].mean() for c in range(classes)]))
    assert 0.002 < np.mean(np.array(scores) > limit) < 0.06
