"""Snakemake, as a user starts it, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepself.study import Layout, load
from deepself.study.identity import feature_file
from tests.forking import program
from tests.sharing import copied, made_once
from tests.studying import inside
from tests.tiny import TOGETHER, make_study

REPOSITORY = Path(__file__).parents[2]


class Workflow:
    """The repository's workflow over the tiny study, in `folder`.

    Its jobs are forked from a process that has PyTorch. Where jobs are killed, or are looked for by
    their commands, they must be `own` processes.
    """

    def __init__(self, folder: Path, own: bool = False):
        self.folder, self.own = folder, own

    def command(self, *arguments: str) -> list[str]:
        snakefile = str(REPOSITORY / "Snakefile")
        start = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
        return [*start, *arguments, "--configfile", "study.yaml"]

    def start(self, *arguments: str, **settings) -> subprocess.Popen:
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
        if not self.own:
            paths.insert(0, str(program(self.folder / ".bin")))
        environment = {**os.environ, "PATH": ":".join(paths)}
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **settings,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs that a dry run would do, by rule."""
        status, output = self.run(*arguments, "--dry-run", "--quiet", "rules")
        assert status == 0, output
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:")[1].split("total")[0].splitlines()[3:]
        return {line.split()[0]: int(line.split()[1]) for line in table if line.strip()}

    @property
    def results(self) -> Path:
        return self.folder / "results/tiny"


@pytest.fixture
def workflow(tmp_path):
    make_study(tmp_path, **TOGETHER)
    return Workflow(tmp_path)


def whole_study(near: Path) -> Workflow:
    """The tiny study after its whole run; all workers share it, so tests only look."""

    def make(folder: Path) -> None:
        make_study(folder, **TOGETHER)
        status, output = Workflow(folder).run()
        assert status == 0, output

    return Workflow(made_once(near, "whole", make))


def featured_study(near: Path) -> Path:
    """Folder of the tiny study when its features are made, and nothing is trained."""

    def make(folder: Path) -> None:
        make_study(folder, **TOGETHER)
        workflow = Workflow(folder)
        status, output = workflow.run("split")  # which names the files of the features
        assert status == 0, output
        with inside(folder):
            study, layout = load("study.yaml"), Layout("tiny")
            wanted = [str(feature_file(study, layout, name)) for name in ("log_mel", "trace")]
        status, output = workflow.run(*wanted)
        assert status == 0, output

    return made_once(near, "featured", make)


@pytest.fixture
def whole(tmp_path):
    """What `whole_study` has made."""
    return whole_study(tmp_path)


@pytest.fixture
def whole_copy(whole, tmp_path):
    """A copy of it that a test may change."""
    return Workflow(copied(whole.folder, tmp_path / "copy"))
