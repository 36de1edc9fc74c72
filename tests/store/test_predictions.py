"""Predictions come back as they were written, to the last digit."""

import numpy as np
import pytest

from deepself.errors import UserError
from deepself.store.predictions import Predictions, read_predictions, write_predictions


def predictions(classes=("id", "p_x", "<script>")):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(len(classes)), 4)
    return Predictions(
        np.array(["dev", "dev", "test", "test"], dtype=object),
        np.array(["a", "b", "c", "d"], dtype=object),
        np.array([classes[0], classes[1], classes[2], classes[0]], dtype=object),
        classes,
        probabilities,
    )


def test_windows_are_averaged_to_their_recordings(tmp_path):
    written = Predictions(
        np.array(["dev", "test", "test", "test"], dtype=object),
        np.array(["a", "b", "c", "b"], dtype=object),
        np.array(["x", "y", "x", "y"], dtype=object),
        ("x", "y"),
        np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]]),
        np.array([0, 0, 0, 0.125]),
    )
    write_predictions(tmp_path / "p.csv", written)
    read = read_predictions(tmp_path / "p.csv")
    assert read.part("test").starts.tolist() == [0, 0, 0.125]
    means = read.recordings()
    assert means.ids.tolist() == ["a", "b", "c"]
    assert means.labels.tolist() == ["x", "y", "x"]
    np.testing.assert_allclose(means.probabilities, [[0.9, 0.1], [0.35, 0.65], [0.5, 0.5]])
    assert means.starts is None
    assert means.recordings() is means


def test_round_trip(tmp_path):
    written = predictions()
    write_predictions(tmp_path / "p.csv", written)
    read = read_predictions(tmp_path / "p.csv")
    assert read.classes == written.classes
    np.testing.assert_array_equal(read.probabilities, written.probabilities)
    np.testing.assert_array_equal(read.labels, written.labels)
    assert read.part("test").ids.tolist() == ["c", "d"]
    assert read.true.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    "text", ["", "partition,id,label\n", "partition,id,label,p_a\ndev,a,x,?\n"]
)
def test_damaged_table_is_named(tmp_path, text):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=r"p\.csv"):
        read_predictions(tmp_path / "p.csv")
