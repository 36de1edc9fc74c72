"""Items that stay in their file: every row once, in a random order, in little memory."""

import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from deepself.store.features import FeatureFile
from deepself.study.training import Training
from deepself.training import streaming
from deepself.training.homes import open_fold
from deepself.training.sampling import batches, order
from deepself.training.streaming import InFile, Source, ahead
from tests.training.folds import inputs, write_feature, write_folds
from tests.training.toys import trained

ROWS, BLOCK, HELD = 200, 8, 3
"""Rows of a file, of a block, and blocks of a group."""


@pytest.fixture
def small(monkeypatch):
    """Blocks of 8 rows and groups of 3 blocks, of items of 3 numbers."""
    monkeypatch.setattr("deepself.store.feature_writer.CHUNK", 12 * BLOCK)
    monkeypatch.setattr("deepself.store.features.BLOCK", 12 * BLOCK)
    monkeypatch.setattr(streaming, "SPAN", 12 * BLOCK * HELD)


@pytest.fixture
def partition(tmp_path, small):
    """Every other row of a file: item i is [i, i, i]."""
    items = np.repeat(np.arange(2 * ROWS, dtype=np.float32)[:, None], 3, 1)
    file = FeatureFile(write_feature(tmp_path / "f.h5", items))
    assert file.block == BLOCK
    rows = np.arange(0, 2 * ROWS, 2)
    yield InFile([Source(file, rows, None)], [lambda *_: None], torch.arange(ROWS) % 2)
    file.close()


