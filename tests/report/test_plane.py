"""Places in the plane: for any vectors, the same each time, with what belongs together together."""

import numpy as np
import pytest

from deepself.report.plane import drawn, in_plane


@pytest.mark.parametrize("items", [1, 2, 3, 4, 5, 40])
@pytest.mark.parametrize("size", [1, 2, 60])
@pytest.mark.parametrize("alike", [False, True])
def test_any_vectors_have_a_place(items, size, alike):
    vectors = np.random.default_rng(0).normal(0, 1, (items, size)).astype(np.float32)
    if alike:
        vectors[:] = 1.5
    plane = in_plane(vectors)
    assert plane.pca.shape == plane.tsne.shape == (items, 2)
    assert np.isfinite(plane.pca).all()
    assert np.isfinite(plane.tsne).all()
    assert (plane.perplexity is None) == (items < 4)
    assert sum(plane.shares) == pytest.approx(
        0 if alike or items == 1 else min(1, sum(plane.shares))
    )
    if size <= 2 and items > 1 and not alike:
        assert sum(plane.shares) == pytest.approx(1)
        distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
        np.testing.assert_allclose(
            np.linalg.norm(plane.pca[:, None] - plane.pca, axis=2), distances, atol=1e-5
        )


def test_clusters_stay_apart_in_both():
    random = np.random.default_rng(1)
    labels = np.arange(90) % 3
    vectors = random.normal(0, 1, (90, 20)) + 12 * np.eye(20)[labels]
    plane, again = in_plane(vectors), in_plane(vectors)
    for places in (plane.pca, plane.tsne):
        distances = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(90)
        assert (labels[distances.argmin(axis=1)] == labels).all()
    assert (plane.tsne == again.tsne).all()
    assert (plane.pca == again.pca).all()


def test_items_are_drawn_from_each_class():
    labels = ["a"] * 3000 + ["b"] * 900 + ["c"] * 100 + ["d"]
    chosen = drawn(labels, 400)
    assert chosen == sorted(set(chosen)) == drawn(labels, 400)
    counts = {label: sum(labels[i] == label for i in chosen) for label in "abcd"}
    assert sum(counts.values()) == 400
    assert counts["d"] == 1
    for label, share in (("a", 0.75), ("b", 0.225), ("c", 0.025)):
        assert counts[label] == pytest.approx(400 * share, abs=3)
    assert chosen[:10] != list(range(10))
    assert len(drawn(labels, 3)) == 4
    assert drawn(labels, 4001) == list(range(4001))
