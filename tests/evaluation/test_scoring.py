"""Every score against scikit-learn's, for any weights, classes that are absent included."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.preprocessing import label_binarize

from deepself.evaluation.metrics import uar
from deepself.evaluation.scoring import BINS, SCORES, Scorer, bin_of, reliability

PLACE = {name: place for place, name in enumerate(SCORES)}


@st.composite
def tables(draw):
    """True classes and probabilities, some of them equal; not every class need occur."""
    classes = draw(st.integers(2, 5))
    rows = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    true = rng.choice(present, rows)
    raw = rng.exponential(size=(rows, classes))
    if draw(st.booleans()):
        raw = np.ceil(raw * 2)  # ties
    return true, raw / raw.sum(axis=1, keepdims=True)


def scored(true, probabilities, weights=None):
    weights = np.ones(len(true)) if weights is None else weights
    return dict(zip(SCORES, Scorer(true, probabilities).scores(weights[None])[0], strict=True))


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that do not occur
        return function(*args, **kwargs)


def agree(own, true, probabilities, weights):
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    given_ = {"sample_weight": weights}
    assert own["uar"] == pytest.approx(
        quietly(reference.balanced_accuracy_score, true, predicted, **given_)
    )
    assert own["accuracy"] == pytest.approx(reference.accuracy_score(true, predicted, **given_))
    counted = np.unique(np.concatenate([true, predicted])[np.tile(weights, 2) > 0])
    for average, name in (("macro", "f1_macro"), ("weighted", "f1_weighted")):
        expected = reference.f1_score(
            true, predicted, labels=counted, average=average, zero_division=0, **given_
        )
        assert own[name] == pytest.approx(expected)
    truth = np.eye(classes)[true]
    assert own["log_loss"] == pytest.approx(
        quietly(reference.log_loss, truth, probabilities, **given_)
    )
    squares = ((probabilities - truth) ** 2).sum(axis=1)
    assert own["brier"] == pytest.approx(np.average(squares, weights=weights))
    areas, precisions = [], []
    for c in range(classes):
        positive = true == c
        if weights[positive].sum():
            precisions.append(
                reference.average_precision_score(positive, probabilities[:, c], **given_)
            )
            if weights[~positive].sum():
                areas.append(reference.roc_auc_score(positive, probabilities[:, c], **given_))
    assert own["ap_macro"] == pytest.approx(np.mean(precisions))
    if areas:
        assert own["auc_macro"] == pytest.approx(np.mean(areas))
    else:
        assert np.isnan(own["auc_macro"])


@settings(max_examples=150, deadline=None)
@given(tables())
def test_scores_are_scikit_learns(table):
    true, probabilities = table
    agree(scored(true, probabilities), true, probabilities, np.ones(len(true)))


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(0, 2**32 - 1))
def test_weighted_scores_are_scikit_learns(table, seed):
    true, probabilities = table
    weights = np.random.default_rng(seed).integers(0, 4, len(true)).astype(float)
    weights[0] += 1
    agree(scored(true, probabilities, weights), true, probabilities, weights)


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(0, 2**32 - 1))
def test_a_weight_is_a_row_that_stands_there_as_often(table, seed):
    true, probabilities = table
    times = np.random.default_rng(seed).integers(0, 4, len(true))
    times[0] += 1
    repeated = scored(np.repeat(true, times), np.repeat(probabilities, times, axis=0))
    weighted = scored(true, probabilities, times.astype(float))
    assert [*weighted.values()] == pytest.approx([*repeated.values()], nan_ok=True)


@settings(max_examples=200, deadline=None)
@given(tables())
def test_uar_is_balanced_accuracy_also_without_some_classes(table):
    true, probabilities = table
    predicted = probabilities.argmax(axis=1)
    own = uar(true, predicted, probabilities.shape[1])
    expected = quietly(reference.balanced_accuracy_score, true, predicted)
    assert own == pytest.approx(expected, abs=1e-15)
    assert scored(true, probabilities)["uar"] == pytest.approx(expected)


def test_several_classes_auc_is_scikit_learns_one_against_the_rest():
    rng = np.random.default_rng(0)
    true = np.arange(90) % 3
    raw = rng.exponential(size=(90, 3)) + np.eye(3)[true]
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    own = scored(true, probabilities)
    assert own["auc_macro"] == pytest.approx(
        reference.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    )
    hot = label_binarize(true, classes=[0, 1, 2])
    assert own["ap_macro"] == pytest.approx(reference.average_precision_score(hot, probabilities))


def test_calibration_error_of_a_worked_example():
    """Two bins: 0.9 twice, of which one is right, and 0.6 once, which is right."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    expected = (abs(1 - 1.8) + abs(1 - 0.6)) / 3
    assert scored(np.array([0, 1, 1]), probabilities)["ece"] == pytest.approx(expected)


def test_a_bin_holds_its_upper_edge():
    edges = np.arange(1, BINS + 1) / BINS
    assert bin_of(edges).tolist() == list(range(BINS))
    assert bin_of(edges + 1e-9).tolist() == [*range(1, BINS), BINS - 1]
    assert bin_of(np.array([0.0])).tolist() == [0]


def test_bins_hold_what_the_calibration_error_is_made_of():
    rng = np.random.default_rng(3)
    true = rng.integers(0, 4, 200)
    probabilities = rng.dirichlet(np.ones(4), 200)
    items, confidence, right = reliability(true, probabilities)
    assert items.sum() == 200
    assert np.abs(right - confidence).sum() / 200 == pytest.approx(
        scored(true, probabilities)["ece"]
    )


def test_a_certain_and_wrong_answer_has_a_finite_loss():
    own = scored(np.array([0]), np.array([[0.0, 1.0]]))
    assert own["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps))
    assert own["brier"] == 2


def test_no_weight_at_all_has_no_score():
    probabilities = np.array([[0.2, 0.8], [0.6, 0.4]])
    own = Scorer([0, 1], probabilities).scores(np.zeros((1, 2)))
    assert np.isnan(own).all()


def test_recall_and_precision_of_a_class():
    true = np.array([0, 0, 0, 1])
    probabilities = np.eye(3)[[0, 0, 1, 1]]
    recall, precision = Scorer(true, probabilities).by_class(np.ones((1, 4)))[0]
    assert recall[:2] == pytest.approx([2 / 3, 1])
    assert np.isnan(recall[2])
    assert precision[:2] == pytest.approx([1, 1 / 2])
    assert np.isnan(precision[2])


def test_without_ranked_scores_the_rest_is_the_same():
    rng = np.random.default_rng(1)
    scorer = Scorer(rng.integers(0, 3, 20), rng.dirichlet(np.ones(3), 20))
    weights = rng.integers(0, 3, (5, 20)).astype(float)
    with_, without = scorer.scores(weights), scorer.scores(weights, ranked=False)
    ranked = [PLACE["auc_macro"], PLACE["ap_macro"]]
    rest = [place for place in range(len(SCORES)) if place not in ranked]
    assert np.array_equal(with_[:, rest], without[:, rest])
    assert np.isnan(without[:, ranked]).all()