def drawn(partition, seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    rows = order(Training(**settings), partition.targets, 2, generator)
    return rows, partition.arrange(rows, generator)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_an_epoch_has_every_row_once_in_groups_of_blocks(partition):
    before, rows = drawn(partition)
    assert sorted(rows.tolist()) == list(range(ROWS))
    blocks = 2 * rows // BLOCK
    size = HELD * BLOCK // 2  # every other row is in the partition
    groups = [set(group.tolist()) for group in blocks.split(size)]
    assert all(len(group) == HELD for group in groups[:-1])
    assert len(set.union(*groups)) == sum(map(len, groups))
    assert any(max(group) - min(group) > HELD for group in groups)  # blocks are drawn, too
    place = torch.empty(ROWS, dtype=torch.int64)
    place[before] = torch.arange(ROWS)
    for group in rows.split(size):  # within a group, the rows stay in the order of the draw
        assert (place[group].diff() > 0).all()


def test_orders_are_drawn_anew_and_again(partition):
    assert torch.equal(drawn(partition)[1], drawn(partition)[1])
    assert not torch.equal(drawn(partition)[1], drawn(partition, seed=1)[1])


def test_balanced_sampling_keeps_what_was_drawn(partition):
    partition.targets[20:] = 1
    before, rows = drawn(partition, sampling="balanced")
    assert sorted(before.tolist()) == sorted(rows.tolist())
    found = torch.cat([batch.items[0][:, 0] for batch in partition.batches(batches(rows, 16))])
    assert torch.equal(found, 2.0 * rows)


@pytest.mark.parametrize("arranged", [True, False], ids=["arranged", "as drawn"])
def test_batches_hold_their_rows_whatever_the_order(partition, arranged):
    rows = batches(drawn(partition)[arranged], 7)
    for which, batch in zip(rows, partition.batches(rows), strict=True):
        assert torch.equal(batch.items[0][:, 0], 2.0 * which)
        assert torch.equal(batch.targets, which % 2)


def test_an_epoch_goes_on_from_its_middle(partition):
    rows = batches(drawn(partition)[1], 7)
    left = [batch.items[0] for batch in partition.batches(rows)][13:]
    for one, other in zip(left, partition.batches(rows[13:]), strict=True):
        assert torch.equal(one, other.items[0])
    assert list(partition.batches(())) == []


def test_every_row_is_read_once_an_epoch_in_blocks(partition, monkeypatch):
    read = []
    original = FeatureFile.read_rows
    monkeypatch.setattr(
        FeatureFile, "read_rows", lambda self, rows: read.append(rows) or original(self, rows)
    )
    for _ in partition.batches(batches(drawn(partition)[1], 7)):
        pass
    assert sorted(np.concatenate(read).tolist()) == list(range(0, 2 * ROWS, 2))
    assert [len(rows) for rows in read] == [HELD * BLOCK // 2] * 16 + [8]


def test_training_from_a_file_is_bit_identical_and_learns(tmp_path, small):
    items = np.random.default_rng(0).normal(size=(ROWS, 3)) + 4 * (np.arange(ROWS) % 2)[:, None]
    file = write_feature(tmp_path / "f.h5", items.astype(np.float32))
    folds = write_folds(tmp_path, ROWS, classes=2)
    found = []
    for _ in range(2):
        with open_fold(inputs(file), folds, "1", ["a", "b"], "cpu", limit=0) as fold:
            loop = trained(train=fold.partitions["train"], dev=fold.partitions["dev"])
            found.append(loop.network.weight.detach().clone())
            assert loop.course.best.uar > 0.9
    assert torch.equal(*found)
    assert not threads()


class Thing:
    """Something whose being there can be seen."""


def test_two_things_are_there_at_most():
    alive, most = weakref.WeakSet(), 0

    def things():
        for _ in range(20):
            thing = Thing()
            alive.add(thing)
            yield thing

    stream = ahead(things())
    for thing in stream:
        time.sleep(0.001)
        most = max(most, len(alive))
        del thing
    assert most == 2
    assert not threads()


def test_the_next_thing_is_made_while_one_is_used():
    made = [threading.Event() for _ in range(3)]

    def things():
        for event in made:
            event.set()
            yield event

    stream = ahead(things())
    next(stream)
    assert made[1].wait(5)
    assert not made[2].wait(0.05)  # but no more than that
    stream.close()
    assert not threads()


def test_what_goes_wrong_in_the_thread_is_raised_here():
    def things():
        yield 1
        raise OSError("the disk is gone")

    stream = ahead(things())
    assert next(stream) == 1
    with pytest.raises(OSError, match="disk"):
        next(stream)
    assert not threads()


def test_reading_ends_with_what_reads(partition):
    stream = partition.batches(batches(drawn(partition)[1], 7))
    next(stream)
    assert threads()
    partition.close()
    assert not threads()
    next(partition.in_order(4))  # given up at once
    gc.collect()
    assert not threads()


MEASURE = """
import re, sys
import h5py, numpy, torch
from pathlib import Path
from deepself.training import homes, streaming
from deepself.training.job import Input

streaming.SPAN = streaming.STRETCH = 2**22
torch.set_num_threads(1)
source = {"": Input("feature", "mel", Path(sys.argv[1]), "channel")}
given = dict(inputs=source, folds=Path(sys.argv[2]), fold="1", classes=["a", "b", "c"])
limit = int(sys.argv[3])
torch.randn(64, 64) @ torch.randn(64, 64)
def peak():  # that of getrusage would begin with the parent's
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
with homes.open_fold(**given, device="cpu", limit=limit) as fold:
    print(fold.home)
    train = fold.partitions["train"]
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        rows = train.arrange(torch.randperm(len(train), generator=generator), generator)
        for batch in train.batches(rows.split(4)):
            pass
    for batch in fold.partitions["test"].in_order(4):
        pass
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_memory_does_not_grow_with_the_file(tmp_path):
    items = np.random.default_rng(0).normal(size=(600, 1, 64, 1000)).astype(np.float32)
    file = write_feature(tmp_path / "f.h5", items)
    size, limit = items.nbytes, 2**26
    assert size > 2 * limit
    command = [sys.executable, "-c", MEASURE, file, write_folds(tmp_path, 600), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    home, grown = done.stdout.split()[-2:]
    assert home == "file"
    assert int(grown) < limit
