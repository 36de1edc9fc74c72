"""Timing two ways of doing the same in one run, so that what else the machine does cancels out."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import NamedTuple

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""Environment in which numerical libraries start no threads of their own."""


class Timed(NamedTuple):
    """Seconds by the clock, and of processor time of the whole process."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Timed:
    """Run something once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timed(time.perf_counter() - wall, time.process_time() - cpu)


def say(text: str) -> None:
    """Tell how far the run is."""
    print(text, file=sys.stderr, flush=True)


def available_cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pinned(cores: int) -> ProcessPoolExecutor:
    """Start a fresh process that keeps to so many cores and whose libraries start no threads.

    Processes with as many cores have the same ones.

    It stays the same process for all that is submitted to it: caches and imports are warm after
    the first.
    """
    os.environ.update(ONE_THREAD)
    chosen = available_cores()[-cores:]
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_pin, initargs=(chosen,))


def _pin(cores: list[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    import torch

    torch.set_num_threads(1)


def interleaved(
    ways: dict[str, Callable[[], Timed]], repetitions: int, warm: bool = True
) -> dict[str, list[Timed]]:
    """Time each way in turn, every other round backwards; if `warm`, once without, before."""
    for way in ways.values() if warm else ():
        way()
    found: dict[str, list[Timed]] = {name: [] for name in ways}
    for repetition in range(repetitions):
        order = list(ways) if repetition % 2 == 0 else list(reversed(ways))
        for name in order:
            found[name].append(ways[name]())
        say(f"  repetition {repetition + 1} of {repetitions}")
    return found


def best(times: Sequence[Timed]) -> float:
    """Shortest time by the clock, in seconds."""
    return min(t.wall for t in times)


def middle(times: Sequence[Timed]) -> float:
    """Median time by the clock, in seconds."""
    return median(t.wall for t in times)


def processor(times: Sequence[Timed]) -> float:
    """Median of processor time, in seconds."""
    return median(t.cpu for t in times)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> list[str]:
    """Lines of a Markdown table; all columns but the first `texts` are numbers."""
    rule = ["---" if i < texts else "---:" for i in range(len(head))]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)] + [""]


def verdict(what: str, measured: str, target: str, met: bool) -> str:
    """One sentence that sets what was measured against its target."""
    return f"{what}: {measured}; the target is {target}: **{'met' if met else 'not met'}**."
