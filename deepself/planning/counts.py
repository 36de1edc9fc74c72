"""How many items a study has, in each partition of a fold, and how long its recordings are."""

from collections import Counter
from dataclasses import dataclass
from statistics import mean

from deepself.dataset.fold_names import fold_names
from deepself.dataset.manifest import read_manifest
from deepself.store.files import read_table
from deepself.study.dataset import Holdout
from deepself.study.layout import Layout
from deepself.study.schema import Study

PARTITIONS = ("train", "dev", "test")


@dataclass(frozen=True)
class Counts:
    """What a study's jobs go through.

    Attributes
    ----------
    recordings
        How many there are, or are supposed to be.
    folds
        Names of the folds.
    shares
        Which share of the recordings is in each partition of a fold, as a mean.
    samples
        Of each modality whose recordings have been checked, their mean and greatest number of
        samples, frames or pixels.
    """

    recordings: int
    folds: list[str]
    shares: dict[str, float]
    samples: dict[str, tuple[float, float]]

    def items(self, partition: str, windows: float) -> float:
        """Items of a partition, where a recording has so many."""
        return self.recordings * self.shares[partition] * windows


def counts(study: Study, layout: Layout, recordings: int | None = None) -> Counts:
    """Count a study's recordings, or suppose that there are so many, like those there are.

    Raises
    ------
    UserError
        The manifest cannot be read.
    """
    there = read_manifest(study.dataset)
    folds = fold_names(study)
    rows = read_table(layout.inventory) if layout.inventory.exists() else []
    return Counts(
        recordings or len(rows) // len(study.dataset.modalities) or len(there),
        folds,
        _shares(study, layout, len(folds)),
        samples(rows),
    )


def samples(rows: list[dict[str, str]]) -> dict[str, tuple[float, float]]:
    """Mean and greatest number of samples, frames or pixels, by modality."""
    found: dict[str, list[float]] = {}
    for row in rows:
        pixels = float(row["height"] or 1) * float(row["width"] or 1)
        found.setdefault(row["modality"], []).append(float(row["samples"] or 1) * pixels)
    return {name: (mean(values), max(values)) for name, values in found.items()}


def _shares(study: Study, layout: Layout, folds: int) -> dict[str, float]:
    if layout.folds.exists():
        rows = read_table(layout.folds)
        columns = [name for name in rows[0] if name.startswith("fold-")]
        seen = Counter(row[column] for row in rows for column in columns)
        return {name: seen[name] / (len(rows) * len(columns)) for name in PARTITIONS}
    test = 1 / max(folds, 2)
    dev = study.splits.dev
    held = dev.fraction * (1 - test) if isinstance(dev, Holdout) else test
    return {"train": 1 - test - held, "dev": held, "test": test}
