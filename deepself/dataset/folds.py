"""`split`: each item's partition in each fold, written where it can be read and diffed."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.fold_names import column_of, fold_names, in_order
from deepself.dataset.manifest import Item, classes_of, read_manifest, recordings_digest
from deepself.errors import UserError
from deepself.store.files import read_table, write_json, write_table
from deepself.study.dataset import Holdout, Splits
from deepself.study.layout import Layout
from deepself.study.schema import Study

Partitions = dict[str, str]  # item id -> train, dev or test


def split_study(study: Study, layout: Layout) -> dict[str, Any]:
    """Assign every item to its partitions; write `folds.csv` and `dataset.json`.

    Returns
    -------
    dict
        The content of `dataset.json`: classes, folds, number of items, digests of recordings.

    Raises
    ------
    UserError
        A class with fewer items than folds, a class that a fold cannot train on, a group that
        spans two partitions, a split column that is missing or holds other values, a given fold
        that has lost all its recordings.
    """
    items = _usable(study, layout)
    _require_folds(study, items, layout)
    folds = assign(study.splits, items)
    _verify(study, items, folds)
    rows = (
        [item.id, item.label, item.group, *(folds[fold][item.id] for fold in folds)]
        for item in items
    )
    write_table(layout.folds, ["id", "label", "group", *(f"fold-{f}" for f in folds)], rows)
    found = {
        "classes": classes_of(study.dataset, items),
        "folds": list(folds),
        "items": len(items),
        "modalities": {n: {"digest": d} for n, d in _recordings(study, items, layout).items()},
    }
    write_json(layout.dataset, found)
    return found


def _usable(study: Study, layout: Layout) -> list[Item]:
    """The manifest's items without those that `check` left out."""
    skipped = {row["id"] for row in read_table(layout.skipped)}
    return [item for item in read_manifest(study.dataset) if item.id not in skipped]


def _require_folds(study: Study, items: list[Item], layout: Layout) -> None:
    """A given fold that has lost all its recordings is an error, not a study of fewer folds."""
    if study.splits.method != "given":
        return
    left = set(column_of(items, study.splits.column or "fold").values())
    for fold in fold_names(study):
        if fold not in left:
            raise UserError(
                f"fold {fold}: all its recordings were skipped ({layout.skipped} says why); mend "
                "them, or take their rows out of the manifest"
            )


def read_partitions(path: Path, fold: str) -> dict[str, list[str]]:
    """Ids of each partition of a fold, in the manifest's order."""
    partitions: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    rows = read_table(path)
    if f"fold-{fold}" not in rows[0]:
        known = ", ".join(c.removeprefix("fold-") for c in rows[0] if c.startswith("fold-"))
        raise UserError(f"{path}: no fold {fold!r}; known: {known}")
    for row in rows:
        part = row[f"fold-{fold}"]
        if part not in partitions:
            raise UserError(f"{path}: {row['id']} is in partition {part!r}; run split again")
        partitions[part].append(row["id"])
    for part, ids in partitions.items():
        if not ids:
            raise UserError(f"{path}: fold {fold} has no {part} items; run split again")
    return partitions


def assign(splits: Splits, items: list[Item]) -> dict[str, Partitions]:
    """Partition of each item in each fold."""
    if splits.method == "partition":
        return {"1": _given_partitions(splits, items)}
    if splits.method == "fixed_test":
        return _fixed_test(splits, items)
    if splits.method == "given":
        fold_of = _given_folds(items, splits.column or "fold")
    else:
        fold_of = _drawn_folds(splits, items)
    names = in_order(fold_of.values())
    if len(names) < (2 if isinstance(splits.dev, Holdout) else 3):
        raise UserError(
            f"splits: {len(names)} folds are too few; dev needs one beside the test fold"
        )
    return {fold: _one_fold(splits, items, fold_of, names, fold) for fold in names}


def _one_fold(
    splits: Splits, items: list[Item], fold_of: dict[str, str], names: list[str], test: str
) -> Partitions:
    partitions = {i: "test" if fold == test else "train" for i, fold in fold_of.items()}
    if isinstance(splits.dev, Holdout):
        rest = [item for item in items if fold_of[item.id] != test]
        dev = _hold_out(splits, splits.dev, rest)
    else:
        following = names[(names.index(test) + 1) % len(names)]
        dev = {i for i, fold in fold_of.items() if fold == following}
    return {i: "dev" if i in dev else p for i, p in partitions.items()}


def _given_folds(items: list[Item], column: str) -> dict[str, str]:
    folds = column_of(items, column)
    for item in items:
        # Folds name folders, and words of a job's command.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", folds[item.id]):
            raise UserError(
                f"row {item.row} ({item.id}): {column} is {folds[item.id]!r}; "
                "name folds by letters, digits, _, . and -"
            )
    return folds


def _given_partitions(splits: Splits, items: list[Item]) -> Partitions:
    column = splits.column or "partition"
    given = column_of(items, column)
    for item in items:
        if given[item.id] not in ("train", "dev", "test"):
            raise UserError(
                f"row {item.row} ({item.id}): {column} is {given[item.id]!r}; "
                "it must be train, dev or test"
            )
    return given


