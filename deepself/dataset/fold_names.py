"""Names of a study's folds, before anything has been read but the manifest."""

from collections.abc import Iterable, Sequence

from deepself.dataset.manifest import Item, read_manifest
from deepself.errors import UserError
from deepself.study.schema import Study


def fold_names(study: Study) -> list[str]:
    """Names of the folds that `split` will make, in its order.

    Raises
    ------
    UserError
        The manifest has no such column, or a row has nothing there.
    """
    splits = study.splits
    if splits.method == "partition":
        return ["1"]
    if splits.method != "given":
        return [str(number) for number in range(1, splits.folds + 1)]
    items = read_manifest(study.dataset)
    return in_order(column_of(items, splits.column or "fold").values())


def column_of(items: Sequence[Item], column: str) -> dict[str, str]:
    """What the manifest says in the column of the splits, by item.

    Raises
    ------
    UserError
        There is no such column, or a row has nothing there.
    """
    if column not in items[0].columns:
        known = ", ".join(name for name in items[0].columns if name)
        raise UserError(f"splits.column: the manifest has no column {column!r} (has {known})")
    for item in items:
        if not item.columns[column]:
            raise UserError(f"row {item.row} ({item.id}): {column} is empty")
    return {item.id: item.columns[column] for item in items}


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once: numbers by their size, then others."""
    return sorted(set(names), key=lambda f: (not f.isdigit(), f.zfill(9), f))
