"""Statistics come from the training partition, and from nothing else."""

import numpy as np
import pytest

from deepself.store.features import FeatureWriter
from deepself.store.files import write_table
from deepself.training.data import Normaliser, load_fold


@pytest.mark.parametrize(("method", "axes"), [("channel", (0, 2, 3)), ("bin", (0, 3))])
def test_training_partition_gets_mean_0_and_deviation_1(method, axes):
    random = np.random.default_rng(0)
    items = (1e3 + random.gamma(2, 5, (20, 2, 6, 7))).astype(np.float32)
    Normaliser.fit(items, method).apply(items)
    np.testing.assert_allclose(items.mean(axis=axes), 0, atol=1e-3)
    np.testing.assert_allclose(items.std(axis=axes), 1, atol=1e-3)


def test_other_items_are_scaled_by_the_training_partition():
    normaliser = Normaliser.fit(np.array([[[1.0, 3.0]]], np.float32), "channel")
    others = np.array([[[2.0, 12.0]]], np.float32)
    normaliser.apply(others)
    assert others.tolist() == [[[0, 10]]]


def test_constant_rows_stay_finite():
    items = np.ones((4, 1, 3, 5), np.float32)
    Normaliser.fit(items, "bin").apply(items)
    assert not items.any()


def test_vectors_are_scaled_by_dimension():
    items = np.array([[0.0, 10], [2, 30]], np.float32)
    Normaliser.fit(items, "channel").apply(items)
    assert items.tolist() == [[-1, -1], [1, 1]]


def test_none_changes_nothing():
    items = np.ones((2, 3), np.float32)
    normaliser = Normaliser.fit(items, "none")
    normaliser.apply(items)
    assert items.all()
    assert normaliser.arrays() == {}


def test_fold_is_read_by_partition(tmp_path):
    rows = [["a", "y", "", "test"], ["b", "x", "", "train"], ["c", "x", "", "dev"]]
    write_table(tmp_path / "folds.csv", ["id", "label", "group", "fold-1"], rows)
    with FeatureWriter(tmp_path / "f.h5", ["c", "b", "a"], {}, {}) as writer:
        writer.append(np.arange(3, dtype=np.float32)[:, None])
    parts = load_fold(tmp_path / "f.h5", tmp_path / "folds.csv", "1", ["x", "y"])
    assert {name: part.ids for name, part in parts.items()} == {
        "train": ["b"],
        "dev": ["c"],
        "test": ["a"],
    }
    assert parts["test"].items.tolist() == [[2]]
    assert parts["test"].targets.tolist() == [1]