def _fixed_test(splits: Splits, items: list[Item]) -> dict[str, Partitions]:
    """The same test partition in every fold; each part of what is left is dev once."""
    given = _given_partitions(splits, items)
    rest = [item for item in items if given[item.id] != "test"]
    fold_of = _drawn_folds(splits, rest)
    return {
        fold: {
            item.id: "test"
            if given[item.id] == "test"
            else "dev"
            if fold_of[item.id] == fold
            else "train"
            for item in items
        }
        for fold in in_order(fold_of.values())
    }


def _drawn_folds(splits: Splits, items: list[Item]) -> dict[str, str]:
    """The fold of each item; groups stay whole where the splits ask for it, or must."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    fixed = splits.method == "fixed_test" and any(item.group for item in items)
    grouped = splits.method == "grouped" or fixed
    _enough_items(splits, items, "group" if grouped else "id")
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    draw = kind(splits.folds, shuffle=True, random_state=splits.seed)
    labels = [item.label for item in items]
    groups = [item.group for item in items] if grouped else None
    fold_of = {}
    for fold, (_, test) in enumerate(draw.split(labels, labels, groups), start=1):
        fold_of.update({items[i].id: str(fold) for i in test})
    return {item.id: fold_of[item.id] for item in items}


def _enough_items(splits: Splits, items: list[Item], unit: str) -> None:
    members = defaultdict(set)
    for item in items:
        members[item.label].add(getattr(item, unit))
    unit = {"id": "item", "group": "group"}[unit]
    short = [(label, len(m)) for label, m in members.items() if len(m) < splits.folds]
    if short:
        raise UserError(
            "\n".join(
                f"class {label!r} has {count} {unit}{'s' * (count != 1)}, fewer than "
                f"{splits.folds} folds; set splits.folds lower, or add or remove items"
                for label, count in short
            )
        )


def _hold_out(splits: Splits, dev: Holdout, items: list[Item]) -> set[str]:
    from sklearn.model_selection import train_test_split

    labels = [item.label for item in items]
    if any(item.group for item in items):
        return _hold_out_groups(splits.seed, dev, items)
    try:
        _, chosen = train_test_split(
            items, test_size=dev.fraction, stratify=labels, random_state=splits.seed
        )
    except ValueError as error:
        raise UserError(f"splits.dev.fraction: {error}") from None
    return {item.id for item in chosen}


def _hold_out_groups(seed: int, dev: Holdout, items: list[Item]) -> set[str]:
    """Whole groups, drawn at random, as long as they bring each class nearer to the fraction."""
    labels = {label: i for i, label in enumerate(dict.fromkeys(item.label for item in items))}
    counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(labels)))
    for item in items:
        counts[item.group][labels[item.label]] += 1
    wanted = dev.fraction * sum(counts.values())
    held: set[str] = set()
    taken = np.zeros(len(labels))
    for group in np.random.default_rng(seed).permutation(list(counts)).tolist():
        if np.abs(taken + counts[group] - wanted).sum() < np.abs(taken - wanted).sum():
            held.add(group)
            taken = taken + counts[group]
    return {item.id for item in items if item.group in held}


def _verify(study: Study, items: list[Item], folds: dict[str, Partitions]) -> None:
    """Refuse leaks, and folds on which nothing can be learnt or measured."""
    labels = classes_of(study.dataset, items)
    if len(labels) < 2:
        raise UserError(f"the manifest has one class only ({labels[0]!r}); nothing to tell apart")
    problems = []
    for fold, partitions in folds.items():
        counts = {p: Counter[str]() for p in ("train", "dev", "test")}
        where: dict[str, dict[str, Item]] = defaultdict(dict)
        for item in items:
            counts[partitions[item.id]][item.label] += 1
            if item.group:
                where[item.group].setdefault(partitions[item.id], item)
        problems += [
            f"fold {fold}: the {p} partition is empty; change splits"
            for p in counts
            if not counts[p]
        ]
        problems += [
            f"fold {fold}: label {label!r} is unknown to its training partition "
            f"({counts['dev'][label]} items in dev, {counts['test'][label]} in test); "
            "move items, or remove the class"
            for label in labels
            if not counts["train"][label]
        ]
        problems += [_leak(fold, group, seen) for group, seen in where.items() if len(seen) > 1]
    if problems:
        raise UserError("\n".join(problems))


def _leak(fold: str, group: str, seen: dict[str, Item]) -> str:
    places = ", ".join(f"row {item.row} in {p}" for p, item in sorted(seen.items()))
    return f"fold {fold}: group {group!r} spans partitions ({places}); a group must lie in one"


def _recordings(study: Study, items: list[Item], layout: Layout) -> dict[str, str]:
    """Digest of each modality's recordings, from the inventory."""
    checksums = {(r["id"], r["modality"]): r["sha256"] for r in read_table(layout.inventory)}
    try:
        return {
            name: recordings_digest([(i.id, checksums[i.id, name]) for i in items])
            for name in study.dataset.modalities
        }
    except KeyError as error:
        name, modality = error.args[0]
        raise UserError(
            f"{layout.inventory}: lacks the {modality} of {name}; run check again"
        ) from None
