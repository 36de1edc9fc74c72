"""What chance reaches, against its own distribution."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.dummy import DummyClassifier

from deepself.evaluation.chance import majority, random_scores
from deepself.evaluation.evaluate import chances
from deepself.evaluation.protocol import Protocol, Truth
from deepself.evaluation.scoring import DECIDED, SCORES


def protocol_of(true, trained_on, folds=1):
    names = [str(f) for f in range(folds)]
    ids = [str(i) for i in range(len(true))]
    truth = {
        (fold, partition): Truth(ids, true, np.array(ids))
        for fold in names
        for partition in ("dev", "test")
    }
    classes = [str(c) for c in range(len(trained_on))]
    return Protocol(classes, names, truth, np.tile(trained_on, (folds, 1)), False)


def test_the_majority_is_scikit_learns_prior():
    priors = np.array([0.2, 0.5, 0.3])
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((10, 1)), [0] * 2 + [1] * 5 + [2] * 3)
    assert majority(priors, 4) == pytest.approx(dummy.predict_proba(np.zeros((4, 1))))


def test_random_guesses_are_right_as_often_as_a_binomial():
    """Forty items of one class that is a quarter of the training partition."""
    true = np.zeros(40, int)
    drawn = random_scores(true, np.array([0.25, 0.75]), np.random.default_rng(0), 20000)
    accuracy = drawn[:, DECIDED.index("accuracy")]
    assert accuracy.mean() == pytest.approx(0.25, abs=0.005)
    ends = np.quantile(accuracy, [0.025, 0.975])
    assert ends == pytest.approx(binom.ppf([0.025, 0.975], 40, 0.25) / 40, abs=1 / 40)


def test_both_have_a_uar_of_one_by_the_classes():
    true = np.repeat([0, 1, 2], [50, 10, 5])
    always, guessed = chances(protocol_of(true, np.array([60, 30, 10]), folds=3))
    own = always.overall["test", "recording"]
    assert (always.name, own.runs) == ("majority", 3)
    assert own.mean[SCORES.index("uar")] == pytest.approx(1 / 3)
    assert own.mean[SCORES.index("accuracy")] == pytest.approx(50 / 65)
    assert own.mean[SCORES.index("auc_macro")] == pytest.approx(0.5)
    drawn = guessed.overall["test", "recording"]
    place = SCORES.index("uar")
    assert drawn.mean[place] == pytest.approx(1 / 3, abs=0.01)
    assert drawn.low[place] < 1 / 3 < drawn.high[place]
    assert drawn.mean[SCORES.index("accuracy")] == pytest.approx(
        (0.6 * 50 + 0.3 * 10 + 0.1 * 5) / 65, abs=0.01
    )
    assert np.isnan(drawn.mean[SCORES.index("log_loss")])


def test_chance_is_the_same_each_time():
    measured = protocol_of(np.arange(30) % 3, np.array([10, 20, 30]))
    first, second = chances(measured)[1], chances(measured)[1]
    key = ("dev", "recording")
    assert np.array_equal(first.overall[key].low, second.overall[key].low, equal_nan=True)
