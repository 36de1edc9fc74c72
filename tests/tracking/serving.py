"""A bundle served by MLflow on this machine, and what is sent to it."""

import base64
import http.client
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

IDLE = 2
"""Seconds after which a connection is made anew: uvicorn closes it after five."""

PATIENCE = 120
"""Seconds that a server may take to start: it imports PyTorch and MLflow."""


class Server:
    """`mlflow models serve`, asked over one connection that is kept alive."""

    def __init__(self, port: int, process: subprocess.Popen, log: Path):
        self.port, self.process, self.log = port, process, log
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._used = time.monotonic()

    def ping(self) -> int:
        return self._ask("GET", "/ping", None, {})[0]

    def post(self, body: bytes, kind: str | None = "application/json") -> tuple[int, bytes]:
        """Status and content of the answer to a request."""
        return self._ask("POST", "/invocations", body, {"Content-Type": kind} if kind else {})

    def ask(self, inputs: Any, **params: Any) -> tuple[int, Any]:
        """Status, and predictions or the message."""
        content = {"inputs": inputs} | ({"params": params} if params else {})
        status, text = self.post(json.dumps(content).encode())
        answer = json.loads(text)
        return status, answer["predictions"] if status == 200 else answer["message"]

    def resident(self) -> int:
        """Bytes of memory of the process that answers."""
        pages = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == self.process.pid:
                    pages = max(pages, int((folder / "statm").read_text().split()[1]))
            except (OSError, ValueError):
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, verb: str, path: str, body: bytes | None, head: dict) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE:
            self.close()
        self._connection.request(verb, path, body, head)
        answer = self._connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        return answer.status, content


@contextmanager
def served(model: Path, port: int, log: Path) -> Iterator[Server]:
    """Serve a model until the block ends, whatever happens in it."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    # MLflow starts uvicorn by its name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    around = os.environ | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=model.parent, env=around, start_new_session=True
        )
    server = Server(port, process, log)
    try:
        _wait(server)
        yield server
    finally:
        server.close()
        _end(process)


def _wait(server: Server) -> None:
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last and server.process.poll() is None:
        try:
            if server.ping() == 200:
                return
        except OSError:
            server.close()
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{server.log.read_text()[-3000:]}")


def _end(process: subprocess.Popen) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, ending)
            process.wait(20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def encoded(content: bytes | Path) -> str:
    """A file as JSON carries it."""
    content = content.read_bytes() if isinstance(content, Path) else content
    return base64.b64encode(content).decode()


def sound(rate: int = 2000, samples: int = 500, hertz: float = 400, channels: int = 1) -> bytes:
    """A WAV file."""
    import soundfile

    wave = 0.4 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)
    file = io.BytesIO()
    soundfile.write(file, np.tile(wave, (channels, 1)).T, rate, format="WAV")
    return file.getvalue()


ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e400, -1e400, math.nan, 10**30, 1e30, "", "x", "AAAA", "=", "ü"),
    *(
        [],
        {},
        [[]],
        [None],
        ["x"],
        [[1, 2], [3]],
        [1, "x"],
        [[[[1.0]]]],
        [math.nan] * 9,
        [1e300] * 9,
    ),
    *({"file": "AAAA"}, {"array": [1, 2]}, {"file": 1, "array": 2}, {"odd": 1}, [0.0] * 100),
)


def rubbish(right: dict[str, Any], seed: int) -> tuple[bytes, str | None]:
    """A request that is wrong, or may be, made of a right recording; and its content type."""
    draw = random.Random(seed)
    kind: str | None = "application/json"
    if draw.random() < 0.05:
        kind = draw.choice(
            (None, "", "text/csv", "application/json; charset=latin-1", "ü", "x" * 99)
        )
    request: Any = {"inputs": [dict(right)]}
    how = draw.choice((_bytes, _cells, _cells, _cells, _forms, _parameters, _parameters, _rows))
    made = how(request, draw)
    if isinstance(made, bytes):
        return made, kind
    return json.dumps(made).encode(), kind


def _bytes(request: Any, draw: random.Random) -> bytes:
    """JSON that is damaged, or none."""
    text = bytearray(json.dumps(request).encode())
    how = draw.choice(("flip", "cut", "noise", "deep", "long", "empty"))
    if how == "flip":
        for _ in range(draw.choice((1, 3, 50))):
            text[draw.randrange(len(text))] = draw.randrange(256)
        return bytes(text)
    if how == "cut":
        return bytes(text[: draw.randrange(len(text))])
    if how == "noise":
        return draw.randbytes(draw.choice((1, 100, 10_000)))
    if how == "deep":
        return draw.choice((b"[", b'{"inputs":')) * 100_000
    if how == "long":
        return b'{"inputs": [' + b"9" * 10_000 + b"]}"
    return b""


def _cells(request: Any, draw: random.Random) -> Any:
    """One value of a recording is another."""
    row = request["inputs"][0]
    name = draw.choice([*row, "sample_rate", "name", "odd"])
    if draw.random() < 0.2:
        row.pop(name, None)
    elif isinstance(row.get(name), str) and draw.random() < 0.5:
        content = bytearray(base64.b64decode(row[name]))
        for _ in range(draw.choice((1, 10, 1000))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        row[name] = encoded(bytes(content))
    else:
        row[name] = draw.choice(ODD)
    return request


def _forms(request: Any, draw: random.Random) -> Any:
    """The form of the request is another."""
    row = request["inputs"][0]
    odd = draw.choice(ODD)
    return draw.choice(
        (
            *(odd, [request], {"inputs": odd}, {"instances": odd}, {"dataframe_records": odd}),
            *({"dataframe_split": odd}, {}, {"inputs": [row], "instances": [row]}, {"rows": [row]}),
            *({"inputs": [row, odd]}, {"inputs": row}, {"inputs": [row], "more": odd}),
            {"dataframe_split": {"columns": list(row), "data": [list(row.values()), odd]}},
            {"dataframe_split": {"columns": odd, "data": [[1]]}},
        )
    )


def _parameters(request: Any, draw: random.Random) -> Any:
    """Parameters that there are not, or with odd values."""
    names = ("calibrated", "fold", "unsure", "windows", "seconds", "hop", "odd", "")
    chosen = draw.sample(names, draw.choice((1, 2, 3)))
    values = (*ODD, True, False, 1e-9, 0.1, 0.25, "1")
    request["params"] = {name: draw.choice(values) for name in chosen}
    if draw.random() < 0.1:
        request["params"] = draw.choice(ODD)
    return request


def _rows(request: Any, draw: random.Random) -> Any:
    """Several recordings, some of which are bad."""
    row = request["inputs"][0]
    rows = [dict(row) for _ in range(draw.choice((2, 3)))]
    for one in draw.sample(rows, draw.choice((1, len(rows)))):
        one[draw.choice(list(one))] = draw.choice(ODD)
    return {"inputs": rows}
