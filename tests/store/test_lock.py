"""A lock lets one job at a time make a file, and does not outlive its holder."""

import os
import subprocess
import sys
import threading
import time

import pytest

from deepself.store import lock as module
from deepself.store.lock import only_one


def test_one_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        with only_one(tmp_path / "f"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6
    assert not list(tmp_path.iterdir())


def test_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="x"), only_one(tmp_path / "f"):
        raise ValueError("x")
    with only_one(tmp_path / "f"):
        pass


def test_dead_holder_on_this_machine_is_replaced_at_once(tmp_path):
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    (tmp_path / ".f.lock").write_text(f"{module._here()} {done.pid} token")
    start = time.monotonic()
    with only_one(tmp_path / "f") as lock:
        assert time.monotonic() - start < 5
        assert not lock.forced


def test_silent_holder_elsewhere_is_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "SILENCE", 1.0)
    (tmp_path / ".f.lock").write_text("elsewhere 1 token")
    with only_one(tmp_path / "f") as lock:
        assert lock.forced  # it may live yet
    assert "waiting for process 1 on elsewhere" in capsys.readouterr().out


def test_holder_elsewhere_that_gives_signs_of_life_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 1.0)
    file = tmp_path / ".f.lock"
    file.write_text("elsewhere 1 token")
    alive = threading.Event()

    def live():
        for number in range(10):
            os.utime(file, (number, number))
            time.sleep(0.25)
        alive.set()
        file.unlink()

    threading.Thread(target=live).start()
    with only_one(tmp_path / "f"):
        assert alive.is_set()


def test_holder_sees_that_it_was_replaced(tmp_path):
    with only_one(tmp_path / "f") as lock:
        assert not lock.lost
        (tmp_path / ".f.lock").write_text("elsewhere 2 other")
        assert lock.lost
    assert (tmp_path / ".f.lock").read_text() == "elsewhere 2 other"


def test_holder_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.05)
    with only_one(tmp_path / "f"):
        file = tmp_path / ".f.lock"
        os.utime(file, (0, 0))
        deadline = time.monotonic() + 10
        while file.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert file.stat().st_mtime > 0
