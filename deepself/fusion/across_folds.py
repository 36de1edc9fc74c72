"""Runs of other folds, for this fold's items: never for an item that they have learnt from."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepself.errors import UserError
from deepself.fusion.combine import in_classes_of, keys, some
from deepself.store.files import read_table
from deepself.store.predictions import Predictions
from deepself.study import Layout

_LEARNT = {"train": "have trained on", "dev": "have chosen their epoch by"}


def require_unseen(layout: Layout, fold: str, folds: Sequence[str]) -> None:
    """Refuse to pool folds unless this fold's test items are test items of all.

    Raises
    ------
    UserError
        Naming the fold, and some of the items that its runs have learnt from.
    """
    rows = [row for row in read_table(layout.folds) if row[f"fold-{fold}"] == "test"]
    for other in folds:
        for partition, learnt in _LEARNT.items():
            seen = [row["id"] for row in rows if row[f"fold-{other}"] == partition]
            if seen:
                raise UserError(
                    f"over: folds: runs of fold {other} {learnt} test items of fold {fold} "
                    f"({some(seen)}); folds can be pooled only where they share one test "
                    "partition, so take folds out of over, or pool seeds"
                )


def across_folds(tables: Mapping[str, Predictions], here: Sequence[str]) -> dict[str, Predictions]:
    """What runs of all folds say of this fold's items.

    A run predicts an item of dev where the item lies in its own dev. Where it does not, the mean of
    those runs in whose dev it lies stands in its place: so the mean of all candidates is theirs.

    Parameters
    ----------
    tables
        Predictions of one model with one seed, by the names of the candidates, of all folds.
    here
        Names of those that are of this fold, whose items are asked for.

    Returns
    -------
    dict
        Predictions of this fold's items, by the names of the candidates.

    Raises
    ------
    UserError
        If a run lacks a test item, or labels or classes differ.
    """
    lead, first = here[0], tables[here[0]]
    found = {name: _of_items(name, other, lead, first) for name, other in tables.items()}
    for name, own in found.items():
        lacking = np.isnan(own).any(axis=1) & (first.partition == "test")
        if lacking.any():
            odd = first.ids[lacking].tolist()
            raise UserError(f"{name}: does not predict test items of {lead}: {some(odd)}")
    there = np.stack(list(found.values()))
    known = ~np.isnan(there[:, :, 0])
    means = np.where(known[..., None], there, 0).sum(axis=0) / known.sum(axis=0)[:, None]
    return {
        name: Predictions(
            first.partition,
            first.ids,
            first.labels,
            first.classes,
            np.where(np.isnan(own), means, own),
        )
        for name, own in found.items()
    }


def _of_items(name: str, other: Predictions, lead: str, first: Predictions) -> np.ndarray:
    """Probabilities of the first one's items, shape (rows, classes); NaN of those not predicted."""
    if not np.isfinite(other.probabilities).all():
        raise UserError(
            f"{name}: its probabilities are not finite; training diverged, lower its lr"
        )
    probabilities = in_classes_of(name, other, lead, first)
    place = keys(other)
    found = np.full(first.probabilities.shape, np.nan)
    for row, key in enumerate(keys(first)):
        if key in place:
            if other.labels[place[key]] != first.labels[row]:
                raise UserError(f"{name}: labels differ from those of {lead}: {first.ids[row]}")
            found[row] = probabilities[place[key]]
    return found
