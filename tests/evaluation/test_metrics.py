"""UAR is scikit-learn's balanced accuracy, whatever the classes that occur."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from deepself.evaluation.metrics import accuracy, confusion, uar


@st.composite
def decisions(draw):
    classes = draw(st.integers(1, 7))
    index = st.integers(0, classes - 1)
    pairs = draw(st.lists(st.tuples(index, index), min_size=1, max_size=60))
    true, predicted = zip(*pairs, strict=True)
    return classes, list(true), list(predicted)


@settings(deadline=None)
@given(decisions())
@example((3, [0, 0, 1], [2, 0, 1]))  # class 2 is predicted, but never true
@example((4, [1], [3]))
def test_as_scikit_learn(case):
    classes, true, predicted = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of absent classes
        assert uar(true, predicted, classes) == pytest.approx(
            balanced_accuracy_score(true, predicted), abs=1e-12
        )
        assert accuracy(true, predicted) == pytest.approx(accuracy_score(true, predicted))
        expected = confusion_matrix(true, predicted, labels=range(classes))
    assert confusion(true, predicted, classes).tolist() == expected.tolist()


def test_rows_of_the_confusion_matrix_are_true_classes():
    assert confusion([0, 0, 1], [1, 1, 1], 2).tolist() == [[0, 2], [0, 1]]


def test_uar_weighs_classes_alike_and_accuracy_items():
    true, predicted = [0] * 9 + [1], [0] * 10
    assert uar(true, predicted, 2) == 0.5
    assert accuracy(true, predicted) == 0.9


@pytest.mark.parametrize(
    ("true", "predicted"), [([], []), ([0], [0, 1]), ([0], [2]), ([-1], [0]), ([2], [0])]
)
def test_refuses_what_has_no_recall(true, predicted):
    with pytest.raises(ValueError):
        uar(true, predicted, 2)


def test_accuracy_of_nothing_is_refused():
    with pytest.raises(ValueError):
        accuracy(np.array([]), np.array([]))
