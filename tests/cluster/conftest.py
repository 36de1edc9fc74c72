"""Studies on a real SLURM, started as a user starts them."""

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.slurm import Cluster, missing
from tests.sharing import copied
from tests.tiny import TOGETHER, write_study
from tests.workflow.conftest import featured_study

REPOSITORY = Path(__file__).parents[2]
CHECKOUT = ("Snakefile", "workflow", "config", "envs", "profiles", "slurm")


@pytest.fixture(scope="session")
def cluster():
    """SLURM with two nodes and two GPUs."""
    if reason := missing():
        pytest.skip(reason)
    state = Path(tempfile.mkdtemp(prefix="slurm-"))  # a socket's path must be short
    lab = Cluster(state)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
        shutil.rmtree(state)


class OnCluster:
    """A checkout of the repository in `folder`, from which a study is sent to a cluster."""

    def __init__(self, folder: Path, cluster: Cluster):
        self.folder, self.cluster = folder, cluster
        folder.mkdir(parents=True, exist_ok=True)
        for name in CHECKOUT:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, symlinks=True)
            else:
                shutil.copy(source, folder / name)

    def start(self, *arguments: str) -> subprocess.Popen:
        """The command as it is typed, but that Snakemake looks at its jobs sooner."""
        typed = ["snakemake", "--cores", "8", "--profile", "slurm"]
        quick = ["--slurm-init-seconds-before-status-checks", "1"]
        programs = Path(sys.executable).parent
        path = f"{programs}:{self.cluster.environment['PATH']}"
        return subprocess.Popen(
            [programs / typed[0], *typed[1:], *quick, *arguments],
            cwd=self.folder,
            env={**self.cluster.environment, "PATH": path, "OMP_NUM_THREADS": "1"},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a whole run."""
        return finish(self.start(*arguments))

    def log(self, job: str) -> str:
        """What a job has written so far; nothing before it begins."""
        file = next(self.folder.glob(f"results/*/logs/{job}.log"), None)
        return file.read_text() if file else ""


def prepared(cluster: Cluster, folder: Path, **changes: Any) -> OnCluster:
    """A checkout with the tiny study beside it, as `study.yaml`, whose features are made."""
    study = OnCluster(copied(featured_study(folder), folder / "deepself"), cluster)
    write_study(study.folder, **{**TOGETHER, **changes})
    return study


def finish(process: subprocess.Popen, seconds: float = 900) -> tuple[int, str]:
    """Exit status and output of Snakemake, once it has ended."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it then ends its jobs
        output, _ = process.communicate(timeout=60)
        raise TimeoutError(output[-5000:]) from None
    return process.returncode, output


class Watch:
    """What runs on a cluster, looked at several times a second.

    Attributes
    ----------
    rules
        By job, its rule and how many GPUs it has.
    most
        Most GPUs that running jobs have had at one time.
    """

    def __init__(self, cluster: Cluster):
        self.rules: dict[str, tuple[str, int]] = {}
        self.most = 0
        self._cluster, self._done = cluster, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.3):
            used = 0
            for job, gpus, comment in self._cluster.running():
                self.rules[job] = comment.split("_wildcards")[0].removeprefix("rule_"), gpus
                used += gpus
            self.most = max(self.most, used)


@pytest.fixture
def on_cluster(cluster, tmp_path):
    """A checkout with no study of its own yet."""
    return OnCluster(tmp_path / "deepself", cluster)
