"""What it takes to make each feature, by what those of a few recordings took."""

import csv
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from deepself.features.derive import CLASSES
from deepself.features.extract import BATCH_BYTES
from deepself.features.shapes import Shape, item_shape
from deepself.networks import build
from deepself.networks.summary import on_paper, summarise
from deepself.planning.cost import Cost
from deepself.planning.counts import Counts, samples
from deepself.planning.few import Estimate, Few, few_recordings
from deepself.planning.units import units
from deepself.planning.work import Work
from deepself.study.features import Computed, Embedding
from deepself.study.identity import feature_file
from deepself.study.layout import Layout
from deepself.study.schema import Study

FEW = 3
"""Recordings whose features are made."""

THREADS = 2
"""That the workflow gives a job which makes a feature."""

COPIES = 8
"""Of a recording and its items, in memory while one is made: decoded, resampled, filtered, padded,
in the frequency domain (complex), transformed."""


@dataclass(frozen=True)
class FeaturePlan:
    """A feature before it is made.

    Attributes
    ----------
    shape
        Of an item; None where it cannot be known yet.
    windows
        Items of a recording, as a mean.
    shards
        Jobs that make it; one more joins what several have made.
    cost
        Of each of these jobs; None where it cannot be known yet.
    missing
        Why it is not known.
    """

    shape: Shape | None
    windows: float
    shards: int
    cost: Cost | None
    missing: str = ""


@dataclass(frozen=True)
class Planned:
    """All features of a study, and what it takes to check a recording, in seconds."""

    features: dict[str, FeaturePlan]
    check: float


def plan_features(study: Study, layout: Layout, counted: Counts) -> Planned:
    """Make the features of a few recordings in a temporary folder; tell what all will take.

    Raises
    ------
    UserError
        A recording cannot be read, or is unfit for the study.
    """
    with few_recordings(study, layout, FEW) as few:
        made = {one.feature: _planned(few, study, layout, counted, one) for one in few.estimates()}
        return Planned(made, few.seconds)


def _planned(few: Few, study: Study, layout: Layout, counted: Counts, one: Estimate) -> FeaturePlan:
    spec = study.features[one.feature]
    shards = min(getattr(spec, "shards", 1), counted.recordings)
    if not one.shape:
        shape = item_shape(study, layout, one.feature)
        cost = None
        if isinstance(spec, Embedding) and shape is not None:
            cost = _embedding(study, layout, counted, spec, shape)
        return FeaturePlan(shape, 1, shards, cost, one.missing or one.problem)
    # With the inventory, the lengths of all recordings are known, not of a few alone.
    longer, longest = _lengths(few, study, counted, one.feature)
    shape = item_shape(study, layout, one.feature) or one.shape
    windows = one.windows * longer or 1
    size = one.each[0] * prod(shape) / prod(one.shape) * (longer if one.windows else 1)
    there = counted.recordings / shards
    cost = Cost(
        units().start + one.each[1] * longer * there / THREADS,
        units().process + (THREADS + 1) * COPIES * longest + 4 * BATCH_BYTES,
        size * there,
        THREADS,
    )
    return FeaturePlan(shape, windows, shards, _measured(study, layout, one.feature, cost))


def _embedding(
    study: Study, layout: Layout, counted: Counts, spec: Embedding, shape: Shape
) -> Cost | None:
    """By its network on paper, where its weights are not there yet."""
    source = item_shape(study, layout, spec.of)
    if source is None:
        return None
    network = on_paper(lambda: build(spec.network, source, classes=CLASSES))
    work = Work.of(summarise(network, [source]))
    return Cost(
        units().start + counted.recordings * units().forward_seconds(work, 1) / THREADS,
        units().process + work.weights + THREADS * work.activations,
        4.0 * prod(shape) * counted.recordings,
        THREADS,
    )


def _lengths(few: Few, study: Study, counted: Counts, name: str) -> tuple[float, float]:
    """How much longer recordings are than the few, as a mean; bytes of the longest or its items."""
    modalities = study.modalities_of(name)
    there = samples(few.rows)
    ratios, largest = [], 0.0
    for modality in modalities:
        mean, most = there[modality]
        all_mean, all_most = counted.samples.get(modality, (mean, most))
        ratios.append(all_mean / mean)
        channels = max(int(row["channels"]) for row in few.rows if row["modality"] == modality)
        largest = max(largest, 4.0 * channels * max(most, all_most))
    return sum(ratios) / len(ratios), largest


def _measured(study: Study, layout: Layout, name: str, cost: Cost) -> Cost:
    """The time and memory of the jobs that have made it, if there were any."""
    if not layout.dataset.exists():
        return cost
    path = feature_file(study, layout, name)
    folder = layout.results / "benchmarks" / "extract"
    several = (folder / path.stem).is_dir() and isinstance(study.features[name], Computed)
    files = sorted((folder / path.stem).glob("*.tsv")) if several else [folder / f"{path.stem}.tsv"]
    rows = [row for file in files if (row := read_benchmark(file)) is not None]
    if not path.exists() or not rows:
        return cost
    return replace(
        cost,
        seconds=max(seconds for seconds, _ in rows),
        memory=max(memory for _, memory in rows),
        measured=True,
    )


def read_benchmark(file: Path) -> tuple[float, float] | None:
    """Seconds and bytes that Snakemake saw a job take; None where it did not look."""
    try:
        with open(file, newline="", encoding="utf-8") as opened:
            [row] = list(csv.DictReader(opened, delimiter="\t"))
        return float(row["s"]), float(row["max_rss"]) * 2**20
    except (OSError, ValueError, KeyError):
        return None
