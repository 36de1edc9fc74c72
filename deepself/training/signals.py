"""What a cluster tells a job before it ends it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 143
"""Exit status of a job that SIGTERM ended, as a shell has it."""


class Signals:
    """Signals that have come.

    Attributes
    ----------
    save
        SIGUSR1 or SIGTERM asked for a checkpoint.
    stop
        SIGTERM asked to end.
    """

    save = False
    stop = False

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Keep in mind what has come; training looks between two batches."""
        self.save = True
        self.stop = self.stop or number == signal.SIGTERM


@contextmanager
def signals() -> Iterator[Signals]:
    """Note SIGTERM and SIGUSR1 instead of dying of them; outside the main thread, note none."""
    noted = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {n: signal.signal(n, noted.note) for n in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
