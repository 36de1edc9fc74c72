"""A few recordings' features, made to know what those of all will take.

All is made by the stages' own functions in a temporary folder, so it is what they will make; no
result of the study is touched.
"""

import csv
import io
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deepself.dataset.inventory import take_inventory
from deepself.dataset.manifest import Item, classes_of, data_root, read_manifest, recordings_digest
from deepself.errors import UserError
from deepself.features.compute import Computation
from deepself.features.extract import Maker, derivation, extract
from deepself.store.features import FeatureFile
from deepself.store.files import read_table, write_json
from deepself.store.published import published, weights_file
from deepself.study.features import Computed, Embedding, sources_of
from deepself.study.identity import feature_file
from deepself.study.layout import Layout
from deepself.study.schema import Study

PATIENCE = 20.0
"""Seconds. What takes longer is not made twice to be timed without what is done only once."""


@dataclass(frozen=True)
class Estimate:
    """What a feature of the few recordings took, and that of all will.

    Attributes
    ----------
    feature, kind
        The feature.
    shape
        Of one item.
    windows
        Items of a recording, as a mean; 0 where a recording is one item.
    each
        Bytes of the items of a recording, and seconds to make them, as means.
    recordings
        How many there are in all.
    compression
        How the file is to be compressed; sizes are those before.
    missing
        What is lacking to make it, or empty.
    problem
        Why it cannot be made, or empty.
    """

    feature: str
    kind: str
    shape: tuple[int, ...] = ()
    windows: float = 0
    each: tuple[float, float] = (0.0, 0.0)
    recordings: int = 0
    compression: str = "none"
    missing: str = ""
    problem: str = ""

    @property
    def shape_text(self) -> str:
        """Shape of an item, and how many there are of a recording."""
        text = " × ".join(map(str, self.shape))
        return f"{self.windows:.3g} windows of {text}" if self.windows else text

    @property
    def bytes(self) -> float:
        """Of the items of all recordings."""
        return self.each[0] * self.recordings

    @property
    def seconds(self) -> float:
        """To make the items of all recordings, on one thread."""
        return self.each[1] * self.recordings


@dataclass(frozen=True)
class Few:
    """A few recordings of a study.

    Attributes
    ----------
    study, layout
        The study of these recordings alone, and the temporary folder of its results.
    whole
        Where the results of the study of all recordings lie: weights are taken from there.
    items
        The recordings, without those that cannot be used.
    rows
        Theirs of the inventory, each with its label.
    all
        How many recordings there are in all.
    left_out
        Recordings that cannot be used, and why.
    seconds
        To read and check one, as a mean.
    """

    study: Study
    layout: Layout
    whole: Layout
    items: list[Item]
    rows: list[dict[str, str]]
    all: int
    left_out: list[dict[str, str]]
    seconds: float

    def estimates(self) -> Iterator[Estimate]:
        """Make each feature, those first that others are made from; in the study's order."""
        done: dict[str, Estimate] = {}

        def make(name: str) -> Estimate:
            if name not in done:
                spec = self.study.features[name]
                lacking = [source for source in sources_of(spec) if not make(source).shape]
                if lacking:
                    needed = " and ".join(f"features.{source}" for source in lacking)
                    done[name] = Estimate(name, spec.kind, missing=f"needs {needed}")
                else:
                    done[name] = _make(self.study, self.layout, self.whole, name)
            return done[name]

        for name in self.study.features:
            yield replace(make(name), recordings=self.all)


@contextmanager
def few_recordings(study: Study, layout: Layout, count: int) -> Iterator[Few]:
    """Check a few recordings, in a temporary folder that is removed in the end.

    Parameters
    ----------
    study, layout
        The study, and where its results lie: only weights are taken from there.
    count
        Recordings: the first of each class, then the second of each.

    Raises
    ------
    UserError
        A recording cannot be read, or is unfit for the study: one line each.
    """
    items = read_manifest(study.dataset)
    classes = classes_of(study.dataset, items)
    if layout.inventory.exists():  # those that `check` has not left out
        usable = {row["id"] for row in read_table(layout.inventory)}
        items = [item for item in items if item.id in usable] or items
    chosen = _chosen(items, classes, count)
    with TemporaryDirectory(prefix="deepself-few-") as folder:
        few = Layout(study.name, Path(folder) / "results")
        few.results.mkdir()
        (few.results / "weights").symlink_to((layout.results / "weights").resolve())
        small = _small(study, Path(folder), chosen)
        start = time.perf_counter()
        take_inventory(small, few, workers=1)
        seconds = (time.perf_counter() - start) / len(chosen)
        left_out = read_table(few.skipped)
        unfit = {row["id"] for row in left_out}
        used = [item for item in chosen if item.id not in unfit]
        rows = _describe(small, few, classes, used)
        yield Few(small, few, layout, used, rows, len(items), left_out, seconds)


