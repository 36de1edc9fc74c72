"""Timing commands: whole, or until they print something."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stopwatch import ONE_THREAD, Timed

DEEPSELF = [sys.executable, "-m", "deepself"]


class Line(NamedTuple):
    """A line that a command printed, and when, in seconds since it was started."""

    at: float
    text: str


class Ran(NamedTuple):
    """A command that is over: how long it took, and what it printed."""

    time: Timed
    lines: list[Line]

    def first(self, start: str) -> str:
        """The first line that begins so; an error where there is none."""
        return next(line.text for line in self.lines if line.text.startswith(start))


def ran(
    command: Sequence[str | Path],
    folder: Path,
    until: str | None = None,
    more: Mapping[str, str] | None = None,
    one_thread: bool = True,
) -> Ran:
    """Run a command in a folder to its end.

    Parameters
    ----------
    command, folder
        What, and where.
    until
        The time is taken when a line with this text is printed.
    more
        Variables added to its environment.
    one_thread
        Whether its numerical libraries start no threads of their own; if not, they do as they do
        for a user.
    """
    threads = ONE_THREAD if one_thread else {}
    kept = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    before, start = _children(), time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={**kept, **threads, **(more or {}), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines, wall = [], None
    assert process.stdout is not None
    for text in process.stdout:
        lines.append(Line(time.perf_counter() - start, text.rstrip("\n")))
        if wall is None and until is not None and until in text:
            wall = lines[-1].at
    code = process.wait()
    end = time.perf_counter() - start
    if code or (until is not None and wall is None):
        shown = "\n".join(line.text for line in lines[-20:])
        raise RuntimeError(f"{' '.join(map(str, command))}: ended with {code}\n{shown}")
    return Ran(Timed(end if wall is None else wall, _children() - before), lines)


def _children() -> float:
    """Processor time of all children that are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
