"""Items live where they fit, and are the same everywhere."""

import numpy as np
import pytest
import torch

from deepself.errors import UserError
from deepself.training import homes, memory
from deepself.training.data import SLICE, Normaliser, load_fold
from deepself.training.homes import choose_home, open_fold
from deepself.training.job import Input
from deepself.training.memory import free_host_memory
from deepself.training.partitions import InMemory, fetch
from tests.training.folds import inputs, write_feature, write_folds, write_shards

CLASSES = ["a", "b", "c"]
GB = 2**30


def images(count, seed=0, shape=(2, 5, 7)):
    return np.random.default_rng(seed).gamma(2, 5, (count, *shape)).astype(np.float32)


def padded(count):
    """Items with true lengths, zeros behind them."""
    items, lengths = images(count), np.random.default_rng(1).integers(1, 8, count)
    for row, length in zip(items, lengths, strict=True):
        row[..., length:] = 0
    return items, lengths


def case(folder, kind):
    """A table of folds and the inputs of one of the kinds of features."""
    if kind == "windows":
        counts = [1 + i % 4 for i in range(30)]
        file = write_feature(folder / "f.h5", images(sum(counts)), counts)
    elif kind == "lengths":
        items, lengths = padded(60)
        file = write_feature(folder / "f.h5", items, lengths=lengths)
    elif kind == "shards":
        file = write_shards(folder / "f.h5", images(60), [7, 31])
    elif kind == "small":
        file = write_feature(folder / "f.h5", images(60), dtype="float16", compression="gzip")
    else:
        file = write_feature(folder / "f.h5", images(60))
    count = 30 if kind == "windows" else 60
    sources = inputs(file)
    if kind == "branches":
        items, lengths = padded(60)
        other = write_feature(folder / "g.h5", items[:, 0], lengths=lengths)
        sources = {"one": sources[""], "two": Input("other", "waveform", other, "item")}
    return write_folds(folder, count), sources


def whole(partition):
    """All items, targets and lengths of a partition, in order."""
    batches = list(partition.in_order(8))
    assert all(len(batch) == 8 for batch in batches[:-1])
    inputs = range(len(batches[0].items))
    items = [torch.cat([batch.items[i] for batch in batches]) for i in inputs]
    lengths = [
        None if batches[0].lengths[i] is None else torch.cat([b.lengths[i] for b in batches])
        for i in inputs
    ]
    return items, torch.cat([batch.targets for batch in batches]), lengths


@pytest.mark.parametrize("limit", [None, 0], ids=["memory", "file"])
@pytest.mark.parametrize("kind", ["plain", "lengths", "windows", "shards", "small"])
def test_every_home_holds_what_the_fold_holds(tmp_path, kind, limit, monkeypatch):
    monkeypatch.setattr("deepself.store.features.BLOCK", 2000)  # several rows, not all
    folds, sources = case(tmp_path, kind)
    parts = load_fold(sources[""].file, folds, "1", CLASSES)
    normaliser = Normaliser.fit(parts["train"], "channel")
    with open_fold(sources, folds, "1", CLASSES, "cpu", limit) as fold:
        assert fold.home == ("memory" if limit is None else "file")
        assert fold.shapes == {"": (2, 5, 7)}
        np.testing.assert_allclose(fold.normalisers[""].mean, normaliser.mean, rtol=1e-6)
        np.testing.assert_allclose(fold.normalisers[""].deviation, normaliser.deviation, rtol=1e-6)
        for name, part in parts.items():
            normaliser.apply(part)
            (items,), targets, (lengths,) = whole(fold.partitions[name])
            np.testing.assert_allclose(items.numpy(), part.items, atol=1e-5)
            assert targets.tolist() == fold.partitions[name].targets.tolist()
            assert targets.tolist() == part.targets.tolist()
            assert (lengths is None) == (part.lengths is None)
            if lengths is not None:
                assert lengths.tolist() == part.lengths.tolist()
            assert fold.parts[name].ids == part.ids
            assert (fold.partitions[name].windows is None) == (part.starts is None)


