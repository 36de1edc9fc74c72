"""Candidates side by side: one array, every row of which speaks of the same item for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.store.predictions import Predictions


@dataclass(frozen=True)
class Dev:
    """What a fusion may learn from: the rows of dev, and nothing of test.

    Attributes
    ----------
    probabilities
        Shape (candidates, items, classes).
    true
        Index of each item's true class, shape (items,).
    groups
        Name of each item's group, shape (items,); None where items have none.
    """

    probabilities: np.ndarray
    true: np.ndarray
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Aligned:
    """Predictions of several candidates for the same items.

    Attributes
    ----------
    names
        Of the candidates.
    rows
        The items, their partitions, labels and classes: those of the first candidate.
    probabilities
        Shape (candidates, rows, classes).
    """

    names: tuple[str, ...]
    rows: Predictions
    probabilities: np.ndarray

    def only(self, names: Sequence[str]) -> "Aligned":
        """Some of the candidates, in their order here."""
        keep = [place for place, name in enumerate(self.names) if name in set(names)]
        kept = tuple(self.names[place] for place in keep)
        return replace(self, names=kept, probabilities=self.probabilities[keep])

    def dev(self, groups: Mapping[str, str] | None = None) -> Dev:
        """The rows of dev; `groups` says the group of each item, where there are any."""
        held = self.rows.partition == "dev"
        part = self.rows.part("dev")
        own = None if groups is None else np.array([groups.get(name, name) for name in part.ids])
        return Dev(self.probabilities[:, held], part.true, own)

    def fused(self, probabilities: np.ndarray) -> Predictions:
        """The same rows with other probabilities, of shape (rows, classes)."""
        return replace(self.rows, probabilities=probabilities)


def align(candidates: Mapping[str, Predictions]) -> Aligned:
    """Bring all candidates' items and classes into the order of the first.

    Parameters
    ----------
    candidates
        Predictions by name; items and classes may stand in any order.

    Raises
    ------
    UserError
        If they differ in items, partitions, labels or classes, or a probability is not finite; the
        message names the candidate and what differs.
    """
    (lead, first), *others = candidates.items()
    _check(lead, first)
    wanted = keys(first)
    aligned = [first.probabilities]
    aligned += [_align(name, other, lead, first, wanted) for name, other in others]
    return Aligned(tuple(candidates), first, np.stack(aligned))


def keys(predictions: Predictions) -> dict[tuple[str, str], int]:
    """Row of each item, by its partition and id."""
    pairs = zip(predictions.partition, predictions.ids, strict=True)
    return {key: row for row, key in enumerate(pairs)}


def in_classes_of(name: str, other: Predictions, lead: str, first: Predictions) -> np.ndarray:
    """Probabilities (rows, classes) of one, with the classes of another in its order.

    Raises
    ------
    UserError
        If the classes differ.
    """
    if set(other.classes) != set(first.classes):
        odd = sorted(set(other.classes) ^ set(first.classes))
        raise UserError(f"{name}: classes differ from those of {lead}: {some(odd)}")
    if other.classes == first.classes:
        return other.probabilities
    return other.probabilities[:, [other.classes.index(label) for label in first.classes]]


def some(names: Sequence[Any], limit: int = 3) -> str:
    """The first few of some names."""
    rest = len(names) - limit
    return ", ".join(map(str, names[:limit])) + (f" and {rest} more" if rest > 0 else "")


def _check(name: str, predictions: Predictions) -> None:
    if len(keys(predictions)) != len(predictions.ids):
        raise UserError(f"{name}: an item stands twice in its predictions")
    if not np.isfinite(predictions.probabilities).all():
        raise UserError(
            f"{name}: its probabilities are not finite; training diverged, lower its lr"
        )


def _align(
    name: str,
    other: Predictions,
    lead: str,
    first: Predictions,
    wanted: dict[tuple[str, str], int],
) -> np.ndarray:
    _check(name, other)
    probabilities = in_classes_of(name, other, lead, first)
    place = keys(other)
    if place.keys() != wanted.keys():
        odd = sorted(f"{item} ({part})" for part, item in place.keys() ^ wanted.keys())
        raise UserError(f"{name}: items differ from those of {lead}: {some(odd)}")
    rows = np.array([place[key] for key in wanted], dtype=np.int64)
    differ = np.flatnonzero(other.labels[rows] != first.labels)
    if differ.size:
        odd = first.ids[differ].tolist()
        raise UserError(f"{name}: labels differ from those of {lead}: {some(odd)}")
    return probabilities[rows]
