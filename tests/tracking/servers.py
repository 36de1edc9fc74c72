"""Real servers for tests: PostgreSQL as a store, MLflow before it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "p4ss-of-the-lab"


def postgres_folder() -> Path:
    """Folder of PostgreSQL's programs; Debian does not put them on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and (program := shutil.which("initdb")):
        found = [Path(program)]
    if not found:
        pytest.skip("PostgreSQL is not installed (no initdb in /usr/lib/postgresql or the PATH)")
    return found[-1].parent


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of its own on a free port; yields the URI of an empty database."""
    programs = postgres_folder()
    user, become = _unprivileged()
    # Below /tmp itself: the folders of pytest are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="deepself-postgres-", dir="/tmp"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if become:
            shutil.chown(folder, user)
            shutil.chown(secret, user)
        data, port = folder / "data", free_port()
        make = [*become, programs / "initdb", "-D", data, "-U", "lab", "-A", "scram-sha-256"]
        make += [f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder)
        settings = {"listen_addresses": "127.0.0.1", "fsync": "off"}
        settings |= {"unix_socket_directories": str(folder)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [*become, programs / "postgres", "-D", data, "-p", str(port), *options]
        # SIGINT ends PostgreSQL at once; on SIGTERM it waits for its clients.
        with _process(command, folder / "postgres.log", folder, signal.SIGINT) as process:
            uri = f"postgresql://lab:{PASSWORD}@127.0.0.1:{port}/postgres"
            _wait(lambda: _connects(uri), process, folder / "postgres.log")
            yield uri
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mlflow_server(store: str, folder: Path, port: int) -> Iterator[str]:
    """`mlflow server` before a store; yields its URI."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with _process(command, folder / "mlflow.log", folder, signal.SIGTERM) as process:
        uri = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(f"{uri}/health"), process, folder / "mlflow.log")
        yield uri


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _unprivileged() -> tuple[str, list[str]]:
    """A user that may run PostgreSQL, which refuses root, and how to become that user."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name, []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    if user is None or not shutil.which("setpriv"):
        pytest.skip("PostgreSQL does not run as root, and there is no other user to run it")
    # Unlike runuser, setpriv becomes the command: to end the one is to end the other.
    return user, ["setpriv", f"--reuid={user}", "--clear-groups", f"--regid={_group(user)}", "--"]


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


@contextmanager
def _process(
    command: list, log: Path, folder: Path, end: signal.Signals
) -> Iterator[subprocess.Popen]:
    """A process that ends with the block, with all that it has started."""
    quiet = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=folder, env=quiet, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, end)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(ready, process: subprocess.Popen, log: Path) -> None:
    last = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > last:
            pytest.fail(f"{log.name} says:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _connects(uri: str) -> bool:
    import psycopg2

    try:
        psycopg2.connect(uri).close()
    except psycopg2.OperationalError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False
