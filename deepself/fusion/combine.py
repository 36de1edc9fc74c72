"""Combining the predictions of several models."""

from collections.abc import Mapping

import numpy as np

from deepself.errors import UserError
from deepself.store.predictions import Predictions


def mean(members: Mapping[str, Predictions]) -> Predictions:
    """Mean of the members' probabilities.

    Parameters
    ----------
    members
        Predictions by name of model; items and classes may stand in any order.

    Returns
    -------
    Predictions
        In the order of the first member.

    Raises
    ------
    UserError
        If the members differ in items, partitions, labels or classes, or a probability is not
        finite; the message names the member and what differs.
    """
    aligned = align(members)
    first = next(iter(aligned.values()))
    probabilities = np.mean([p.probabilities for p in aligned.values()], axis=0)
    return Predictions(first.partition, first.ids, first.labels, first.classes, probabilities)


def align(members: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """Bring all members' items and classes into the order of the first; errors as in `mean`."""
    (lead, first), *_ = members.items()
    _check(lead, first)
    return {name: _align(name, other, lead, first) for name, other in members.items()}


def _check(name: str, predictions: Predictions) -> None:
    if len(_keys(predictions)) != len(predictions.ids):
        raise UserError(f"{name}: an item stands twice in its predictions")
    if not np.isfinite(predictions.probabilities).all():
        raise UserError(
            f"{name}: its probabilities are not finite; training diverged, lower its lr"
        )


def _align(name: str, other: Predictions, lead: str, first: Predictions) -> Predictions:
    _check(name, other)
    if set(other.classes) != set(first.classes):
        odd = sorted(set(other.classes) ^ set(first.classes))
        raise UserError(f"{name}: classes differ from those of {lead}: {_some(odd)}")
    place, wanted = _keys(other), _keys(first)
    if place.keys() != wanted.keys():
        odd = sorted(f"{item} ({part})" for part, item in place.keys() ^ wanted.keys())
        raise UserError(f"{name}: items differ from those of {lead}: {_some(odd)}")
    rows = np.array([place[key] for key in wanted], dtype=np.int64)
    differ = np.flatnonzero(other.labels[rows] != first.labels)
    if differ.size:
        odd = first.ids[differ].tolist()
        raise UserError(f"{name}: labels differ from those of {lead}: {_some(odd)}")
    columns = [other.classes.index(label) for label in first.classes]
    probabilities = other.probabilities[rows][:, columns]
    return Predictions(first.partition, first.ids, first.labels, first.classes, probabilities)


def _keys(predictions: Predictions) -> dict[tuple[str, str], int]:
    pairs = zip(predictions.partition, predictions.ids, strict=True)
    return {key: row for row, key in enumerate(pairs)}


def _some(names: list[str], limit: int = 3) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
