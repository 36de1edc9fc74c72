"""A finished job's files are found again by the job that is started in its place."""

import os

import pytest

from deepself.store.whole import WHOLE, forget_whole, keep_whole, take_whole

FILES = {"weights": "w", "snapshots/1/weights": "s", "run.json": "r"}


@pytest.fixture
def folder(tmp_path):
    """A job's files, kept as those of identity `a`."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    keep_whole(tmp_path, FILES, "a")
    return tmp_path


def delete(folder):
    for name in FILES:
        (folder / name).unlink()


def found(folder):
    return {name: (folder / name).read_text() for name in FILES if (folder / name).exists()}


def test_deleted_files_come_back(folder):
    delete(folder)
    assert take_whole(folder, "run.json", "a")
    assert found(folder) == FILES
    delete(folder)
    assert take_whole(folder, "run.json", "a")  # as often as they are deleted


def test_second_names_take_no_space(folder):
    assert os.stat(folder / "weights").st_ino == os.stat(folder / WHOLE / "weights").st_ino


def test_files_of_another_identity_are_forgotten(folder):
    delete(folder)
    assert not take_whole(folder, "run.json", "b")
    assert not (folder / WHOLE).exists()
    assert found(folder) == {}


def test_files_that_stand_are_made_anew_when_asked_for(folder):
    assert not take_whole(folder, "run.json", "a")
    assert found(folder) == FILES
    delete(folder)
    assert not take_whole(folder, "run.json", "a")


def test_keeping_that_was_cut_short_gives_nothing(folder):
    delete(folder)
    (folder / WHOLE / ".of").unlink()
    assert not take_whole(folder, "run.json", "a")


def test_file_system_without_hard_links_does_without(tmp_path, monkeypatch):
    (tmp_path / "run.json").write_text("r")

    def refuse(*_):
        raise OSError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    keep_whole(tmp_path, ["run.json"], "a")
    assert not (tmp_path / WHOLE).exists()
    assert (tmp_path / "run.json").read_text() == "r"


def test_forgotten_once_they_are_known(folder):
    forget_whole(folder)
    assert not (folder / WHOLE).exists()
    assert found(folder) == FILES
