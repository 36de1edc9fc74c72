"""The sections of the benchmark of serving: latency, throughput, memory, rubbish, loading."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from commands import DEEPSELF, ran
from page import Options
from stopwatch import ONE_THREAD, Timed, best, interleaved, middle, say, table, verdict
from studies import REPOSITORY, given_study, prepared

sys.path.append(str(REPOSITORY))
from tests.tracking.servers import free_port
from tests.tracking.serving import Server, encoded, rubbish, served

EACH = 4
"""Of each class and fold of ESC-10, every so many recordings are in the study."""

CONCURRENT, ROUNDS = (1, 4, 8), 5


def _requests(options: Options) -> int:
    """Of a measurement."""
    return 200 if options.quick else 1000


def shared(options: Options) -> Path:
    """A CNN over log-mel spectrograms of some of ESC-10, as an MLflow model, made once.

    How well it was trained does not matter to how long it takes.
    """
    model = options.folder / "model"
    if model.exists():
        return model
    say("  training and exporting")
    study = given_study("esc10", "log_mel", "log_mel_cnn", options.data)
    study["models"]["log_mel_cnn"]["training"] = {"epochs": 1, "batch_size": 16}
    rows = (options.data / "esc10/manifest.csv").read_text(encoding="utf-8").splitlines()
    root = options.folder / "few"
    root.mkdir()
    (root / "manifest.csv").write_text("\n".join([rows[0], *rows[1::EACH]]) + "\n", "utf-8")
    (root / "audio").symlink_to(options.data / "esc10/audio")
    study["dataset"]["root"] = str(root)
    path = prepared(study, options.folder)
    folder = path.parent
    ran([*DEEPSELF, "train", path, "--model", "log_mel_cnn", "--all"], folder)
    ran([*DEEPSELF, "score", path], folder)
    bundle = options.folder / "bundle"
    ran([*DEEPSELF, "export", path, "--fold", "1", "--output", bundle], folder)
    ran([*DEEPSELF, "share", bundle, "--output", model], folder)
    return model


def _bodies(options: Options) -> list[bytes]:
    """Requests with one recording each: 5 s of sound as Ogg, in base64."""
    files = sorted((options.data / "esc10/audio").rglob("*.ogg"))[::10]
    return [json.dumps({"inputs": {"audio": encoded(path)}}).encode() for path in files]


def answers(options: Options) -> list[str]:
    """Latency, throughput and memory."""
    model, bodies, count = shared(options), _bodies(options), _requests(options)
    with served(model, free_port(), options.folder / "log.txt") as server:
        server.post(bodies[0])
        say("  one after the other")
        early = count // 10
        times = _timed(server, bodies, early)
        memory = {early: server.resident()}
        times += _timed(server, bodies, count - early)
        memory[count] = server.resident()
        alone = _in_python(options)
        rates = _rates(server, bodies, count)
        memory[count * (1 + len(CONCURRENT))] = server.resident()
    milliseconds = sorted(1e3 * one for one in times)
    typical, slow = median(milliseconds), quantiles(milliseconds, n=20)[-1]
    low, high = memory[early], memory[count]
    return [
        f"{count} requests over one connection, each with one recording of ESC-10 (5 s, Ogg at "
        "44.1 kHz, in base64), to a server of one process (`mlflow models serve`); the model is "
        "`log_mel_cnn` of `config/esc10.yaml`. Beside it `Bundle.predict` of the same bytes in a "
        "process by itself, just after: what HTTP, JSON and MLflow add.",
        "",
        *table(
            ["", "ms, median", "ms, 95 %"],
            [
                ["served", f"{typical:.1f}", f"{slow:.1f}"],
                ["in Python", f"{median(alone):.1f}", f"{quantiles(alone, n=20)[-1]:.1f}"],
            ],
        ),
        f"{count} requests each from clients that ask at the same time, one connection each, in "
        f"{ROUNDS} rounds that took turns; the server and they share this machine.",
        "",
        *table(
            ["clients", "recordings a second", "of one client's"],
            [[str(n), f"{rate:.1f}", f"{rate / rates[1]:.2f}×"] for n, rate in rates.items()],
        ),
        "Resident memory of the server:",
        "",
        *table(
            ["after requests", "MiB"],
            [[f"{n:,}", f"{value / 2**20:.0f}"] for n, value in memory.items()],
        ),
        verdict(
            f"Growth from {early} to {count} requests",
            f"{100 * (high - low) / low:+.1f} %",
            "less than 5 %",
            high < 1.05 * low,
        ),
    ]


def _timed(server: Server, bodies: list[bytes], count: int) -> list[float]:
    """Seconds of each of so many requests."""
    found = []
    for number in range(count):
        begun = time.perf_counter()
        status, _ = server.post(bodies[number % len(bodies)])
        found.append(time.perf_counter() - begun)
        assert status == 200
    return found


def _rates(server: Server, bodies: list[bytes], count: int) -> dict[int, float]:
    """Requests a second, by the number of clients."""
    taken = dict.fromkeys(CONCURRENT, 0.0)
    for turn in range(ROUNDS):
        say(f"  clients at once, round {turn + 1} of {ROUNDS}")
        for clients in CONCURRENT[:: -1 if turn % 2 else 1]:
            taken[clients] += 1 / _rate(server, bodies, clients, count // ROUNDS)
    return {clients: ROUNDS / seconds for clients, seconds in taken.items()}


def _rate(server: Server, bodies: list[bytes], clients: int, count: int) -> float:
    """Requests a second."""
    servers = [Server(server.port, server.process, server.log) for _ in range(clients)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda one: _timed(one, bodies, count // clients), servers))
    taken = time.perf_counter() - begun
    for one in servers:
        one.close()
    return clients * (count // clients) / taken


IN_PYTHON = """
import base64, json, sys, time
from deepself.inference.bundle import Bundle
bundle = Bundle(sys.argv[1], "cpu")
sounds = [base64.b64decode(text) for text in json.load(sys.stdin)]
bundle.predict(sounds[0])
found = []
for number in range(int(sys.argv[2])):
    begun = time.perf_counter()
    bundle.predict(sounds[number % len(sounds)])
    found.append(1e3 * (time.perf_counter() - begun))
