"""A feature file gives items by name, and exists only when all are in."""

import numpy as np
import pytest

from deepself.errors import UserError
from deepself.store.features import FeatureFile, FeatureWriter


def write(path, items, ids):
    with FeatureWriter(path, ids, {"kind": "x"}, {}, frequencies=np.arange(3.0), frame_rate=7) as w:
        w.append(items[:2])
        w.append(items[2:])


@pytest.fixture
def items():
    return np.random.default_rng(0).standard_normal((5, 1, 3, 4)).astype(np.float32)


def test_items_come_back_in_the_order_asked(tmp_path, items):
    write(tmp_path / "f.h5", items, list("abcde"))
    with FeatureFile(tmp_path / "f.h5") as file:
        assert file.shape == (1, 3, 4)
        assert file.specification == {"kind": "x"}
        assert file.frame_rate == 7
        np.testing.assert_array_equal(file.frequencies, [0, 1, 2])
        np.testing.assert_array_equal(file.read(list("dab")), items[[3, 0, 1]])


def test_incomplete_feature_never_takes_its_name(tmp_path, items):
    with pytest.raises(ValueError, match="5 items of 6"):
        write(tmp_path / "f.h5", items, list("abcdef"))
    assert not list(tmp_path.iterdir())


def test_interrupted_feature_never_takes_its_name(tmp_path, items):
    with pytest.raises(KeyboardInterrupt), FeatureWriter(tmp_path / "f.h5", ["a"], {}, {}) as w:
        w.append(items[:1])
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "f.h5").write_bytes(b"not HDF5")
    with pytest.raises(UserError, match=r"f\.h5: not a complete feature file"):
        FeatureFile(tmp_path / "f.h5")


def test_reading_does_not_touch_the_file(tmp_path, items):
    write(tmp_path / "f.h5", items, list("abcde"))
    before = (tmp_path / "f.h5").stat().st_mtime_ns
    with FeatureFile(tmp_path / "f.h5") as file:
        file.read(["a"])
    assert (tmp_path / "f.h5").stat().st_mtime_ns == before


def test_disk_without_room_is_refused_before_writing(tmp_path, items, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("deepself.store.features.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"f\.h5: needs 0\.0 MB, the disk has 0\.0 MB free"):
        write(tmp_path / "f.h5", items, list("abcde"))
    assert not list(tmp_path.iterdir())
