"""Greedy selection: the same picks as by trying everything, one mean after the other."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss

from deepself.fusion import greedy
from deepself.fusion.combine import Dev
from deepself.fusion.greedy import pick
from tests.fusion.making import skilled


def judged(dev, bag):
    """UAR and log loss of the mean of a bag of candidates, by scikit-learn."""
    mean = dev.probabilities[bag].mean(axis=0)
    recall = balanced_accuracy_score(dev.true, mean.argmax(axis=1))
    loss = log_loss(dev.true, mean, labels=range(mean.shape[1]))
    return round(-recall, 12), round(loss, 12)


def plain(dev, rounds, initial):
    """The selection, written down as simply as it can be."""
    every = range(len(dev.probabilities))
    bag = sorted(every, key=lambda one: judged(dev, [one]))[:initial]
    course = [list(bag)] if bag else []
    for _ in range(rounds):
        bag = [*bag, min(every, key=lambda one: judged(dev, [*bag, one]))]
        course.append(bag)
    return min(course, key=lambda bag: judged(dev, bag))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("initial", [0, 1, 3])
def test_picks_are_those_of_trying_everything(seed, initial):
    dev = skilled(seed, candidates=6)
    picks = pick(dev, 8, initial)
    assert picks.order == plain(dev, 8, initial)
    assert picks.counts.tolist() == np.bincount(picks.order, minlength=6).tolist()
    assert picks.weights @ np.ones(6) == pytest.approx(1)


def test_pieces_do_not_change_the_picks(monkeypatch):
    dev = skilled(2, candidates=7)
    whole = pick(dev, 6, 1).order
    monkeypatch.setattr(greedy, "AT_ONCE", 1)
    assert pick(dev, 6, 1).order == whole


def test_a_perfect_candidate_is_picked_alone():
    dev = skilled(1)
    perfect = np.eye(3)[dev.true]
    picks = pick(Dev(np.stack([*dev.probabilities, perfect]), dev.true), 10, 1)
    assert picks.order == [5]


def test_of_equal_candidates_the_first_is_picked_and_once():
    one = skilled(1, candidates=1)
    equal = Dev(np.repeat(one.probabilities, 3, axis=0), one.true)
    assert pick(equal, 10, 0).order == [0]
    assert pick(equal, 10, 2).order == [0, 1]


def test_more_initial_picks_than_candidates_are_all_of_them():
    picks = pick(skilled(1, candidates=3), 1, 9)
    assert sorted(picks.order[:3]) == [0, 1, 2]
    assert len(picks.order) <= 4


def test_a_class_that_dev_lacks_is_no_obstacle():
    dev = skilled(4)
    kept = dev.true != 1
    picks = pick(Dev(dev.probabilities[:, kept], dev.true[kept]), 5, 1)
    assert picks.counts.sum() == len(picks.order) >= 1