@pytest.mark.parametrize("method", ["channel", "bin", "item", "none"])
@pytest.mark.parametrize("kind", ["lengths", "branches"])
def test_items_are_the_same_bits_in_memory_and_from_their_file(tmp_path, kind, method):
    """So predictions of the same weights are the same."""
    folds, sources = case(tmp_path, kind)
    sources = {n: Input(s.feature, s.kind, s.file, method) for n, s in sources.items()}
    rows = [torch.tensor([3, 0, 3, 9]), torch.tensor([11])]
    with (
        open_fold(sources, folds, "1", CLASSES, "cpu") as held,
        open_fold(sources, folds, "1", CLASSES, "cpu", limit=0) as read,
    ):
        for name, partition in held.partitions.items():
            other = read.partitions[name]
            same(partition.batches(rows), other.batches(rows))
            same(partition.in_order(4), other.in_order(4))


def same(first, second):
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.targets, other.targets)
        for mine, its in zip(one.items + one.lengths, other.items + other.lengths, strict=True):
            assert (mine is None and its is None) or torch.equal(mine, its)


def test_batches_hold_the_rows_that_were_asked_for():
    items, targets = torch.arange(10.0)[:, None], torch.arange(10) % 3
    lengths = torch.arange(10) + 1
    partition = InMemory((items, -items), targets, (None, lengths))
    first, second = partition.batches([torch.tensor([3, 3, 9]), torch.tensor([0])])
    assert first.items[0].ravel().tolist() == [3, 3, 9]
    assert first.items[1].ravel().tolist() == [-3, -3, -9]
    assert first.targets.tolist() == [0, 0, 0]
    assert first.lengths[0] is None and first.lengths[1].tolist() == [4, 4, 10]
    assert second.items[0].ravel().tolist() == [0]
    first.items[0].zero_()  # a batch may be changed: it is a copy
    assert items[3] == 3
    assert list(partition.batches([])) == []
    order = torch.randperm(10)
    assert partition.arrange(order, torch.Generator()) is order


def test_uar_of_windows_is_that_of_their_recordings(tmp_path):
    folds, sources = case(tmp_path, "windows")
    with open_fold(sources, folds, "1", CLASSES, "cpu") as fold:
        dev = fold.partitions["dev"]
        logits = torch.nn.functional.one_hot(dev.targets, 3) * 5.0
        assert dev.uar(logits, 3) == 1
        # One window of several that says otherwise does not change its recording.
        several = np.flatnonzero(np.bincount(dev.windows.recordings) >= 3)[0]
        row = np.flatnonzero(dev.windows.recordings == several)[0]
        logits[row] = logits[row].roll(1)
        assert dev.uar(logits, 3) == 1


def test_files_are_let_go(tmp_path):
    folds, sources = case(tmp_path, "plain")
    with open_fold(sources, folds, "1", CLASSES, "cpu", limit=0) as fold:
        stream = fold.partitions["dev"].in_order(4)
        next(stream)
    assert list(stream) == []
    with pytest.raises(OSError, match="read data"):
        list(fold.partitions["dev"].in_order(4))


def test_feature_that_lacks_a_recording_is_named(tmp_path):
    file = write_feature(tmp_path / "f.h5", images(10))
    with pytest.raises(UserError, match=r"f\.h5: no recording"):
        open_fold(inputs(file), write_folds(tmp_path, 12), "1", CLASSES, "cpu")


@pytest.mark.parametrize(
    ("device", "gpu", "host", "home"),
    [
        ("cpu", 0, 10, "memory"),
        ("cpu", 0, 1.5, "file"),
        ("cuda:0", 10, 10, "device"),
        ("cuda:0", 1.9, 10, "memory"),
        ("cuda:0", 1.9, 1.5, "file"),
        ("cuda:0", 10, 1, "device"),  # the host need not hold what goes to the GPU
    ],
)
def test_items_go_to_the_fastest_home_that_they_fit_into(
    monkeypatch, capsys, device, gpu, host, home
):
    monkeypatch.setattr(homes, "free_device_memory", lambda _: int(gpu * GB))
    monkeypatch.setattr(homes, "free_host_memory", lambda: int(host * GB))
    assert choose_home(GB, device) == home
    assert ("do not fit into memory" in capsys.readouterr().out) == (home == "file")


def test_items_in_the_hosts_memory_are_sent_batch_by_batch():
    """The meta device stands for a GPU: it takes tensors, and keeps their shapes alone."""
    items, targets = torch.zeros(10, 2, 3), torch.zeros(10, dtype=torch.int64, device="meta")
    partition = InMemory((items,), targets)
    assert partition.home == "memory"
    given = [*partition.batches([torch.arange(4), torch.arange(3)]), *partition.in_order(8)]
    assert [batch.items[0].shape for batch in given] == [(n, 2, 3) for n in (4, 3, 8, 2)]
    assert all(batch.items[0].device == targets.device for batch in given)
    assert all(batch.targets.device == targets.device for batch in given)


