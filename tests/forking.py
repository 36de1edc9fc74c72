"""Processes that need not import PyTorch, which takes seconds: they are forked from one that has.

What they are forked from has imported some modules and has done nothing else. So they are like any
fresh process, save that these modules are there: what is about starting or importing starts a
process of its own.
"""

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parents[1]
TRAINING = ("h5py", "safetensors.numpy", "deepself.training.run", "deepself.training.together")
TRACKING = ("mlflow", "deepself.tracking.log")
LIMIT = 120  # seconds that a process may take

PROGRAM = """\
#!{python} -IS
import json, os, socket, sys

asked = socket.socket(socket.AF_UNIX)
asked.connect({address!r})
request = {{
    "arguments": sys.argv[1:], "code": None, "cwd": os.getcwd(), "environment": dict(os.environ)
}}
socket.send_fds(asked, [b"."], [0, 1, 2])
asked.sendall((json.dumps(request) + "\\n").encode())
told = asked.makefile("r")
told.readline()
status = int(told.readline())
sys.exit(status if status >= 0 else 128 - status)
"""
"""What stands on the PATH in place of `deepself`; see `program`."""


class Forked:
    """A process of a verb or of code, used like one of `subprocess`.

    Parameters
    ----------
    arguments
        Of the verb; where there is `code`, its `sys.argv`.
    cwd
        The folder in which it runs.
    code
        Python code, in place of a verb.
    together
        Standard error goes where the output goes.
    imported
        Modules that are there already.
    """

    def __init__(
        self,
        arguments: list[str],
        cwd: Path | None = None,
        code: str | None = None,
        together: bool = True,
        imported: tuple[str, ...] = TRAINING,
    ):
        request = {
            "arguments": arguments,
            "code": code,
            "cwd": str(cwd or Path.cwd()),
            "environment": dict(os.environ),
        }
        into, self.stdin = _pipe("w", toward=True)
        self.stdout, out = _pipe("r")
        self.stderr, error = (None, out) if together else _pipe("r")
        files = [into, out, error]
        self._told = _ask(_server(imported), request, files)
        for file in set(files):
            os.close(file)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def wait(self) -> int:
        if self.returncode is None:
            with self._limited():
                self.returncode = int(self._told.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        ended = self.returncode is not None or select.select([self._told], [], [], 0)[0]
        if not ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[str, str | None]:
        """All that is left of its output and of its errors, which must be few."""
        self.stdin.close()
        with self._limited():
            said = self.stdout.read(), self.stderr.read() if self.stderr else None
        self.wait()
        return said

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """End the process where it takes too long, which its status then says."""
        timer = threading.Timer(LIMIT, self._end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def call(
    arguments: list[str], cwd: Path | None = None, code: str | None = None
) -> subprocess.CompletedProcess:
    """Run a verb or code to its end."""
    process = Forked(arguments, cwd, code, together=False)
    out, error = process.communicate()
    return subprocess.CompletedProcess(arguments, process.wait(), out, error)


def _pipe(mode: str, toward: bool = False) -> tuple[Any, Any]:
    """Its ends to read and to write, one of which is a file."""
    reading, writing = os.pipe()
    return (reading, os.fdopen(writing, mode)) if toward else (os.fdopen(reading, mode), writing)


def program(folder: Path) -> Path:
    """A folder to put first on the PATH: its `deepself` is forked from what has PyTorch.

    It is for commands that are run to their end: what is killed is not what does the work.
    """
    folder.mkdir(exist_ok=True)
    file = folder / "deepself"
    file.write_text(PROGRAM.format(python=sys.executable, address=_server(TRAINING)))
    file.chmod(0o755)
    return folder


@cache
def _server(modules: tuple[str, ...]) -> str:
    """Address of the process that forks, which ends with this one."""
    folder = tempfile.mkdtemp(prefix="fork-")  # a socket's path must be short
    address = f"{folder}/socket"
    asked = socket.socket(socket.AF_UNIX)
    asked.bind(address)
    asked.listen(64)
    code = f"import tests.forking as f; f.run(f.serve({asked.fileno()}, {modules}))"
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        pass_fds=[asked.fileno()],
    )
    asked.close()

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(folder)

    atexit.register(end)
    return address


def _ask(address: str, request: dict[str, Any], files: list[int]) -> IO[str]:
    """Have a process forked with these files as its own; from what comes back its state is read."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(address)
        socket.send_fds(asked, [b"."], files)
        asked.sendall((json.dumps(request) + "\n").encode())
        return asked.makefile("r")


def serve(number: int, modules: tuple[str, ...]) -> dict[str, Any]:
    """Fork for each request; what is asked of it in the process that is forked."""
    for name in modules:
        import_module(name)
    asked = socket.socket(fileno=number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that none is left behind
    while asked in select.select([asked, sys.stdin], [], [])[0]:  # else whoever asks has ended
        one, _ = asked.accept()
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _watch(one)
        one.close()
    sys.exit()


def _watch(asked: socket.socket) -> dict[str, Any]:
    """Tell of a process that it has started and how it has ended; come back in that process."""
    _, files, *_ = socket.recv_fds(asked, 1, 3)
    with asked.makefile("r") as told:
        request = json.loads(told.readline())
    pid = os.fork()
    if pid == 0:
        asked.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return request
    for file in files:
        os.close(file)
    with suppress(ConnectionError):  # of whoever does not want to know
        asked.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with suppress(ConnectionError):
        asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def run(request: dict[str, Any]) -> None:
    """Be the process that was asked for."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.stdout.reconfigure(line_buffering=True)
    sys.argv = ["deepself", *request["arguments"]]
    if request["code"] is None:
        from deepself.cli import main

        sys.exit(main(request["arguments"]))
    exec(compile(request["code"], "<string>", "exec"), {"__name__": "__main__"})
