"""Classifiers: what they list is chosen on dev, and NumPy predicts as scikit-learn does."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save_file

from deepself.errors import UserError
from deepself.study.models import AnyClassifier
from deepself.training.classifiers import kernel, predict, run_classifier
from deepself.training.classifiers.probabilities import choose_temperature, softmax
from deepself.training.data import Normaliser, Part
from tests.forking import call

CHOICES = {
    "linear_svm": {"complexity": [1.0, 0.01, 0.1]},
    "rbf_svm": {"complexity": [10.0, 1.0], "gamma": [1.0, 0.1]},
    "logistic_regression": {"complexity": [1.0, 0.01, 0.1]},
    "random_forest": {"leaf": [1, 2, 5], "trees": 20},
    "nearest_neighbours": {"neighbours": [1, 3, 5]},
}
SIMPLEST_FIRST = {
    "linear_svm": [(0.01,), (0.1,), (1.0,)],
    "rbf_svm": [(1.0, 0.1), (10.0, 0.1), (1.0, 1.0), (10.0, 1.0)],
    "logistic_regression": [(0.01,), (0.1,), (1.0,)],
    "random_forest": [(5,), (2,), (1,)],
    "nearest_neighbours": [(5,), (3,), (1,)],
}
every_type = pytest.mark.parametrize("type", CHOICES)


def settings(type, **chosen):
    return TypeAdapter(AnyClassifier).validate_python({"type": type, **chosen})


def part(count, classes, spread, seed, starts=None):
    """Clouds of points, a class each; one class has twice the items of the others."""
    random = np.random.default_rng(seed)
    targets = np.maximum(np.arange(count) % (classes + 1) - 1, 0)
    items = np.zeros((count, 6))
    items[:, :classes] = np.eye(classes)[targets] * 3
    items += spread * random.standard_normal(items.shape)
    ids = [f"{seed}-{i}" for i in range(count)]
    return Part(ids, items.astype(np.float32), targets, np.arange(count), starts)


def fold(classes=3, spread=1.0):
    return {
        "train": part(80, classes, spread, 0),
        "dev": part(40, classes, spread, 1),
        "test": part(40, classes, spread, 2),
    }


def run(type, parts, classes=3, **chosen):
    return run_classifier(settings(type, **chosen), parts, classes, Normaliser(), seed=0)


def scikit_learn(type, classes):
    """The same classifier, made by scikit-learn alone."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC, LinearSVC

    balanced = {"class_weight": "balanced"}
    rbf = SVC(C=10.0, gamma="scale", **balanced)
    return {
        "linear_svm": LinearSVC(C=0.1, random_state=0, max_iter=20_000, dual="auto", **balanced),
        "rbf_svm": rbf if classes == 2 else OneVsRestClassifier(rbf),
        "logistic_regression": LogisticRegression(C=0.1, max_iter=20_000, **balanced),
        "random_forest": RandomForestClassifier(20, min_samples_leaf=2, random_state=0, **balanced),
        "nearest_neighbours": KNeighborsClassifier(5),
    }[type]


CHOSEN = {
    "linear_svm": {"complexity": [0.1]},
    "rbf_svm": {"complexity": [10.0], "gamma": [1.0]},
    "logistic_regression": {"complexity": [0.1]},
    "random_forest": {"leaf": [2], "trees": 20},
    "nearest_neighbours": {"neighbours": [5]},
}


