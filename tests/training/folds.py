"""Small folds of features in files, for the tests of where items live."""

import numpy as np

from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.features import join
from deepself.store.files import write_table
from deepself.training.job import Input


def write_folds(folder, count, classes=3, seed=0):
    """A table with one fold over recordings `0`, `1`, ...: partitions at random."""
    random = np.random.default_rng(seed)
    partitions = random.permutation(
        np.repeat(
            ["train", "dev", "test"], [count // 2, count // 4, count - count // 2 - count // 4]
        )
    )
    rows = [[str(i), "abc"[i % classes], "", p] for i, p in enumerate(partitions)]
    write_table(folder / "folds.csv", ["id", "label", "group", "fold-1"], rows)
    return folder / "folds.csv"


def write_feature(file, items, counts=None, lengths=None, dtype="float32", compression="none"):
    """A feature file of recordings `0`, `1`, ...: a row each, or `counts` windows."""
    ids = [str(i) for i in range(len(items) if counts is None else len(counts))]
    header = Header(ids, ids, {}, {}, dtype=dtype, compression=compression)
    starts = None
    if counts is not None:
        starts = np.concatenate([np.arange(count, dtype=float) for count in counts])
    with FeatureWriter(file, header) as writer:
        writer.append(Batch(items, list(counts or [1] * len(ids)), starts, lengths))
    return file


def write_shards(file, items, cuts):
    """The same, made of several files."""
    shards = []
    for first, last in zip([0, *cuts], [*cuts, len(items)], strict=True):
        ids = [str(i) for i in range(first, last)]
        shard = file.parent / "shards" / file.stem / f"{first}.h5"
        with FeatureWriter(shard, Header(ids, ids, {}, {})) as writer:
            writer.append(Batch(items[first:last], [1] * len(ids)))
        shards.append(shard)
    join(file, shards)
    return file


def inputs(file, normalise="channel"):
    """The one input that a run reads."""
    return {"": Input("feature", "mel", file, normalise)}
