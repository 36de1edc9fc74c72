"""Finished studies that the tests of this room share."""

import pytest

from deepself.study import load
from tests.inference.studies import write_loud, write_many
from tests.sharing import made_once
from tests.studying import Finished, finish, inside


def _made(factory, name, write):
    def make(folder):
        write(folder)
        finish(folder)

    folder = made_once(factory, name, make)
    with inside(folder):
        return Finished(folder, load("study.yaml"))


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """A study of three modalities: every family, kind of feature and fusion."""
    return _made(tmp_path_factory, "many", write_many)


@pytest.fixture(scope="session")
def loud(tmp_path_factory):
    """A study of sound alone."""
    return _made(tmp_path_factory, "loud", write_loud)
