"""How far a download is: a bar on a terminal, a line now and then in a job's log."""

import sys
import time
from contextlib import AbstractContextManager
from typing import Any

EVERY = 15.0
"""Seconds between two lines of a log."""


class Progress(AbstractContextManager):
    """The progress of one file, on the standard error.

    Parameters
    ----------
    name
        The file's name.
    """

    def __init__(self, name: str):
        self._name = name
        self._bar: Any = None
        self._done, self._total = 0, 0
        self._told = time.monotonic()

    def start(self, done: int, total: int | None) -> None:
        """Say how many bytes there are, and how many of them have come already."""
        self._done, self._total = done, total or 0
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._close()
            self._bar = tqdm(
                desc=self._name, initial=done, total=total, unit="B", unit_scale=True, leave=False
            )

    def add(self, count: int) -> None:
        """Count further bytes."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._told > EVERY:
            self._told = time.monotonic()
            of = f" of {self._total / 1e6:.0f}" if self._total else ""
            print(f"{self._name}: {self._done / 1e6:.0f}{of} MB", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