def _chosen(items: list[Item], classes: Sequence[str], count: int) -> list[Item]:
    """The first item of each class, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    order = []
    for item in items:
        order.append((seen[item.label], classes.index(item.label), item.row, item))
        seen[item.label] += 1
    return [item for *_, item in sorted(order, key=lambda entry: entry[:3])[:count]]


def _small(study: Study, folder: Path, chosen: list[Item]) -> Study:
    """The study with a manifest of the chosen recordings alone, and all features in one file."""
    manifest = folder / "manifest.csv"
    _write_manifest(manifest, chosen)
    root = str(data_root(study.dataset))
    there = {item.columns[study.dataset.label] for item in chosen}
    merge = {
        name: own
        for name, labels in study.dataset.merge.items()
        if (own := [label for label in labels if label in there])
    }
    dataset = study.dataset.model_copy(
        update={"root": root, "manifest": str(manifest), "merge": merge}
    )
    features = {
        name: spec.model_copy(update={"shards": 1}) if isinstance(spec, Computed) else spec
        for name, spec in study.features.items()
    }
    return study.model_copy(update={"dataset": dataset, "features": features})


def _write_manifest(path: Path, items: list[Item]) -> None:
    """Rows on the lines where they stand in the whole manifest: messages name lines."""
    names = list(items[0].columns)
    text = _csv(names)
    lines = text.count("\n")
    for item in sorted(items, key=lambda item: item.row):
        row = _csv([item.columns[name] for name in names])
        gap = max(0, item.row - lines - row.count("\n"))
        text += "\n" * gap + row
        lines += gap + row.count("\n")
    path.write_text(text, encoding="utf-8", newline="")


def _csv(values: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def _describe(
    study: Study, few: Layout, classes: list[str], items: list[Item]
) -> list[dict[str, str]]:
    """Write `dataset.json` as `split` would; return the inventory's rows with labels."""
    rows = {(row["id"], row["modality"]): row for row in read_table(few.inventory)}
    names = list(study.dataset.modalities)
    # In the order of the manifest, as everywhere.
    ordered = sorted(items, key=lambda item: item.row)
    digests = {
        name: recordings_digest([(i.id, rows[i.id, name]["sha256"]) for i in ordered])
        for name in names
    }
    write_json(
        few.dataset,
        {
            "classes": classes,
            "folds": [],
            "items": len(items),
            "modalities": {name: {"digest": digest} for name, digest in digests.items()},
        },
    )
    return [rows[item.id, name] | {"label": item.label} for item in items for name in names]


def _make(study: Study, few: Layout, layout: Layout, name: str) -> Estimate:
    spec = study.features[name]
    if isinstance(spec, Embedding) and (lacking := _lacking(spec, layout)):
        return Estimate(name, spec.kind, missing=lacking)
    start = time.perf_counter()
    try:
        path = extract(study, few, name, workers=1)
    except UserError as error:
        # The temporary file's own name says nothing to the reader.
        said = str(error).replace(f"{feature_file(study, few, name)}: ", "")
        return Estimate(name, spec.kind, problem=said.removeprefix(f"features.{name}: "))
    seconds = time.perf_counter() - start
    with FeatureFile(path) as file:
        many = len(file.ids)
        items = int(file.offsets[-1]) * int(np.prod(file.shape))
        size = items * np.dtype(file.dtype).itemsize
        if seconds < PATIENCE:
            seconds = _timed(study, few, name, file.ids)
        windows = 0 if file.starts is None else file.offsets[-1] / many
        return Estimate(
            name,
            spec.kind,
            file.shape,
            windows,
            (size / many, seconds / many),
            compression=file.compression,
        )


def _timed(study: Study, few: Layout, name: str, ids: list[str]) -> float:
    """Seconds to make the items once more: now without what is loaded or worked out only once."""
    spec = study.features[name]
    maker: Maker
    if isinstance(spec, Computed):
        modality = study.dataset.modalities[spec.modality]
        rows = [row for row in read_table(few.inventory) if row["modality"] == spec.modality]
        maker = Computation(name, spec, modality, rows)
    else:
        maker = derivation(study, few, name)
    with maker:
        start = time.perf_counter()
        for recording in ids:
            maker.make(recording)
        return time.perf_counter() - start


def _lacking(spec: Embedding, layout: Layout) -> str:
    """Say which weights are not there yet."""
    path = weights_file(layout.results, spec.network, spec.weights)
    known = published(spec.network, spec.weights)
    if known is None or path.is_file():
        return ""
    return f"needs weights: run deepself fetch {known.file} --output {path}"