print(json.dumps(found))
"""


def _in_python(options: Options) -> list[float]:
    """Milliseconds of each prediction of a bundle that is not served."""
    say("  in Python")
    texts = [json.loads(body)["inputs"]["audio"] for body in _bodies(options)]
    command = [sys.executable, "-c", IN_PYTHON, str(options.folder / "bundle")]
    found = subprocess.run(
        [*command, str(_requests(options) // 2)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(found.stdout)


def refusals(options: Options) -> list[str]:
    """Rubbish, and what comes back."""
    model, bodies, count = shared(options), _bodies(options), _requests(options)
    right = json.loads(bodies[0])["inputs"]
    statuses: Counter[str] = Counter()
    with served(model, free_port(), options.folder / "rubbish.txt") as server:
        wanted = server.post(bodies[0])
        server.post(bodies[0])
        before = server.resident()
        for seed in range(count):
            body, kind = rubbish(right, seed)
            status, text = server.post(body, kind)
            named = status == 200 or (json.loads(text)["message"] and b"Traceback" not in text)
            statuses[f"{status}" if named else f"{status} without a message"] += 1
        after = server.resident()
        same = server.post(bodies[0]) == wanted
    fine = all(len(status) == 3 and status < "500" for status in statuses)
    found = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    return [
        f"{count} requests over one connection that are damaged in one of eight ways, drawn from a "
        "seed: bytes, values, forms, parameters, content types, bad recordings among good ones. "
        f"Memory was {before / 2**20:.0f} MiB before and {after / 2**20:.0f} MiB after; the "
        f"answer to a right request was {'the same' if same else 'ANOTHER'} afterwards.",
        "",
        verdict("Answers by status", found, "200, or 4xx with a sentence", fine and same),
    ]


def loading(options: Options) -> list[str]:
    """A bundle in a fresh process."""
    shared(options)
    bundle = str(options.folder / "bundle")
    programs = {
        "bundle": f"from deepself.inference.bundle import Bundle; Bundle({bundle!r}, 'cpu')",
        "its imports": "import deepself.inference.bundle",
        "PyTorch alone": "import torch",
    }
    ways = {name: _process(program) for name, program in programs.items()}
    times = interleaved(ways, 3 if options.quick else 10)
    rows = [[name, f"{best(its):.2f}", f"{middle(its):.2f}"] for name, its in times.items()]
    slowest = middle(times["bundle"])
    return [
        "From the start of Python to a bundle that can be asked, each time in a process by itself; "
        "files are in the system's cache.",
        "",
        *table(["process", "s, best", "s, median"], rows),
        verdict("A bundle, median", f"{slowest:.2f} s", "less than 5 s", slowest < 5),
    ]


def _process(program: str) -> Callable[[], Timed]:
    def run() -> Timed:
        begun = time.perf_counter()
        around = os.environ | ONE_THREAD
        subprocess.run([sys.executable, "-c", program], check=True, env=around)
        return Timed(time.perf_counter() - begun, 0.0)

    return run


SECTIONS = {
    1: ("Latency, throughput and memory", answers),
    2: ("Rubbish", refusals),
    3: ("Loading", loading),
}
