"""What takes long to make is made once for all workers of a test run."""

import fcntl
import re
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(near: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` has filled, in whichever worker came first.

    Others wait for it. Whoever changes what is in it works on a copy, see `copied`.

    Parameters
    ----------
    near
        Any of pytest's folders of this test run.
    name
        What is made, for all of the run.
    make
        Fills a folder.
    """
    base = _of_run(near)
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


def _of_run(folder: Path) -> Path:
    """The folder that all workers of a test run share: pytest numbers it."""
    above = (folder, *folder.parents)
    return next((one for one in above if re.fullmatch(r"pytest-\d+", one.name)), folder)


def copied(folder: Path, target: Path) -> Path:
    """A copy of a folder with the times of its files, by which Snakemake judges them."""
    shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True)
    return target
