"""The classical classifiers as modules: vectors in, float64 probabilities out."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from deepself.training.classifiers.forest import LEAF

Arrays = Mapping[str, np.ndarray]


def classifier(type: str, arrays: Arrays) -> nn.Module:
    """What decides like a fitted classifier.

    Parameters
    ----------
    type
        Of the classifier, as a study writes it.
    arrays
        What its fit has left, see `deepself.training.classifiers`.
    """
    return _FAMILIES[type](arrays)


class _Scores(nn.Module):
    """Scores (items, classes), or the second class's alone, at a temperature as probabilities."""

    def __init__(self, arrays: Arrays):
        super().__init__()
        self._temperature = float(arrays["temperature"][0])

    def forward(self, scores: Tensor) -> Tensor:
        if scores.shape[1] == 1:
            scores = torch.cat([-scores, scores], dim=1) / 2
        return (scores / self._temperature).softmax(1)


class _Linear(nn.Module):
    """Linear support vector machine, or logistic regression."""

    coefficients: Tensor
    intercepts: Tensor

    def __init__(self, arrays: Arrays):
        super().__init__()
        self.register_buffer("coefficients", _double(arrays["coefficients"].T))
        self.register_buffer("intercepts", _double(arrays["intercepts"]))
        self.scores = _Scores(arrays)

    def forward(self, vectors: Tensor) -> Tensor:
        return self.scores(vectors.double() @ self.coefficients + self.intercepts)


class _Distances(nn.Module):
    """|x - y|² of vectors to known ones: float64 (items, known)."""

    known: Tensor
    squares: Tensor

    def __init__(self, known: np.ndarray):
        super().__init__()
        values = _double(known)
        self.register_buffer("known", values.T.contiguous())
        self.register_buffer("squares", values.square().sum(1))

    def forward(self, vectors: Tensor) -> Tensor:
        vectors = vectors.double()
        own = (vectors * vectors).sum(1, keepdim=True)
        return (own - 2 * (vectors @ self.known) + self.squares).clamp(min=0)


class _Kernel(nn.Module):
    """Support vector machine with a Gaussian kernel."""

    coefficients: Tensor
    intercepts: Tensor

    def __init__(self, arrays: Arrays):
        super().__init__()
        self._gamma = float(arrays["gamma"][0])
        self.distances = _Distances(arrays["vectors"])
        self.register_buffer("coefficients", _double(arrays["coefficients"].T))
        self.register_buffer("intercepts", _double(arrays["intercepts"]))
        self.scores = _Scores(arrays)

    def forward(self, vectors: Tensor) -> Tensor:
        alike = (-self._gamma * self.distances(vectors)).exp()
        return self.scores(alike @ self.coefficients + self.intercepts)


class _Smoothed(nn.Module):
    """Probabilities from shares of so many votes, as if there were one more for all classes."""

    def __init__(self, votes: int, classes: int):
        super().__init__()
        self._votes, self._classes = votes, classes

    def forward(self, shares: Tensor) -> Tensor:
        return (self._votes * shares + 1 / self._classes) / (self._votes + 1)


class _Neighbours(nn.Module):
    """Shares of the nearest training items. Of those as far as the last, any may count."""

    votes: Tensor

    def __init__(self, arrays: Arrays):
        super().__init__()
        self._neighbours, classes = int(arrays["neighbours"][0]), int(arrays["classes"][0])
        self.distances = _Distances(arrays["vectors"])
        self.register_buffer("votes", torch.eye(classes).double()[_whole(arrays["targets"])])
        self.smoothed = _Smoothed(self._neighbours, classes)

    def forward(self, vectors: Tensor) -> Tensor:
        nearest = self.distances(vectors).topk(self._neighbours, dim=1, largest=False).indices
        return self.smoothed(self.votes[nearest].mean(dim=1))


class _Forest(nn.Module):
    """Trees side by side: all go down one level at a time, and those at a leaf stay there."""

    features: Tensor
    thresholds: Tensor
    left: Tensor
    right: Tensor
    roots: Tensor
    shares: Tensor

    def __init__(self, arrays: Arrays):
        super().__init__()
        is_leaf = arrays["features"] == LEAF
        itself = np.arange(len(is_leaf))
        left, right = (np.where(is_leaf, itself, arrays[side]) for side in ("left", "right"))
        self._levels = _levels(arrays["roots"], left, right, is_leaf)
        self.register_buffer("features", _whole(np.where(is_leaf, 0, arrays["features"])))
        self.register_buffer("thresholds", torch.from_numpy(_below(arrays["thresholds"])))
        self.register_buffer("left", _whole(left))
        self.register_buffer("right", _whole(right))
        self.register_buffer("roots", _whole(arrays["roots"])[None])
        self.register_buffer("shares", _double(arrays["shares"][arrays["kinds"]]))
        self.smoothed = _Smoothed(len(arrays["roots"]), arrays["shares"].shape[1])

    def forward(self, vectors: Tensor) -> Tensor:
        nodes = self.roots.expand(vectors.shape[0], -1)
        for _ in range(self._levels):
            to_left = vectors.gather(1, self.features[nodes]) <= self.thresholds[nodes]
            nodes = torch.where(to_left, self.left[nodes], self.right[nodes])
        return self.smoothed(self.shares[nodes].mean(dim=1))


def _levels(roots: np.ndarray, left: np.ndarray, right: np.ndarray, is_leaf: np.ndarray) -> int:
    """Branchings on the longest way from a root to a leaf."""
    nodes, levels = np.asarray(roots), 0
    while len(nodes := nodes[~is_leaf[nodes]]):
        nodes = np.concatenate([left[nodes], right[nodes]])
        levels += 1
    return levels


def _below(thresholds: np.ndarray) -> np.ndarray:
    """The greatest float32 that is no more than each: the same float32 values lie below."""
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _double(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def _whole(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))


_FAMILIES: dict[str, type[nn.Module]] = {
    "linear_svm": _Linear,
    "rbf_svm": _Kernel,
    "logistic_regression": _Linear,
    "random_forest": _Forest,
    "nearest_neighbours": _Neighbours,
}
