"""The study is shown so that it can be read again; the commit is that of the folder, if any."""

import subprocess
from pathlib import Path

import pytest

from deepself.evaluation.provenance import git_commit, study_yaml
from deepself.study import load
from tests.synthetic import Plan, build

SHIPPED = sorted((Path(__file__).parents[2] / "config").glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
@pytest.mark.usefixtures("given_weights")
def test_a_study_written_out_is_the_study(file, tmp_path):
    study = load(file)
    (tmp_path / "study.yaml").write_text(study_yaml(study), encoding="utf-8")
    assert load(tmp_path / "study.yaml") == study


def test_a_study_of_tuples_nones_and_odd_texts_written_out_is_the_study(tmp_path):
    tree = build(tmp_path, Plan(groups=True))
    changes = [
        "models.picture_cnn.network.kernel_size=[[3, 5], 3]",
        "models.picture_cnn.training.lr=1.0e-05",
        "models.wave_cnn.network.padding=[1, 2, 3]",
        "dataset.classes=['1', 'no', '~', '1e3', 'größe: 猫', '#']",
        "dataset.root='C: data\\x #1'",
        "tracking.experiment=null",
    ]
    study = load(tree.path, changes)
    (tmp_path / "study.yaml").write_text(study_yaml(study), encoding="utf-8")
    assert load(tmp_path / "study.yaml") == study


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_commit_of_a_repository_and_of_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None
    git(tmp_path, "init")
    assert git_commit(tmp_path) is None
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == f"{head} with uncommitted changes"


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None
