"""Around other people's decoders: silence, one kind of error, and which package is missing."""

import importlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

from deepself.dataset.readers.decoded import ReadError

ALONE = {"protocol_whitelist": "none"}
"""Options of FFmpeg's: content that names files or addresses, as playlists do, opens none."""


def extra(module: str, package: str, group: str) -> ModuleType:
    """Import a package that not everyone has, or say how to install it.

    Parameters
    ----------
    module, package
        What is imported, and the name by which people know it.
    group
        The optional dependencies of deepself that hold it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ReadError(f'needs {package}: pip install "deepself[{group}]"') from None


@contextmanager
def decoding(what: str, path: Path | None = None, *, chatter: bool = False) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged content into a ReadError, and keep it quiet.

    Parameters
    ----------
    what
        What the file should have been: `cannot be decoded as <what>: ...`.
    path
        Left out of the decoder's message, where it begins with it.
    chatter
        Whether the decoder writes to the standard error by itself, past Python.
    """
    try:
        with _warnings.held(), _stderr.held() if chatter else nullcontext():
            yield
    except ReadError:
        raise
    except Exception as error:  # decoders raise every kind there is on damaged content
        message = str(getattr(error, "strerror", None) or error).removeprefix(f"{path}: ").strip()
        reason = message.splitlines()[0].rstrip(".") if message else type(error).__name__
        raise ReadError(f"cannot be decoded as {what}: {reason}") from None


def quiet() -> AbstractContextManager[None]:
    """Hold decoders' warnings back for a while: each file then need not do so anew."""
    return _warnings.held()


class _Process:
    """A state of the whole process: entered by the first of several threads, left by the last.

    Each thread by itself would restore what another one had set, and leave it so for good.
    """

    def __init__(self, state: Callable[[], AbstractContextManager[None]]) -> None:
        self.state = state
        self.lock = threading.Lock()
        self.inside = 0
        self.left = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.lock:
            if not self.inside:
                self.left.enter_context(self.state())
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    self.left.close()


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence warnings, and what is logged where nobody has said where logs go."""
    last, logging.lastResort = logging.lastResort, logging.NullHandler()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.lastResort = last


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Send what C code writes to the standard error nowhere."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_warnings = _Process(_no_warnings)
_stderr = _Process(_no_stderr)
