"""A feature file gives items by name, exists when all are in, and is resumed if interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepself.errors import UserError
from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.features import FeatureFile, join
from deepself.store.files import TakenOverError


def header(ids, **settings):
    return Header(
        list(ids), [f"sum-{i}" for i in ids], {"kind": "x", "samples": None}, {}, **settings
    )


def batch(items, counts=None, **columns):
    return Batch(items, counts or [1] * len(items), **columns)


def write(path, items, ids, **settings):
    with FeatureWriter(path, header(ids, **settings)) as writer:
        for start in range(writer.done, len(items), 2):
            writer.append(batch(items[start : start + 2]))


@pytest.fixture
def items():
    return np.random.default_rng().standard_normal((5, 1, 3, 4)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "f.h5"


def test_items_come_back_in_the_order_asked(path, items):
    write(path, items, "abcde", frequencies=np.arange(3.0), frame_rate=7)
    with FeatureFile(path) as file:
        assert file.shape == (1, 3, 4)
        assert file.specification["kind"] == "x"
        assert file.frame_rate == 7
        assert file.starts is None
        assert file.lengths is None
        np.testing.assert_array_equal(file.frequencies, [0, 1, 2])
        np.testing.assert_array_equal(file.read(list("dab")), items[[3, 0, 1]])


def test_windows_of_a_recording_come_back_together(path, items):
    with FeatureWriter(path, header("ab")) as writer:
        starts, lengths = np.array([0, 0.5, 0, 0.5, 1]), np.array([4, 2, 4, 4, 1])
        writer.append(batch(items, [2, 3], starts=starts, lengths=lengths))
    with FeatureFile(path) as file:
        np.testing.assert_array_equal(file.read(["b", "a"]), items[[2, 3, 4, 0, 1]])
        rows = file.rows(["a"])
        assert file.starts[rows].tolist() == [0, 0.5]
        assert file.lengths[rows].tolist() == [4, 2]


@pytest.mark.parametrize("compression", ["none", "lzf", "gzip"])
def test_any_rows_of_a_large_file_come_back(path, compression):
    random = np.random.default_rng()
    items = random.standard_normal((700, 2, 900)).astype(np.float32)
    with FeatureWriter(path, header(map(str, range(700)), compression=compression)) as writer:
        for part in np.array_split(items, 9):
            writer.append(batch(part))
    rows = random.integers(0, 700, 300)
    with FeatureFile(path) as file:
        assert file.compression == compression
        np.testing.assert_array_equal(file.read_rows(rows), items[rows])


def test_half_precision_is_read_as_float32(path, items):
    write(path, items, "abcde", dtype="float16")
    with FeatureFile(path) as file:
        assert file.dtype == "float16"
        found = file.read(list("abcde"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, items, rtol=1e-3, atol=1e-4)


def test_values_that_do_not_fit_half_precision_are_refused(path, items):
    with pytest.raises(UserError, match=r"above 65504 do not fit float16; set dtype: float32"):
        write(path, items * 1e6, "abcde", dtype="float16")


def test_incomplete_feature_never_takes_its_name(path, items):
    with pytest.raises(ValueError, match="5 recordings of 6"):
        write(path, items, "abcdef")
    assert not path.exists()


def test_interrupted_feature_goes_on_where_it_stopped(path, items):
    with pytest.raises(KeyboardInterrupt), FeatureWriter(path, header("abcde")) as writer:
        writer.append(batch(items[:2]))
        writer.append(batch(items[2:4]))
        raise KeyboardInterrupt
    assert not path.exists()
    with FeatureWriter(path, header("abcde")) as writer:
        assert writer.done == 4
        writer.append(batch(items[4:]))
    with FeatureFile(path) as file:
        np.testing.assert_array_equal(file.read(list("abcde")), items)
    assert os.listdir(path.parent) == ["f.h5"]


KILLED = """
import os, sys, signal, numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.store.test_features import batch, header
from deepself.store.feature_writer import FeatureWriter
with FeatureWriter(Path(sys.argv[1]), header("abcde")) as writer:
    for start in (0, 2):
        writer.append(batch(np.full((2, 1, 3, 4), start, np.float32)))
    writer._items.resize(5, axis=0)  # killed in the middle of the next
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writer_loses_nothing_that_was_whole(path):
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), root])
    assert done.returncode == -signal.SIGKILL
    with FeatureWriter(path, header("abcde")) as writer:
        assert writer.done == 4
        writer.append(batch(np.full((1, 1, 3, 4), 4, np.float32)))
    with FeatureFile(path) as file:
        assert file.read(list("abcde"))[:, 0, 0, 0].tolist() == [0, 0, 2, 2, 4]


