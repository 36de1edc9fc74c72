"""Names of a study's folds, before anything has been read but the manifest."""

from collections.abc import Iterable

from deepself.dataset.manifest import read_manifest
from deepself.study.schema import Study


def fold_names(study: Study) -> list[str]:
    """Names of the folds that `split` will make, in its order."""
    splits = study.splits
    if splits.method == "partition":
        return ["1"]
    if splits.method != "given":
        return [str(number) for number in range(1, splits.folds + 1)]
    column = splits.column or "fold"
    return in_order(item.columns[column] for item in read_manifest(study.dataset))


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once: numbers by their size, then others."""
    return sorted(set(names), key=lambda f: (not f.isdigit(), f.zfill(9), f))
