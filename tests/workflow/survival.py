"""Faults of one machine, done to a running study, and what is left of it afterwards."""

import hashlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.sharing import copied, made_once
from tests.studying import finish_apart
from tests.tiny import make_recordings, write_study
from tests.workflow.conftest import Workflow

FEATURE = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 1, "n_mels": 16}
CHANGES = {"features__log_mel": {**FEATURE, "compression": "gzip"}, "fusions": {}}
"""A feature that is written in two parts, and is larger than what Snakemake takes checksums of."""

LONG = {"models__cnn__training": {"epochs": 40, "batch_size": 8, "lr": 0.001}}
"""A network that trains for long enough to be hit."""


def make(folder: Path, own: bool = False, **changes: Any) -> Workflow:
    """The study in a folder, with 72 recordings, which are checked and split."""

    def split(place: Path) -> None:
        status, output = begin(place, **changes).run("split")
        assert status == 0, output

    return Workflow(copied(made_once(folder, f"split-{_name(changes)}", split), folder), own)


def begin(folder: Path, **changes: Any) -> Workflow:
    """The same before anything has been done with it."""
    make_recordings(folder / "recordings", per_class=24)
    write_study(folder, **{**CHANGES, **changes})
    return Workflow(folder)


def undisturbed(near: Path, **changes: Any) -> bytes:
    """The scores of the study where nothing happens to it, by its verbs alone."""

    def run(folder: Path) -> None:
        finish_apart(begin(folder, **changes).folder)

    folder = made_once(near, f"undisturbed-{_name(changes)}", run)
    return (folder / "results/tiny/scores.csv").read_bytes()


def _name(changes: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:12]


def ended_alike(study: Workflow, **changes: Any) -> bool:
    """Whether the scores are those of the undisturbed study, byte for byte."""
    return (study.results / "scores.csv").read_bytes() == undisturbed(study.folder, **changes)


class Disk:
    """A small file system of its own, mounted on a folder."""

    def __init__(self, folder: Path, size: str):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={size},nr_inodes=0", "tmpfs")

    def enlarge(self, size: str) -> None:
        self._mount("-o", f"remount,size={size}")

    def set_read_only(self, read_only: bool) -> None:
        self._mount("-o", f"remount,{'ro' if read_only else 'rw'}")

    def _mount(self, *options: str) -> None:
        done = subprocess.run(["mount", *options, self.folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be mounted: {done.stderr.strip()}")

    def remove(self) -> None:
        subprocess.run(["umount", "-l", self.folder], capture_output=True)


@contextmanager
def disk(folder: Path, size: str):
    """A small disk, which is gone in the end."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted = Disk(folder, size)
    try:
        yield mounted
    finally:
        mounted.remove()


def to_do(study: Workflow) -> dict[str, int]:
    """Jobs that the next start would do, by rule."""
    return study.planned("score")


def jobs(output: str) -> Counter:
    """Jobs that Snakemake started, by rule."""
    names = re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", output, re.MULTILINE)
    return Counter(names)


def counted(jobs_: Counter) -> str:
    """How many jobs of each rule: `9 train, 1 extract`."""
    return ", ".join(f"{count} `{rule}`" for rule, count in jobs_.most_common()) or "no job"


def clear_line(output: str, message: str) -> str:
    """The line that says what is wrong, in an output without a traceback."""
    assert "Traceback" not in output, output
    lines = [line for line in output.splitlines() if re.search(message, line)]
    assert lines, output
    return lines[0].strip()


def finished(study: Workflow) -> dict[Path, str]:
    """Features and runs that are whole, and what tells them from others made in their place.

    A run tells the milliseconds that it took. Times of change do not tell: Snakemake changes them
    when it sees a job end.
    """
    results = study.folder / "results"
    features = {path: str(path.stat().st_ino) for path in results.glob("features/*.h5")}
    runs = results.glob("*/runs/*/*/*/run.json")
    return features | {path: path.read_text() for path in runs}


def runs(study: Workflow) -> int:
    """Number of runs that are whole."""
    return sum(path.name == "run.json" for path in finished(study))


def wait_for(process: subprocess.Popen, condition, seconds: float = 180) -> None:
    """Wait until something is so, while Snakemake runs."""
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition(), process.communicate()[0] if process.poll() is not None else "too late"


def process_of(study: Workflow, *words: str) -> int | None:
    """Number of the process of a study's job whose command has these words; None without one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_text().split("\0")
            own = Path(entry / "cwd").resolve() == study.folder.resolve()
            if (
                own
                and "snakemake" not in command
                and {*words} <= {*command}
                and "-c" not in command
            ):
                found.append(int(entry.name))
    return min(found, default=None)  # a process that it is about to start looks the same


def log(study: Workflow, name: str) -> str:
    """What a job has written so far."""
    file = study.results / "logs" / f"{name}.log"
    return file.read_text() if file.exists() else ""