@every_type
@pytest.mark.parametrize("classes", [2, 3])
def test_it_predicts_as_scikit_learn_does(type, classes):
    parts = fold(classes)
    outcome = run(type, parts, classes, **CHOSEN[type])
    theirs = scikit_learn(type, classes).fit(parts["train"].items, parts["train"].targets)
    found, items = outcome.probabilities["test"], parts["test"].items
    assert found.dtype == np.float64 and found.shape == (40, classes)
    np.testing.assert_array_equal(found.argmax(1), theirs.predict(items))
    np.testing.assert_allclose(found.sum(1), 1)
    if "temperature" in outcome.best:
        scores = theirs.decision_function(items)
        scores = np.stack([-scores, scores], 1) / 2 if classes == 2 else scores
        expected = softmax(scores / outcome.best["temperature"])
    else:
        votes = 5 if type == "nearest_neighbours" else 20
        expected = (votes * theirs.predict_proba(items) + 1 / classes) / (votes + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_regressions_own_probabilities_are_those_at_temperature_one():
    parts = fold()
    outcome = run("logistic_regression", parts, complexity=[0.1])
    weights = {**outcome.weights, "classifier.temperature": np.ones(1)}
    theirs = scikit_learn("logistic_regression", 3).fit(
        parts["train"].items, parts["train"].targets
    )
    expected = theirs.predict_proba(parts["test"].items)
    found = predict("logistic_regression", weights, parts["test"].items)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@every_type
def test_of_equals_on_dev_the_simplest_is_taken(type):
    outcome = run(type, fold(spread=0.05), **CHOICES[type])
    tried = [row[:-2] for row in outcome.history]
    assert tried == SIMPLEST_FIRST[type]
    assert {row[-2] for row in outcome.history} == {1.0}
    names = outcome.columns[:-2]
    assert outcome.columns[-2:] == ("dev_uar", "seconds")
    assert tuple(outcome.best[name] for name in names) == tried[0]


@every_type
def test_the_best_on_dev_is_taken(type):
    outcome = run(type, fold(spread=2.0), **CHOICES[type])
    scores = [row[-2] for row in outcome.history]
    assert len(set(scores)) > 1
    best = outcome.history[int(np.argmax(scores))]
    assert tuple(outcome.best[name] for name in outcome.columns[:-2]) == best[:-2]


@every_type
def test_the_choice_does_not_look_at_test(type):
    parts = fold(spread=2.0)
    first = run(type, parts, **CHOICES[type])
    test = parts["test"]
    shuffled = np.random.default_rng(0).permutation(test.targets)
    parts["test"] = Part(test.ids, test.items, shuffled, test.recordings)
    again = run(type, parts, **CHOICES[type])
    assert again.best == first.best
    np.testing.assert_array_equal(again.probabilities["test"], first.probabilities["test"])


@every_type
def test_what_a_run_keeps_is_all_that_is_needed_to_predict(type, tmp_path):
    """In plain arrays, read by a process that has no scikit-learn."""
    parts = fold(spread=1.5)
    outcome = run(type, parts, **CHOICES[type])
    save_file(outcome.weights, tmp_path / "weights.safetensors")
    save_file(
        {"items": parts["test"].items, "found": outcome.probabilities["test"]}, tmp_path / "test"
    )
    code = f"""
import sys
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
import numpy as np
from safetensors.numpy import load_file
from deepself.training.classifiers import predict
test = load_file({str(tmp_path / "test")!r})
weights = load_file({str(tmp_path / "weights.safetensors")!r})
np.testing.assert_array_equal(predict({type!r}, weights, test["items"]), test["found"])
"""
    done = call([], code=code)
    assert done.returncode == 0, done.stderr
    kept = load_file(tmp_path / "weights.safetensors")
    assert {array.dtype.kind for array in kept.values()} <= {"f", "i"}


@pytest.mark.parametrize("type", ["random_forest", "nearest_neighbours"])
def test_shares_of_votes_are_never_certain(type):
    outcome = run(type, fold(spread=0.05), **CHOICES[type])
    for found in outcome.probabilities.values():
        assert 0 < found.min() < 0.1 and found.max() < 1


@every_type
def test_windows_are_judged_by_recording(type):
    """A third of the windows are noise: by window dev is hard, by recording easy."""
    parts = fold(spread=0.3)
    dev = parts["dev"]
    noise = np.random.default_rng(5).normal(0.5, 0.3, dev.items.shape).astype(np.float32)
    rows = np.stack([dev.items, noise, dev.items], 1).reshape(120, -1)
    recordings = np.repeat(np.arange(40), 3)
    starts = np.tile([0.0, 1.0, 2.0], 40)
    parts["dev"] = Part(dev.ids, rows, dev.targets[recordings], recordings, starts)
    outcome = run(type, parts, **CHOSEN[type])
    by_window = (outcome.probabilities["dev"].argmax(1) == parts["dev"].targets).mean()
    assert by_window < 0.9
    assert outcome.history[0][-2] == 1.0


@every_type
def test_the_same_seed_gives_the_same_numbers(type):
    first, again = (run(type, fold(spread=2.0), **CHOICES[type]) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities["test"], again.probabilities["test"])


@every_type
def test_images_are_vectors_too(type):
    parts = {
        name: Part(p.ids, p.items.reshape(-1, 1, 2, 3), p.targets, p.recordings)
        for name, p in fold().items()
    }
    expected = run(type, fold(), **CHOSEN[type]).probabilities["test"]
    np.testing.assert_array_equal(run(type, parts, **CHOSEN[type]).probabilities["test"], expected)


def test_statistics_of_the_normalisation_are_kept_beside_the_classifier():
    normaliser = Normaliser(np.zeros(6, np.float32), np.ones(6, np.float32))
    chosen = settings("linear_svm", complexity=[0.1])
    outcome = run_classifier(chosen, fold(), 3, normaliser, seed=0)
    assert {"normaliser.mean", "normaliser.deviation"} < outcome.weights.keys()
    assert outcome.parameters == 3 * 6 + 3
    assert outcome.weights["classifier.coefficients"].shape == (3, 6)


def test_similarities_need_not_all_be_in_memory(monkeypatch):
    parts = fold(spread=1.5)
    expected = run("rbf_svm", parts, **CHOICES["rbf_svm"])
    monkeypatch.setattr(kernel, "AT_ONCE", 0)
    found = run("rbf_svm", parts, **CHOICES["rbf_svm"])
    assert found.best == expected.best
    np.testing.assert_allclose(
        found.probabilities["test"], expected.probabilities["test"], rtol=1e-3, atol=1e-6
    )


def test_vectors_that_never_change_are_classified_all_the_same():
    parts = {
        name: Part(p.ids, np.zeros_like(p.items), p.targets, p.recordings)
        for name, p in fold().items()
    }
    for type in CHOICES:
        found = run(type, parts, **CHOSEN[type]).probabilities["test"]
        assert np.isfinite(found).all() and np.ptp(found, axis=0).max() == 0


def test_more_neighbours_than_items_are_not_tried():
    outcome = run("nearest_neighbours", fold(), neighbours=[500, 5])
    assert [row[0] for row in outcome.history] == [5]
    with pytest.raises(UserError, match=r"neighbours: at least 500, but .* has only 80 items"):
        run("nearest_neighbours", fold(), neighbours=[500, 900])


@every_type
def test_a_training_partition_without_a_class_is_refused(type):
    with pytest.raises(UserError, match="items of 3 of 4 classes only"):
        run(type, fold(), classes=4)


def test_temperature_recovers_a_planted_one():
    random = np.random.default_rng(0)
    scores = random.standard_normal((4000, 3)) * 2
    targets = np.array([random.choice(3, p=p) for p in softmax(scores / 5)])
    assert choose_temperature(scores, targets) == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("items", [20, 200])
def test_a_dev_without_errors_is_no_proof_of_certainty(items):
    targets = np.arange(items) % 4
    scores = np.eye(4)[targets] * 3 + np.random.default_rng(0).normal(0, 0.01, (items, 4))
    found = softmax(scores / choose_temperature(scores, targets))
    assert found.max(1).mean() == pytest.approx(1 - 1 / (items + 2), abs=0.3 / items)


def test_many_items_are_decided_in_parts(monkeypatch):
    from deepself.training.classifiers import family

    found = family.in_parts(lambda part: part * 2, np.arange(10.0)[:, None], 2**23)
    np.testing.assert_array_equal(found[:, 0], 2 * np.arange(10.0))
    seen = []
    family.in_parts(lambda part: seen.append(len(part)) or part, np.zeros((5, 1)), 2**23)
    assert seen == [2, 2, 1]


def test_a_forest_keeps_each_mixture_of_classes_once():
    tree = SimpleNamespace(
        node_count=5,
        children_left=np.array([1, -1, 3, -1, -1]),
        children_right=np.array([2, -1, 4, -1, -1]),
        feature=np.array([0, -2, 1, -2, -2]),
        threshold=np.array([0.5, -2, 0.5, -2, -2]),
        value=np.array([[1, 1], [1, 0], [0.5, 0.5], [0, 3], [2, 0]])[:, None],
    )
    from deepself.training.classifiers import forest

    arrays = forest._flattened([tree, tree])
    assert arrays["shares"].tolist() == [[0, 1], [1, 0]]
    assert arrays["roots"].tolist() == [0, 5]
    found = forest.decide(arrays, np.array([[0.5, 0], [0.6, 0.5], [0.6, 0.6]], np.float32))
    assert found.argmax(1).tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.max(1), (2 + 0.5) / 3)
