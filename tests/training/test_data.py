"""Statistics come from the training partition, and from nothing else."""

import numpy as np
import pytest

from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.files import write_table
from deepself.training.data import Normaliser, Part, load_fold


def part(items, lengths=None, recordings=None, starts=None):
    items = np.array(items, np.float32)
    rows = np.arange(len(items)) if recordings is None else np.array(recordings)
    ids = [str(i) for i in range(rows.max() + 1)]
    lengths = None if lengths is None else np.array(lengths)
    return Part(ids, items, rows % 2, rows, starts, lengths)


@pytest.mark.parametrize(
    ("method", "axes"), [("channel", (0, 2, 3)), ("bin", (0, 3)), ("item", (2, 3))]
)
def test_training_partition_gets_mean_0_and_deviation_1(method, axes):
    random = np.random.default_rng(0)
    train = part(1e3 + random.gamma(2, 5, (20, 2, 6, 7)))
    Normaliser.fit(train, method).apply(train)
    np.testing.assert_allclose(train.items.mean(axis=axes), 0, atol=1e-3)
    np.testing.assert_allclose(train.items.std(axis=axes), 1, atol=1e-3)


@pytest.mark.parametrize("method", ["channel", "bin", "item"])
def test_what_fills_items_up_is_not_counted_and_becomes_zero(method):
    random = np.random.default_rng()
    lengths = np.array([7, 3, 5])
    values = random.gamma(2, 5, (3, 2, 6, 7)).astype(np.float32)
    for row, length in zip(values, lengths, strict=True):
        row[..., length:] = 0
    train = part(values, lengths)
    normaliser = Normaliser.fit(train, method)
    normaliser.apply(train)
    true = [row[..., :length] for row, length in zip(train.items, lengths, strict=True)]
    for row, length in zip(train.items, lengths, strict=True):
        assert not row[..., length:].any()
    if method == "item":
        for row in true:
            np.testing.assert_allclose(row.mean(axis=(1, 2)), 0, atol=1e-4)
            np.testing.assert_allclose(row.std(axis=(1, 2)), 1, atol=1e-4)
    else:
        axes = {"channel": (1, 2), "bin": 2}[method]
        together = np.concatenate(true, axis=2)
        np.testing.assert_allclose(together.mean(axis=axes), 0, atol=1e-4)
        np.testing.assert_allclose(together.std(axis=axes), 1, atol=1e-4)


def test_other_items_are_scaled_by_the_training_partition():
    normaliser = Normaliser.fit(part([[[1.0, 3.0]]]), "channel")
    others = part([[[2.0, 12.0]]])
    normaliser.apply(others)
    assert others.items.tolist() == [[[0, 10]]]


def test_each_item_is_scaled_by_itself():
    train, other = part([[[1.0, 3.0]]]), part([[[10.0, 50.0]], [[5.0, 5.0]]])
    Normaliser.fit(train, "item").apply(other)
    assert other.items.tolist() == [[[-1, 1]], [[0, 0]]]


def test_constant_rows_stay_finite():
    train = part(np.ones((4, 1, 3, 5)))
    Normaliser.fit(train, "bin").apply(train)
    assert not train.items.any()


def test_vectors_are_scaled_by_dimension():
    train = part([[0.0, 10], [2, 30]])
    Normaliser.fit(train, "channel").apply(train)
    assert train.items.tolist() == [[-1, -1], [1, 1]]


def test_none_changes_nothing():
    train = part(np.ones((2, 3)))
    normaliser = Normaliser.fit(train, "none")
    normaliser.apply(train)
    assert train.items.all()
    assert normaliser.arrays() == {}


def test_probabilities_of_windows_are_averaged():
    windows = part(np.zeros((3, 1)), recordings=[0, 0, 1], starts=np.array([0.0, 1, 0]))
    found = windows.by_recording(np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
    np.testing.assert_allclose(found, [[0.4, 0.6], [0.5, 0.5]])
    assert windows.labels.tolist() == [0, 1]


def fold(tmp_path, batch):
    rows = [["a", "y", "", "test"], ["b", "x", "", "train"], ["c", "x", "", "dev"]]
    write_table(tmp_path / "folds.csv", ["id", "label", "group", "fold-1"], rows)
    header = Header(["c", "b", "a"], ["3", "2", "1"], {}, {})
    with FeatureWriter(tmp_path / "f.h5", header) as writer:
        writer.append(batch)
    return load_fold(tmp_path / "f.h5", tmp_path / "folds.csv", "1", ["x", "y"])


def test_fold_is_read_by_partition(tmp_path):
    parts = fold(tmp_path, Batch(np.arange(3, dtype=np.float32)[:, None], [1, 1, 1]))
    assert {name: part.ids for name, part in parts.items()} == {
        "train": ["b"],
        "dev": ["c"],
        "test": ["a"],
    }
    assert parts["test"].items.tolist() == [[2]]
    assert parts["test"].targets.tolist() == [1]
    assert parts["test"].starts is None


def test_windows_stay_in_their_recordings_partition(tmp_path):
    items = np.arange(6, dtype=np.float32)[:, None]
    starts = np.array([0.0, 1, 0, 0, 1, 2])
    parts = fold(tmp_path, Batch(items, [2, 1, 3], starts=starts))
    assert parts["dev"].items.ravel().tolist() == [0, 1]
    assert parts["train"].items.ravel().tolist() == [2]
    assert parts["test"].items.ravel().tolist() == [3, 4, 5]
    assert parts["test"].targets.tolist() == [1, 1, 1]
    assert parts["test"].recordings.tolist() == [0, 0, 0]
    assert parts["test"].starts.tolist() == [0, 1, 2]
