"""The rules of fusion as modules: float64 (candidates, batch, classes) in, (batch, classes) out.

They are those of `deepself.fusion.rules`, which see.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deepself.errors import UserError
from deepself.fusion.rules import LEAST, NUDGE
from deepself.fusion.stacking import CLIP
from deepself.inference.spec import Part


def combining(part: Part, classes: Sequence[str], calibrated: bool) -> nn.Module:
    """How what a part's runs say becomes one, with all that was learnt.

    Raises
    ------
    UserError
        It is by a method that programs do not know.
    """
    steps: list[nn.Module] = []
    record = part.fusion
    if record is None:
        steps.append(_First())
    else:
        names = list(part.candidates)
        if "temperatures" in record:
            steps.append(_Temperatures([record["temperatures"][name] for name in names]))
        steps.append(_rule(record, names, classes))
    if calibrated:
        steps.append(_Temperatures([part.temperature]))
    return nn.Sequential(*steps)


def _rule(record: Mapping[str, Any], names: Sequence[str], classes: Sequence[str]) -> nn.Module:
    method = record["method"]
    if method == "stacking":
        return _Stacking(record["stacking"], classes)
    if method in _FIXED:
        return _FIXED[method]()
    if "weights" not in record:
        raise UserError(f"a fusion by {method} cannot be written as a program")
    return _Weighted([record["weights"][name] for name in names])


class _First(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return given[0]


class _Mean(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return given.mean(0)


class _Weighted(nn.Module):
    weights: Tensor

    def __init__(self, weights: Sequence[float]):
        super().__init__()
        self.register_buffer("weights", _column(weights))

    def forward(self, given: Tensor) -> Tensor:
        return (self.weights * given).sum(0)


class _Geometric(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return given.clamp(min=LEAST).log().mean(0).softmax(-1)


class _Maximum(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        highest = given.amax(0)
        return highest / highest.sum(1, keepdim=True)


class _Votes(nn.Module):
    """Share of the candidates that decide for each class."""

    def forward(self, given: Tensor) -> Tensor:
        classes = torch.arange(given.shape[2])
        votes = (given.argmax(2, keepdim=True) == classes).double().sum(0)
        return _settled(votes, votes / given.shape[0], given)


class _Borda(nn.Module):
    """Mean rank of each class; equally probable ones share the mean of their ranks."""

    def forward(self, given: Tensor) -> Tensor:
        one, other = given[..., :, None], given[..., None, :]
        # Twice, so that they are whole: all that are lower, and half of all others that are equal.
        points = ((other < one).double() * 2 + (other == one).double()).sum(-1) - 1
        points = points.sum(0)
        return _settled(points, points / points.sum(1, keepdim=True), given)


def _settled(counts: Tensor, shares: Tensor, given: Tensor) -> Tensor:
    """Shares, moved a little towards the mean where the highest of the whole counts are equal."""
    highest = (counts == counts.amax(1, keepdim=True)).double().sum(1, keepdim=True)
    moved = (1 - NUDGE) * shares + NUDGE * given.mean(0)
    return torch.where(highest > 1.5, moved, shares)


class _Stacking(nn.Module):
    """A logistic regression on logarithms; classes that it has not seen keep their mean."""

    coefficients: Tensor
    intercepts: Tensor
    places: Tensor
    seen: Tensor

    def __init__(self, record: Mapping[str, Any], classes: Sequence[str]):
        super().__init__()
        present = [classes.index(label) for label in record["classes"]]
        places = torch.eye(len(classes), dtype=torch.float64)[present]
        self.register_buffer("places", places)  # (present, classes)
        self.register_buffer("seen", places.sum(0))
        coefficients = torch.tensor(record["coefficients"], dtype=torch.float64)
        self.register_buffer("coefficients", coefficients.T.contiguous())
        self.register_buffer("intercepts", torch.tensor(record["intercepts"], dtype=torch.float64))

    def forward(self, given: Tensor) -> Tensor:
        logarithms = given.clamp(min=CLIP).log()
        scores = logarithms.transpose(0, 1).flatten(1) @ self.coefficients + self.intercepts
        fused = given.mean(0)
        rest = (fused * self.seen).sum(1, keepdim=True)
        return rest * (scores.softmax(1) @ self.places) + (1 - self.seen) * fused


class _Temperatures(nn.Module):
    """Probabilities at a temperature: of each candidate, or of what was made of all."""

    temperatures: Tensor

    def __init__(self, temperatures: Sequence[float]):
        super().__init__()
        self.register_buffer("temperatures", _column(temperatures))

    def forward(self, given: Tensor) -> Tensor:
        scaled = (given.clamp(min=LEAST).log() / self.temperatures).softmax(-1)
        return scaled if given.ndim == 3 else scaled[0]


def _column(values: Sequence[float]) -> Tensor:
    """Numbers of the candidates, (candidates, 1, 1)."""
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


_FIXED: dict[str, type[nn.Module]] = {
    "mean": _Mean,
    "geometric_mean": _Geometric,
    "maximum": _Maximum,
    "majority_vote": _Votes,
    "borda": _Borda,
}
