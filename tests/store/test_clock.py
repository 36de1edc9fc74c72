"""Files of the future are set right, in their order."""

import os
import time

import pytest

from deepself.store.clock import is_ahead, set_right

DAY = 86400 * 10**9


@pytest.fixture
def files(tmp_path):
    """Two of now, and four of tomorrow, of which two were changed at the same time."""
    now = time.time_ns()
    times = {"old": now - DAY, "new": now, "a": now + DAY + 5, "b": now + DAY, "c": now + DAY}
    times["d"] = now + 2 * DAY
    for name, changed in times.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(changed, changed))
    return {name: tmp_path / name for name in times}


def test_only_files_of_the_future_change_and_keep_their_order(files):
    before = {name: files[name].stat().st_mtime_ns for name in ("old", "new")}
    assert {path.name for path in files.values() if is_ahead(path)} == set("abcd")
    assert {path.name for path in set_right(files.values())} == set("abcd")
    after = {name: path.stat().st_mtime_ns for name, path in files.items()}
    assert {name: after[name] for name in before} == before
    assert after["new"] < after["b"] == after["c"] < after["a"] < after["d"] <= time.time_ns()
    assert set_right(files.values()) == []


def test_missing_files_are_left_out(tmp_path):
    assert not is_ahead(tmp_path / "none")
    assert set_right([tmp_path / "none"]) == []
