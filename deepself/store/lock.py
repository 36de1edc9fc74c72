"""One job at a time for one file: a lock that works on shared file systems and outlives no one."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT = 5.0
"""Seconds between two signs of life of the holder."""

SILENCE = 60.0
"""Seconds without one, by the waiting job's own clock, after which the holder counts as dead."""


class Lock:
    """Who holds a lock, kept alive by a thread.

    Attributes
    ----------
    forced
        Whether its last holder was taken for dead only because it was silent.
    lost
        Whether another job has taken the lock over, having taken this one for dead.
    """

    def __init__(self, file: Path, text: str, forced: bool):
        self._file, self._text, self.forced = file, text, forced
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another job has taken over."""
        return _read(self._file) != self._text

    def release(self) -> None:
        """Let the next one in."""
        self._stop.set()
        self._thread.join()
        if not self.lost:
            self._file.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            if self.lost:
                return
            with suppress(OSError):
                os.utime(self._file)


@contextmanager
def only_one(path: Path) -> Iterator[Lock]:
    """Hold the lock of `path`, after any other holder has let it go, or is dead.

    The lock is a file of its own, made in a step that only one job can win: unlike a lock of
    the operating system, it holds between the nodes of a cluster too. A holder on this machine
    is asked for by its process number; one elsewhere counts as dead when it has given no sign of
    life for a minute. No two clocks are compared.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    text = f"{_here()} {os.getpid()} {uuid.uuid4().hex}"
    forced = _acquire(file, text)
    lock = Lock(file, text, forced)
    try:
        yield lock
    finally:
        lock.release()


def _acquire(file: Path, text: str) -> bool:
    """Wait for the lock; say whether a holder that may yet live was put aside."""
    seen, since, told, forced = "", time.monotonic(), False, False
    while True:
        with suppress(FileExistsError):
            with open(file, "x", encoding="utf-8") as lock:
                lock.write(text)
            return forced
        state = _state(file)
        if state != seen:
            seen, since = state, time.monotonic()
        holder = _read(file)
        dead = _is_dead_here(holder)
        if dead or time.monotonic() - since > SILENCE:
            _remove(file, holder, text)
            forced = not dead
            continue
        if holder and not told:
            host, process, _ = holder.split(" ")
            made = file.with_name(file.name.removeprefix(".").removesuffix(".lock"))
            print(f"{made}: waiting for process {process} on {host}, which makes it")
            told = True
        time.sleep(0.2)


def _remove(file: Path, holder: str, text: str) -> None:
    """Remove a dead holder's lock; if another job was quicker, give its lock back."""
    aside = file.with_name(f"{file.name}.{text.rsplit(' ', 1)[1]}")
    with suppress(FileNotFoundError):
        os.rename(file, aside)
        if _read(aside) != holder and not file.exists():
            os.rename(aside, file)
        aside.unlink(missing_ok=True)


def _is_dead_here(holder: str) -> bool:
    if holder.count(" ") != 2:
        return False  # its holder is about to write it
    host, process, _ = holder.split(" ")
    if host != _here():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _here() -> str:
    """Name this machine, and the container, if it counts processes by itself."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space.removeprefix('pid:')}"


def _state(file: Path) -> str:
    try:
        return f"{_read(file)} {file.stat().st_mtime_ns}"
    except FileNotFoundError:
        return ""


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""
