"""`extract`: one feature of all recordings, into one file that is whole or absent."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from deepself.dataset.manifest import recordings_digest
from deepself.dataset.readers.decoding import quiet
from deepself.errors import UserError
from deepself.features.ahead import in_order
from deepself.features.compute import Computation
from deepself.features.derive import Derivation
from deepself.features.earlier import Earlier
from deepself.features.joining import Joining
from deepself.malloc import keep_freed_memory
from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.features import join
from deepself.store.files import read_table
from deepself.store.lock import Lock, only_one
from deepself.study.features import Computed, Derived
from deepself.study.identity import feature_file, feature_specification, shard_files
from deepself.study.joined import Joined
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.versions import versions

BATCH_BYTES = 2**22
"""Items are written, and are safe from an interruption, this many bytes at a time."""

BATCH_RECORDINGS = 32

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "librosa",
    "PyWavelets",
    "soundfile",
    "soxr",
    "pillow",
    "h5py",
    "pyarrow",
    "matplotlib",
    "av",
    "pyedflib",
    "wfdb",
)
"""What reads recordings and makes features: another version of one may make other values."""

Maker = Computation | Derivation | Joining


def extract(study: Study, layout: Layout, name: str, workers: int) -> Path:
    """Make a feature file, unless it stands.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    name
        The feature.
    workers
        Threads that decode and transform.

    Raises
    ------
    UserError
        A recording cannot be read, has changed, or does not suit the transform.
    """
    path = feature_file(study, layout, name)
    shards = shard_files(study, layout, name)
    if path.exists():
        return path
    for number in range(len(shards)):
        extract_shard(study, layout, name, number, workers)
    with only_one(path) as lock:
        if path.exists():  # another job made it while this one waited
            return path
        if shards:
            join(path, shards)
        else:
            maker, ids, checksums = _maker(study, layout, name)
            _write(study, layout, name, path, maker, (ids, checksums), workers, lock)
            _clear_interrupted(path)
    return path


def extract_shard(study: Study, layout: Layout, name: str, number: int, workers: int) -> Path:
    """Make one file of a feature that is made of several, unless it stands; see `extract`."""
    shards = shard_files(study, layout, name)
    path = shards[number]
    if path.exists():
        return path
    with only_one(path) as lock:
        if not path.exists():
            maker, ids, checksums = _maker(study, layout, name)
            edges = [round(i * len(ids) / len(shards)) for i in range(len(shards) + 1)]
            part = slice(edges[number], edges[number + 1])
            own = ids[part], checksums[part]
            _write(study, layout, name, path, maker, own, workers, lock)
    return path


def _maker(study: Study, layout: Layout, name: str) -> tuple[Maker, list[str], list[str]]:
    """What makes a feature, and the ids and checksums of its recordings."""
    spec = study.features[name]
    if isinstance(spec, Computed):
        modality = study.dataset.modalities[spec.modality]
        rows = [r for r in read_table(layout.inventory) if r["modality"] == spec.modality]
        ids, checksums = [row["id"] for row in rows], [row["sha256"] for row in rows]
        _require_same(study, layout, name, ids, checksums)
        return Computation(name, spec, modality, rows), ids, checksums
    derived = derivation(study, layout, name)
    return derived, derived.ids, derived.checksums


def derivation(study: Study, layout: Layout, name: str) -> Derivation | Joining:
    """What makes a feature from others, whose files stand."""
    spec = study.features[name]
    if isinstance(spec, Joined):
        files = {source: feature_file(study, layout, source) for source in spec.of}
        return Joining(name, spec, files)
    assert isinstance(spec, Derived)
    return Derivation(name, spec, feature_file(study, layout, spec.of), layout.results)


def _require_same(
    study: Study, layout: Layout, name: str, ids: list[str], checksums: list[str]
) -> None:
    """The file's name speaks of the recordings that `split` saw; `check` may have run since."""
    found = recordings_digest(list(zip(ids, checksums, strict=True)))
    if found != feature_specification(study, layout, name)["recordings"]:
        raise UserError(f"{layout.inventory}: newer than {layout.dataset}; run split again")


def _write(
    study: Study,
    layout: Layout,
    name: str,
    path: Path,
    maker: Maker,
    recordings: tuple[list[str], list[str]],
    workers: int,
    lock: Lock,
) -> None:
    ids, checksums = recordings
    spec = study.features[name]
    specification = feature_specification(study, layout, name) | {"samples": maker.samples}
    if isinstance(maker, Joining):
        specification["parts"] = maker.parts
    header = Header(
        ids,
        checksums,
        specification,
        versions(*PACKAGES),
        maker.axes.frequencies,
        maker.axes.frame_rate,
        spec.dtype,
        spec.compression,
    )
    torch.set_num_threads(1)  # the threads below are the parallelism
    keep_freed_memory()
    bar = tqdm(total=len(ids), desc=path.stem, unit="item", disable=not sys.stderr.isatty())
    with ExitStack() as stack:
        stack.enter_context(maker)
        stack.enter_context(quiet())
        earlier = stack.enter_context(Earlier(feature_file(study, layout, name), header))
        writer = stack.enter_context(FeatureWriter(path, header, lock))
        stack.enter_context(bar)
        bar.update(writer.done)

        def make(place: int) -> Batch:
            return earlier.find(checksums[place]) or maker.make(ids[place])

        tasks = (partial(make, place) for place in range(writer.done, len(ids)))
        for batch in _batches(path, in_order(tasks, workers)):
            writer.append(batch)
            bar.update(len(batch.counts))


def _clear_interrupted(path: Path) -> None:
    """Remove what interrupted jobs left of the same feature of other recordings, if none lives."""
    made = path.name.rsplit("-", 1)[0]
    for part in path.parent.glob(f".{made}-*.h5.part"):
        name = part.name.removesuffix(".part")
        if not part.with_name(f"{name}.lock").exists():
            part.unlink(missing_ok=True)
            part.with_name(f"{name}.journal").unlink(missing_ok=True)


def _batches(path: Path, made: Iterator[Batch]) -> Iterator[Batch]:
    """Gather the items of several recordings, to write them at once."""
    gathered: list[Batch] = []
    for batch in made:
        gathered.append(batch)
        size = sum(one.items.nbytes for one in gathered)
        if size >= BATCH_BYTES or len(gathered) == BATCH_RECORDINGS:
            yield _together(path, gathered)
            gathered = []
    if gathered:
        yield _together(path, gathered)


def _together(path: Path, batches: list[Batch]) -> Batch:
    shapes = {batch.items.shape[1:] for batch in batches}
    if len(shapes) > 1:
        found = " and ".join(map(str, sorted(shapes)))
        raise UserError(f"{path}: recordings give items of {found}; set the modality's duration")

    def joined(values: list[Any]) -> Any:
        return None if values[0] is None else np.concatenate(values)

    return Batch(
        np.concatenate([batch.items for batch in batches]),
        [count for batch in batches for count in batch.counts],
        joined([batch.starts for batch in batches]),
        joined([batch.lengths for batch in batches]),
    )
