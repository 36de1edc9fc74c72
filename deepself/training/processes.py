"""Several runs at once in one job: processes that share what has been imported."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from deepself.errors import UserError
from deepself.training.signals import STOPPED

T = TypeVar("T")


def in_processes(work: Callable[[T], object], items: Sequence[T], processes: int) -> None:
    """Do some work for each of several items, so many at a time.

    The processes are forks, which start in milliseconds: what this one has imported, they have.
    It must not have computed anything with several threads before, whose state a fork would not
    take along. SIGTERM and SIGUSR1 are handed on; if this process is killed, theirs end too.

    Parameters
    ----------
    work
        What is done.
    items
        What it is done for; each process takes the next one that none has taken.
    processes
        How many work at once.

    Raises
    ------
    UserError
        Of the first item whose work raised one, after all others have been worked on; or a
        process was killed.
    SystemExit
        SIGTERM came.
    """
    context = multiprocessing.get_context("fork")
    taken, lines = context.Value("i", 0), context.SimpleQueue()
    started = [
        context.Process(target=_work, args=(work, items, taken, lines, os.getpid()))
        for _ in range(min(processes, len(items)))
    ]
    with _handed_on(started) as told:
        for process in started:
            if not told:
                process.start()
        started = [process for process in started if process.pid is not None]
        for process in started:
            process.join()
    codes = [process.exitcode for process in started]
    if STOPPED in codes or told:
        raise SystemExit(STOPPED)
    if not lines.empty():
        raise lines.get()
    killed = next((code for code in codes if code), None)
    if killed is not None:
        raise UserError(
            f"a training process ended with {killed}"
            + ("; was the memory too small for so many at once?" if killed == -9 else "")
        )


def _work(work: Callable[[Any], object], items: Sequence, taken: Any, lines: Any, of: int) -> None:
    """What a process does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _die_with(of)
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(items):
            return
        try:
            work(items[number])
        except UserError as error:
            lines.put(error)


def _die_with(parent: int) -> None:
    """Have Linux send SIGTERM when the parent dies; elsewhere, the runs go on to their ends."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:  # it died before
        sys.exit(STOPPED)


@contextmanager
def _handed_on(processes: Sequence[BaseProcess]) -> Iterator[list[int]]:
    """Hand on what the cluster says; gives a list that is not empty once it says to stop."""
    told: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            told.append(number)
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    before = {n: signal.signal(n, hand_on) for n in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