@pytest.mark.parametrize("damage", ["items", "journal", "file", "other"])
def test_what_is_not_proven_whole_is_made_anew(path, items, damage):
    with pytest.raises(KeyboardInterrupt), FeatureWriter(path, header("abcde")) as writer:
        writer.append(batch(items[:2]))
        writer.append(batch(items[2:4]))
        raise KeyboardInterrupt
    part, journal = path.with_name(".f.h5.part"), path.with_name(".f.h5.journal")
    kept = {"items": 2, "journal": 2, "file": 0, "other": 0}[damage]
    ids = "abcde"
    if damage == "items":
        with h5py.File(part, "r+") as file:
            file["items"][3] += 1
    elif damage == "journal":
        journal.write_text(journal.read_text()[:-9])
    elif damage == "file":
        part.write_bytes(part.read_bytes()[:700])
    else:
        ids = "abcdx"
    with FeatureWriter(path, header(ids)) as writer:
        assert writer.done == kept
        for start in range(kept, 5):
            writer.append(batch(items[start : start + 1]))
    with FeatureFile(path) as file:
        np.testing.assert_array_equal(file.read(list(ids)), items)


class Held:
    """A lock that another job may take over."""

    def __init__(self, forced=False):
        self.forced, self.lost = forced, False


def test_job_that_was_taken_for_dead_leaves_the_others_work_alone(path, items):
    first, second = Held(), Held(forced=True)
    slow = FeatureWriter(path, header("abcde"), first).__enter__()
    slow.append(batch(items[:2]))
    first.lost = True  # asleep for a minute: a second job begins anew
    with FeatureWriter(path, header("abcde"), second) as writer:
        assert writer.done == 0
        writer.append(batch(items[:1]))
        with pytest.raises(TakenOverError):
            slow.append(batch(items[2:4]))
        slow.__exit__(TakenOverError, TakenOverError("x"), None)
        writer.append(batch(items[1:]))
    with FeatureFile(path) as file:
        np.testing.assert_array_equal(file.read(list("abcde")), items)


def test_values_that_are_not_finite_are_refused(path, items):
    items[1, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match=r"f\.h5: values that are not finite"):
        write(path, items, "abcde", dtype="float16")


def test_shards_read_as_one_without_copying(tmp_path, items, monkeypatch):
    shards = [tmp_path / "features/shards/x" / f"{i}.h5" for i in (1, 2)]
    write(shards[0], items[:2], "ab")
    write(shards[1], items[2:], "cde")
    whole = tmp_path / "features/x.h5"
    join(whole, shards)
    monkeypatch.chdir("/")
    with FeatureFile(whole) as file:
        assert file.ids == list("abcde")
        np.testing.assert_array_equal(file.read(list("ecab")), items[[4, 2, 0, 1]])
    assert whole.stat().st_size < 20_000
    moved = tmp_path / "elsewhere"
    (tmp_path / "features").rename(moved)
    with FeatureFile(moved / "x.h5") as file:
        np.testing.assert_array_equal(file.read(list("abcde")), items)
    (moved / "shards/x/2.h5").unlink()
    with pytest.raises(UserError, match=r"shards/x/2\.h5: missing, .*x\.h5 is made of it"):
        FeatureFile(moved / "x.h5")


def test_damaged_file_is_named(path):
    path.write_bytes(b"not HDF5")
    with pytest.raises(UserError, match=r"f\.h5: not a whole feature file"):
        FeatureFile(path)


def test_reading_does_not_touch_the_file(path, items):
    write(path, items, "abcde")
    before = path.stat().st_mtime_ns
    with FeatureFile(path) as file:
        file.read(["a"])
    assert path.stat().st_mtime_ns == before


def test_disk_without_room_is_refused_before_writing(path, items, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("deepself.store.feature_writer.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"f\.h5: needs 0\.1 MB, the disk has 0\.0 MB free; make"):
        write(path, items, "abcde")
    assert not list(path.parent.iterdir())
