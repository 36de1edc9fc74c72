"""What takes long to make is made once for all workers of a test run."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` has filled, in whichever worker came first.

    Others wait for it. Whoever changes what is in it works on a copy, see `copied`.
    """
    base = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):  # each worker has a folder of its own in the run's
        base = base.parent
    folder, done = base / name, base / f".{name}.done"
    with open(base / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            if folder.exists():  # of a test that failed while it was made
                shutil.rmtree(folder)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def copied(folder: Path, target: Path) -> Path:
    """A copy of a folder with the times of its files, by which Snakemake judges them."""
    shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True)
    return target
