"""The report's tables about data, cost and provenance."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from deepself.evaluation.results import Result
from deepself.store.files import read_table
from deepself.study import Layout
from deepself.study.identity import read_dataset

PARTITIONS = ("train", "dev", "test")
STAGES = ("load", "train", "predict", "total")
MEMORY = ("memory", "gpu_memory")
SKIPPED = 200
"""Recordings left out that the report names."""

Records = Sequence[tuple[Result, dict[str, Any]]]
"""Every run of a model with its run.json."""


@dataclass(frozen=True)
class Counts:
    """Items by class and fold: of each partition, and in all."""

    folds: list[str]
    rows: list[tuple[str, int, list[dict[str, int]]]] = field(default_factory=list)
    totals: list[dict[str, int]] = field(default_factory=list)
    items: int = 0
    groups: int = 0


def counts(layout: Layout) -> Counts:
    """Count the items of folds.csv."""
    table = read_table(layout.folds)
    dataset = read_dataset(layout)
    folds = dataset["folds"]
    tally = Counter((row["label"], fold, row[f"fold-{fold}"]) for row in table for fold in folds)
    items = Counter(row["label"] for row in table)
    groups = {row["group"] for row in table} - {""}

    def by_fold(labels: Iterable[str]) -> list[dict[str, int]]:
        names = list(labels)
        return [{p: sum(tally[c, fold, p] for c in names) for p in PARTITIONS} for fold in folds]

    classes = dataset["classes"]
    rows = [(label, items[label], by_fold([label])) for label in classes]
    return Counts(folds, rows, by_fold(classes), len(table), len(groups))


def recordings(layout: Layout) -> list[dict[str, str]]:
    """One line a modality: how many files, how long, at which rate, of which size."""
    table = read_table(layout.inventory)
    lines = []
    for modality in dict.fromkeys(row["modality"] for row in table):
        own = [row for row in table if row["modality"] == modality]
        seconds = [float(row["duration"]) for row in own if row["duration"]]
        sizes = _several(f"{r['width']} × {r['height']}" for r in own if r["width"])
        lines.append(
            {
                "modality": modality,
                "files": str(len(own)),
                "megabytes": f"{sum(int(row['bytes']) for row in own) / 1e6:.1f}",
                "total": f"{sum(seconds) / 60:.1f} min" if seconds else "–",
                "durations": _durations(seconds),
                "rates": _several(
                    f"{float(r['sample_rate']):g} Hz" for r in own if r["sample_rate"]
                ),
                "channels": _several(row["channels"] for row in own if row["channels"]),
                "sizes": sizes,
            }
        )
    return lines


@dataclass(frozen=True)
class Skipped:
    """What `check` left out: rows to show, how many more there are, and where all stand."""

    items: int
    recordings: int
    rows: list[dict[str, str]]
    more: int
    file: str


def skipped(layout: Layout) -> Skipped:
    """Read which recordings were left out, and why."""
    table = read_table(layout.skipped)
    items = len({row["id"] for row in table})
    rest = max(0, len(table) - SKIPPED)
    return Skipped(items, len(table), table[:SKIPPED], rest, layout.skipped.name)


@dataclass(frozen=True)
class Equal:
    """Files of equal content: how many, how many contents, and how many of these leak."""

    files: int
    groups: int
    across: int


def equal_files(layout: Layout) -> Equal:
    """Count files of one modality that are equal, and where that puts one into two partitions."""
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in read_table(layout.inventory):
        same[row["modality"], row["sha256"]].append(row["id"])
    groups = [ids for ids in same.values() if len(ids) > 1]
    parts = {row["id"]: row for row in read_table(layout.folds)}
    folds = [f"fold-{fold}" for fold in read_dataset(layout)["folds"]]
    across = sum(
        any(len({parts[i][fold] for i in ids if i in parts}) > 1 for fold in folds)
        for ids in groups
    )
    return Equal(sum(map(len, groups)), len(groups), across)


def costs(runs: Records) -> list[dict[str, Any]]:
    """One line a model: what its runs cost.

    Of parameters, seconds of all runs, and devices; of a run the mean of its seconds by stage, of
    the joules that its GPU took, and of items a second. Memory is the most that any run took. What
    no run recorded is None.
    """
    lines = []
    for name in dict.fromkeys(result.name for result, _ in runs):
        own = [record for result, record in runs if result.name == name]
        seconds = {s: _mean(record["seconds"].get(s) for record in own) for s in STAGES}
        lines.append(
            {
                "name": name,
                "type": own[0]["type"],
                "parameters": own[0]["parameters"],
                "runs": len(own),
                "seconds": seconds,
                "all": sum(record["seconds"]["total"] for record in own),
                "speed": {
                    stage: _mean(r.get("items_per_second", {}).get(stage) for r in own)
                    for stage in ("train", "predict")
                },
                "energy": _mean(record.get("energy") for record in own),
                **{name: _most(record.get(name) for record in own) for name in MEMORY},
                "device": _several(record["device"] for record in own),
                "threads": _several(str(record["threads"]) for record in own),
            }
        )
    return lines


def versions(runs: Records) -> dict[str, str]:
    """Versions of all packages that the runs name; several where runs differ."""
    names = dict.fromkeys(name for _, record in runs for name in record["versions"])
    return {
        name: _several(str(record["versions"].get(name, "–")) for _, record in runs)
        for name in names
    }


def machines(runs: Records) -> str:
    """The machines that the runs name."""
    return _several(str(record["machine"]) for _, record in runs)


def features(runs: Records) -> list[dict[str, Any]]:
    """Each feature file that a run read, with its name, kind, shape, digests and the models."""
    found: dict[str, dict[str, Any]] = {}
    for result, record in runs:
        for own in record["features"]:
            made, recordings = digests_of(own["file"])
            digests = {"made": made, "recordings": recordings}
            entry = found.setdefault(own["file"], {**own, "models": {}, **digests})
            entry["models"][result.name] = None
    return [{**entry, "models": ", ".join(entry["models"])} for entry in found.values()]


def digests_of(path: str) -> tuple[str, str]:
    """The digests that a feature file carries in its name: how it is made, and of what.

    >>> digests_of("results/features/log_mel-0123456789ab-cdef01234567.h5")
    ('0123456789ab', 'cdef01234567')
    """
    _, *digests = Path(path).stem.split("-")
    made, recordings = (*digests, "–", "–")[:2]
    return made, recordings


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of what is known: a stage that a kind of model has not is None."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _most(values: Iterable[int | None]) -> int | None:
    """The highest of what is known."""
    return max((value for value in values if value is not None), default=None)


def _durations(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    low, high = min(seconds), max(seconds)
    return f"{low:.4g} s" if low == high else f"{low:.3g} / {median(seconds):.3g} / {high:.3g} s"


def _several(values: Iterable[str], limit: int = 4) -> str:
    """Distinct values, the most frequent first; too many are cut."""
    distinct = [value for value, _ in Counter(values).most_common()]
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(distinct[:limit]) + more or "–"
