"""The linear SVM: complexity and temperature are chosen on dev."""

import numpy as np
import pytest

from deepself.study.models import LinearSVM
from deepself.training.classifier import choose_temperature, run_classifier, softmax
from deepself.training.data import Normaliser, Part


def part(count, classes, spread, seed):
    random = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    items = np.eye(classes)[targets] * 3 + spread * random.standard_normal((count, classes))
    return Part(
        [f"{seed}-{i}" for i in range(count)], items.astype(np.float32), targets, np.arange(count)
    )


def run(classes=3, spread=1.0, dev=None, **settings):
    parts = {
        "train": part(60, classes, spread, 0),
        "dev": dev or part(30, classes, spread, 1),
        "test": part(30, classes, spread, 2),
    }
    spec = LinearSVM(type="linear_svm", **settings)
    return parts, run_classifier(spec, parts, classes, Normaliser(), seed=0)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_agree_with_scikit_learn(classes):
    from sklearn.svm import LinearSVC

    parts, outcome = run(classes, complexity=[0.1])
    svm = LinearSVC(C=0.1, class_weight="balanced", random_state=0, max_iter=20_000, dual="auto")
    svm.fit(parts["train"].items, parts["train"].targets)
    predicted = outcome.probabilities["test"].argmax(1)
    np.testing.assert_array_equal(predicted, svm.predict(parts["test"].items))
    np.testing.assert_allclose(outcome.probabilities["test"].sum(1), 1)


def test_complexity_is_the_best_on_dev_and_the_simplest_of_equals():
    _, outcome = run(spread=0.1, complexity=[1.0, 0.01, 0.1])
    assert [row[0] for row in outcome.history] == [0.01, 0.1, 1.0]
    assert outcome.best["complexity"] == 0.01


def test_choice_does_not_look_at_test():
    parts, first = run()
    shuffled = np.random.default_rng(0).permutation(parts["test"].targets)
    test = parts["test"]
    parts["test"] = Part(test.ids, test.items, shuffled, test.recordings)
    again = run_classifier(LinearSVM(type="linear_svm"), parts, 3, Normaliser(), seed=0)
    assert again.best == first.best
    np.testing.assert_array_equal(again.probabilities["test"], first.probabilities["test"])


def test_temperature_recovers_a_planted_one():
    random = np.random.default_rng(0)
    scores = random.standard_normal((4000, 3)) * 2
    targets = np.array([random.choice(3, p=p) for p in softmax(scores / 5)])
    assert choose_temperature(scores, targets) == pytest.approx(5, rel=0.15)
