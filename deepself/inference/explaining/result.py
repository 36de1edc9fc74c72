"""What an explanation consists of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.store.files import atomic_path
from deepself.study.augmentation import VECTOR

SUMMED = "integrated_gradients"
"""The method whose values of the channels add up; others say the same of every channel they hid or
looked at together, so that their mean is taken."""


NEGLIGIBLE = 0.1
"""A change of a logit that is so small counts as this where shares of it are taken."""


@dataclass(frozen=True)
class Attribution:
    """What the values of one feature do for the target, by one method.

    Attributes
    ----------
    branch, feature
        The input of the network, "" where it has one, and what it reads.
    kind, sort
        Of the feature; the sort is one of `deepself.study.augmentation`'s: wave, spectrum, picture,
        film or vector.
    items
        float32 (rows, *shape): what is read, before it is normalised; a row a window, or one.
    values
        float32 of the same shape: positive where an item's value speaks for the target, negative
        where it speaks against it. In units of the logit; of classifiers, of the probability.
    method
        `integrated_gradients`, `grad_cam` or `occlusion`.
    baseline
        In words, what the items were compared with, or hidden by; "" where with nothing.
    lengths
        True lengths (rows,) along time, beyond which values are 0; None where all are full.
    starts
        Where each window begins, in seconds; None without windows.
    frequencies
        Hz of each row of a spectral image, or None.
    seconds
        Time of each sample or frame within an item, or None where no axis is time.
    """

    branch: str
    feature: str
    kind: str
    sort: str
    items: np.ndarray
    values: np.ndarray
    method: str
    baseline: str = ""
    lengths: np.ndarray | None = None
    starts: np.ndarray | None = None
    frequencies: np.ndarray | None = None
    seconds: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Of the input: its branch, or its feature."""
        return self.branch or self.feature

    def places(self) -> np.ndarray:
        """Values of each place (rows, *shape without channels): sums or means over the channels."""
        if self.sort == VECTOR or self.values.ndim < 3:
            return self.values
        return self.values.sum(axis=1) if self.method == SUMMED else self.values.mean(axis=1)


@dataclass(frozen=True)
class Completeness:
    """Whether integrated gradients add up to what they explain; shapes (runs, rows).

    Attributes
    ----------
    totals
        Sum of all attributions of a row.
    differences
        Logit of the target, less that of the baseline: what the sum should be.
    steps
        Of the integral.
    """

    totals: np.ndarray
    differences: np.ndarray
    steps: int

    @property
    def error(self) -> float:
        """The largest convergence delta, as a share of the largest difference of the run's rows."""
        scale = np.abs(self.differences).max(axis=1, keepdims=True)
        delta = np.abs(self.totals - self.differences)
        return float((delta / np.maximum(scale, NEGLIGIBLE)).max())


@dataclass(frozen=True)
class Member:
    """A model of a bundle: what its runs say of a recording, and what they look at.

    Attributes
    ----------
    name, runs
        The model, and its runs, over whose attributions the mean is taken.
    type
        Of the network or classifier.
    method, about
        How it was explained, and with which settings, in words.
    quantity
        What is explained: "logit" or "probability" of the target.
    probability
        Of the target: the mean of its runs'.
    share
        Its part in the bundle's probability of the target; see `Explanation.rule`.
    inputs
        One, or one a branch.
    completeness
        Of integrated gradients.
    """

    name: str
    runs: tuple[str, ...]
    type: str
    method: str
    about: str
    quantity: str
    probability: float
    share: float
    inputs: tuple[Attribution, ...]
    completeness: Completeness | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a bundle gives a recording its label.

    Attributes
    ----------
    recording
        Its name.
    bundle, kind, study
        The bundle's name, whether it is a model or a fusion, and its study.
    label
        The most probable class.
    target
        The class whose evidence is shown.
    probabilities
        Of all classes, as the bundle predicts them.
    members
        Its models, the one with the largest share first.
    rule
        In words, what a member's share is; "" where there is one member.
    notes
        How the recording differs from those that were learnt from.
    """

    recording: str
    bundle: str
    kind: str
    study: str
    label: str
    target: str
    probabilities: dict[str, float]
    members: tuple[Member, ...]
    rule: str = ""
    notes: tuple[str, ...] = ()

    @property
    def probability(self) -> float:
        """Of the target."""
        return self.probabilities[self.target]

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name, MEMBER/INPUT/WHAT of what there is one of an input."""
        found = {
            "target": np.array(self.target),
            "label": np.array(self.label),
            "classes": np.array(list(self.probabilities)),
            "probabilities": np.array(list(self.probabilities.values())),
            "members": np.array([one.name for one in self.members]),
            "shares": np.array([one.share for one in self.members]),
        }
        for member in self.members:
            if member.completeness is not None:
                found[f"{member.name}/totals"] = member.completeness.totals
                found[f"{member.name}/differences"] = member.completeness.differences
            for one in member.inputs:
                own = {
                    "attributions": one.values,
                    "items": one.items,
                    "lengths": one.lengths,
                    "starts": one.starts,
                    "frequencies": one.frequencies,
                    "seconds": one.seconds,
                }
                prefix = f"{member.name}/{one.name}"
                found |= {f"{prefix}/{k}": v for k, v in own.items() if v is not None}
        return found

    def save(self, path: Path) -> None:
        """Write all arrays to a NumPy file, *.npz."""
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **self.arrays())  # type: ignore[arg-type]
