"""Every shipped study on the real recordings: checked, split, and planned job by job."""

import os
import tarfile
from pathlib import Path

import pytest
import torch

from deepself.cli import main
from deepself.networks import build
from deepself.store.files import read_table, write_table
from deepself.study import load
from tests.studying import inside
from tests.workflow.conftest import REPOSITORY, Workflow

EVERY = 20
"""Of so many faces one is taken: there are 35,887."""

STUDIES = sorted((REPOSITORY / "config").glob("*.yaml"))


class Shipped(Workflow):
    """A study of the repository, in a folder of its own."""

    def __init__(self, folder: Path, file: Path):
        super().__init__(folder)
        self.file = file

    def command(self, *arguments: str) -> list[str]:
        return [*super().command(*arguments)[:-1], str(self.file)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all of them lie side by side, with data sets as their users have them."""
    named = os.environ.get("DEEPSELF_DATA")
    if not named:
        pytest.skip("set DEEPSELF_DATA to the folder that holds bonn/, esc10/ and fer2013/")
    folder = tmp_path_factory.mktemp("shipped")
    data = folder / "data"
    (data / "fer2013").mkdir(parents=True)
    for name in ("bonn", "esc10"):
        (data / name).symlink_to(Path(named).resolve() / name)
    faces = read_table(Path(named) / "fer2013/manifest.csv")[::EVERY]
    write_table(data / "fer2013/manifest.csv", list(faces[0]), [[*face.values()] for face in faces])
    wanted = {face["image"] for face in faces}
    with tarfile.open(Path(named) / "fer2013/images.tar.xz") as archive:
        chosen = [member for member in archive if member.name.removeprefix("./") in wanted]
        archive.extractall(data / "fer2013", chosen, filter="data")
    network = build("soundnet8", (1, 110250), 10)  # whose published weights cannot be had here
    torch.save(network.state_dict(), data / "soundnet8.pth")
    return folder


def jobs(study, folds):
    """How many jobs train its models."""
    return sum(
        1 if model.folds != "apart" else len(folds) * len(study.seeds)
        for model in study.models.values()
    )


@pytest.mark.parametrize("file", STUDIES, ids=[file.stem for file in STUDIES])
def test_it_is_checked_and_planned(file, folder, monkeypatch):
    monkeypatch.setenv("DEEPSELF_DATA", str(folder / "data"))
    with inside(folder):
        if file.stem == "demo":
            assert main(["demo", "data/demo"]) == 0
        for verb in ("check", "split"):
            assert main([verb, str(file)]) == 0
        study = load(str(file))
    planned = Shipped(folder, file).planned()
    trained = sum(count for rule, count in planned.items() if rule.startswith("train"))
    folds = {"partition": ["all"]}.get(study.splits.method, range(5))
    assert trained == jobs(study, folds)
    assert planned["report"] == planned["track"] == 1
