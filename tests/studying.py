"""Small studies that are run in this process, from recordings to scores, in seconds."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deepself.cli import main
from deepself.evaluation.results import systems
from deepself.store.files import read_table
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout, Study, load
from deepself.study.identity import read_dataset
from tests.sharing import made_once

REPOSITORY = Path(__file__).parents[1]


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, as a user does."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class Finished:
    """A study that has been run, below a folder."""

    folder: Path
    study: Study

    @property
    def layout(self) -> Layout:
        return Layout(self.study.name, self.folder / "results")

    @property
    def folds(self) -> list[str]:
        return read_dataset(self.layout)["folds"]

    @property
    def systems(self) -> list[tuple[str, str]]:
        return systems(self.study)

    def export(self, kind: str, name: str, *options: str) -> Path:
        """Write a bundle by the verb."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")  # several share the study
        output = self.folder / f"bundles/{worker}/{name}{'-'.join(options)}"
        self.call("export", "study.yaml", f"--{kind}", name, "--output", str(output), *options)
        return output

    def call(self, *arguments: str) -> None:
        with inside(self.folder):
            assert main(list(arguments)) == 0, arguments

    def test_predictions(self, kind: str, name: str, fold: str, seed: int = 0) -> Predictions:
        """What the study predicts of a fold's test recordings."""
        place = self.layout.run if kind == "model" else self.layout.fusion
        table = read_predictions(place(name, fold, seed) / "predictions.csv")
        return table.recordings().part("test")

    def files(self, ids) -> list[dict[str, Path]]:
        """Files of some recordings, by modality."""
        found: dict[str, dict[str, Path]] = {}
        for row in read_table(self.layout.inventory):
            found.setdefault(row["id"], {})[row["modality"]] = self.folder / row["path"]
        return [found[name] for name in ids]


def finish(folder: Path, file: str = "study.yaml") -> None:
    """Run the study that lies in a folder by its verbs, one after the other."""
    with inside(folder):
        study = load(file)
        layout = Layout(study.name)
        for verb in ("check", "split"):
            assert main([verb, file]) == 0
        for feature in study.features:
            assert main(["extract", file, "--feature", feature]) == 0
        folds = read_dataset(layout)["folds"]
        for name, model in study.models.items():
            for fold in folds:
                for trial in range(model.trials):
                    of = ["--model", name, "--fold", fold, "--trial", str(trial)]
                    assert main(["trial", file, *of]) == 0
                if model.search is not None:
                    assert main(["choose", file, "--model", name, "--fold", fold]) == 0
            if model.folds == "apart":
                for fold in folds:
                    for seed in study.seeds:
                        of = ["--model", name, "--fold", fold, "--seed", str(seed)]
                        assert main(["train", file, *of]) == 0
            else:
                assert main(["train", file, "--model", name, "--all"]) == 0
        for name, fusion in study.fusions.items():
            for fold in folds:
                for seed in fusion.placed(study.seeds):
                    of = ["--fusion", name, "--fold", fold, "--seed", str(seed)]
                    assert main(["fuse", file, *of]) == 0
        assert main(["score", file]) == 0


def finished_once(
    factory: pytest.TempPathFactory, name: str, write: Callable[[Path], object]
) -> Finished:
    """The study that `write` puts into a folder, run once for all workers of a test run."""

    def make(folder: Path) -> None:
        write(folder)
        finish(folder)

    folder = made_once(factory.getbasetemp(), name, make)
    with inside(folder):
        return Finished(folder, load("study.yaml"))


def finish_apart(folder: Path, file: str = "study.yaml") -> None:
    """The same in a process of its own, which nothing here has touched."""
    program = f"import pathlib, tests.studying as t; t.finish(pathlib.Path(), {file!r})"
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def probabilities(answers) -> np.ndarray:
    """Of what a bundle streams: shape (recordings, classes)."""
    found = list(answers)
    assert not [one for one in found if one.problem], found
    return np.array([list(one.predictions[0].probabilities.values()) for one in found])