def test_items_go_to_a_gpu_in_parts(tmp_path, monkeypatch):
    """`cpu:0` stands for it: a device that is not `cpu`, so that all is done as for a GPU."""
    monkeypatch.setattr(homes, "free_device_memory", lambda _: GB)
    monkeypatch.setitem(SLICE, "cuda", 1000)  # three rows
    folds, sources = case(tmp_path, "branches")
    with (
        open_fold(sources, folds, "1", CLASSES, "cpu") as held,
        open_fold(sources, folds, "1", CLASSES, "cpu:0") as sent,
    ):
        for name in held.partitions:
            same(held.partitions[name].in_order(4), sent.partitions[name].in_order(4))


def test_pinned_memory_holds_the_rows_that_are_sent(monkeypatch):
    """Without a GPU nothing can be pinned; what is copied to it is looked at instead."""
    sent = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **how: sent.append((self, how)))
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *a, pin_memory, **k: empty(*a, **k))
    fetch(torch.arange(12.0).reshape(6, 2), torch.tensor([5, 1]), torch.device("cuda"))
    assert sent[0][0].tolist() == [[10, 11], [2, 3]]
    assert sent[0][1] == {"non_blocking": True}


def system(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


MEMINFO = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable:   {8 * 2**20} kB\n"}


def test_free_memory_is_what_the_machine_has(tmp_path):
    assert free_host_memory(system(tmp_path, MEMINFO), {}) == 8 * GB


@pytest.mark.parametrize(
    ("files", "left"),
    [
        # Of version 2, what a group above this one has left counts too; pages of files are free.
        (
            {
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/memory.max": str(5 * GB),
                "sys/fs/cgroup/job/memory.current": str(4 * GB),
                "sys/fs/cgroup/job/memory.stat": f"anon {GB}\ninactive_file {2 * GB}\n",
                "sys/fs/cgroup/job/step/memory.max": "max\n",
                "sys/fs/cgroup/job/step/memory.current": str(4 * GB),
                "sys/fs/cgroup/job/step/memory.stat": "",
            },
            3,
        ),
        # In a container the path is the host's, and the group is the root.
        (
            {
                "proc/self/cgroup": "0::/somewhere/else\n",
                "sys/fs/cgroup/memory.max": str(2 * GB),
                "sys/fs/cgroup/memory.current": str(GB),
                "sys/fs/cgroup/memory.stat": "inactive_file 0\n",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/job\n0::/\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(6 * GB),
                "sys/fs/cgroup/memory/job/memory.usage_in_bytes": str(3 * GB),
                "sys/fs/cgroup/memory/job/memory.stat": f"total_active_file {GB}\nrss 1\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(3 * GB),
                "sys/fs/cgroup/memory/memory.stat": "",
            },
            4,
        ),
        ({"proc/self/cgroup": "0::/\n"}, 8),
    ],
    ids=["version 2", "container", "version 1", "no limit"],
)
def test_free_memory_is_what_the_control_group_leaves(tmp_path, files, left):
    assert free_host_memory(system(tmp_path, MEMINFO | files), {}) == left * GB


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"SLURM_MEM_PER_NODE": "3072"}, 2),
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "4"}, 3),
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_PER_TASK": "2"}, 1),
        ({"SLURM_MEM_PER_CPU": "512"}, 0),
        ({"SLURM_MEM_PER_NODE": "0"}, 8),  # all of the machine
    ],
)
def test_free_memory_is_what_slurm_has_given(tmp_path, monkeypatch, given, left):
    monkeypatch.setattr(memory.os, "sysconf", lambda _: 4096)
    files = MEMINFO | {"proc/self/statm": f"1 {GB // 4096} 1"}
    assert free_host_memory(system(tmp_path, files), given) == left * GB


def test_free_memory_elsewhere_is_what_this_process_does_not_have(tmp_path, monkeypatch):
    """As on macOS, which has no /proc."""
    monkeypatch.setattr(memory.os, "sysconf", lambda name: {"SC_PHYS_PAGES": 2**22}.get(name, 4096))
    assert 8 * GB < free_host_memory(tmp_path, {}) < 16 * GB


def test_free_memory_of_this_machine():
    assert 2**20 < free_host_memory() < 2**46
