"""Progress: how far a training is, for who looks at its terminal, its log, or from elsewhere."""

import math
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, SupportsFloat

from deepself.store.files import write_json

FILE = ".progress.json"
"""Where a run says how far it is, in its folder."""

TERMINAL, SIGN, LOG = 0.1, 1.0, 30.0
"""Seconds between two updates of a bar, of the file, and lines of a log within an epoch."""

State = Literal["running", "finished", "stopped", "failed"]


@dataclass
class Sign:
    """A sign of life: what `FILE` holds.

    Attributes
    ----------
    label
        Which run.
    epochs
        How many it may take.
    host, pid
        Where it runs.
    epoch, share
        The epoch, from 1, and how much of it is done.
    loss, dev_uar, best
        The last loss of a batch or epoch; the last UAR on dev, and the best; None until known.
    items_per_second, seconds_left
        Training items; until the last epoch, evaluation included. None until known.
    written
        When, in seconds since 1970.
    state
        What has become of it.
    """

    label: str
    epochs: int
    host: str
    pid: int
    epoch: int = 0
    share: float = 0.0
    loss: float | None = None
    dev_uar: float | None = None
    best: float | None = None
    items_per_second: float | None = None
    seconds_left: float | None = None
    written: float = 0.0
    state: State = "running"


class Progress:
    """Tells how a training goes: a bar on a terminal, lines in a log, a file for `watch`.

    Parameters
    ----------
    label
        Which run.
    epochs
        How many it may take.
    items
        Training items an epoch.
    folder
        Where the run's file is kept; None: nowhere.

    Attributes
    ----------
    sign
        What is told, as it stands.
    labelled
        Whether lines of the log name the run: others write to the same log.
    """

    def __init__(self, label: str, epochs: int, items: int, folder: Path | None = None):
        self.label, self.labelled = label, False
        self.sign = Sign(label, epochs, socket.gethostname(), os.getpid())
        self._items, self._file = max(1, items), folder and folder / FILE
        self._done = self._here = 0  # items of this epoch; of all epochs, in this process
        self._before = 0  # of these, those before this epoch
        self._began = self._epoch_began = self._last = -math.inf
        self._due = self._line = self._signed = -math.inf
        self._every = SIGN if self._file else LOG
        self._bar: Any = None
        self._warned = False

    def begin_epoch(self, epoch: int, done: int = 0) -> None:
        """An epoch begins; of one that goes on from a checkpoint, some items are done."""
        self._epoch_began = self._last = self._line = now = time.monotonic()
        if self._began < 0:
            self._began = now
            self._open_bar()
        self.sign.epoch, self._done, self._before = epoch, done, self._here
        self._count(now)
        self._show(now)

    def _open_bar(self) -> None:
        if sys.stderr.isatty():
            from tqdm import tqdm

            form = "{percentage:3.0f}%|{bar:20}| {desc}"
            self._bar = tqdm(total=self.sign.epochs * self._items, bar_format=form, leave=False)
            self._every = TERMINAL

    def batch(self, items: int, loss: SupportsFloat | Callable[[], float] | None = None) -> None:
        """Further items are done; 0 is a sign of life, in a long evaluation.

        The loss is looked at, and a GPU waited for, only where something is due to be shown.
        """
        self._done += items
        self._here += items
        now = time.monotonic()
        if items:
            self._last = now
        if now < self._due:
            return
        if loss is not None:
            self.sign.loss = float(loss() if callable(loss) else loss)
        self._count(now)
        self._show(now)
        if self._bar is None and now - self._line >= LOG:
            self._line = now
            self.say(f"{self._where()} {self.sign.share:.0%}{_loss(self.sign.loss)}{self._speed()}")

    def end_epoch(
        self, epoch: int, train_loss: float, dev_loss: float, dev_uar: float, best: float
    ) -> None:
        """An epoch is over, dev looked at."""
        sign, now = self.sign, time.monotonic()
        sign.epoch, sign.loss, sign.dev_uar, sign.best = epoch, train_loss, dev_uar, best
        self._done = self._items
        self._count(now)
        if self._bar is None:
            self.say(
                f"{self._where()} train loss {train_loss:.4f} dev loss {dev_loss:.4f} "
                f"dev UAR {dev_uar:.1%} best {best:.1%}{self._speed()}"
            )
        self._show(now)

    def close(self, state: State) -> None:
        """The training is over; only the first call counts."""
        if self.sign.state != "running":
            return
        self.sign.state, self.sign.seconds_left = state, None
        if self._bar is not None:
            self._bar.close()
        self._write()

    def _count(self, now: float) -> None:
        """Bring share, speed and time left up to date.

        The speed is that of this epoch's batches; the time left follows the pace of all that this
        process has done, evaluation included.
        """
        sign, seconds = self.sign, self._last - self._epoch_began
        sign.share = min(1.0, self._done / self._items)
        if seconds > 0:
            sign.items_per_second = (self._here - self._before) / seconds
        if self._here:
            left = (sign.epochs - sign.epoch + 1 - sign.share) * self._items
            sign.seconds_left = left / self._here * (now - self._began)

    def _show(self, now: float) -> None:
        """Update what is looked at, each as often as it should be."""
        if now < self._due:
            return
        self._due = now + self._every
        if self._bar is not None:
            sign = self.sign
            uar = "" if sign.dev_uar is None else f" dev UAR {sign.dev_uar:.1%}"
            best = "" if sign.best is None else f" best {sign.best:.1%}"
            self._bar.n = round((sign.epoch - 1 + sign.share) * self._items)
            text = f"{self._where()}{_loss(sign.loss)}{uar}{best}{self._speed()}"
            self._bar.set_description_str(f"{sign.label} {text}", refresh=True)
        if now - self._signed >= SIGN:
            self._signed = now
            self._write()

    def _write(self) -> None:
        """Leave a sign of life; training does not stop where that fails."""
        if self._file is None:
            return
        self.sign.written = time.time()
        try:
            write_json(self._file, asdict(self.sign))
        except OSError as error:
            if not self._warned:
                print(f"{self._file}: {error.strerror}; watch may not see this run", flush=True)
            self._warned = True

    def say(self, text: str) -> None:
        """Print a line, which names the run where others write to the same log."""
        print(f"{self.label}: {text}" if self.labelled else text, flush=True)

    def _where(self) -> str:
        return f"epoch {self.sign.epoch}/{self.sign.epochs}"

    def _speed(self) -> str:
        pace, left = self.sign.items_per_second, self.sign.seconds_left
        told = "" if pace is None else f" {pace:,.0f} items/s"
        return told if left is None else f"{told} {duration(left)} left"


def _loss(loss: float | None) -> str:
    return "" if loss is None else f" loss {loss:.4f}"


def duration(seconds: float) -> str:
    """Seconds as minutes and seconds, or hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
