"""Finished studies that the tests of this room share."""

import pytest

from tests.inference.studies import write_loud, write_many
from tests.inference.varied import write_varied
from tests.studying import finished_once


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """A study of three modalities: every family, kind of feature and fusion."""
    return finished_once(tmp_path_factory, "many", write_many)


@pytest.fixture(scope="session")
def loud(tmp_path_factory):
    """A study of sound alone."""
    return finished_once(tmp_path_factory, "loud", write_loud)


@pytest.fixture(scope="session")
def varied(tmp_path_factory):
    """A smaller study of three modalities, to be damaged in many ways."""
    return finished_once(tmp_path_factory, "varied", write_varied)


@pytest.fixture(scope="session")
def sound(many):
    """A bundle that reads sound."""
    return many.export("model", "masked_cnn", "--seed", "0")


@pytest.fixture(scope="session")
def windowed(many):
    return many.export("model", "windowed", "--seed", "0")


@pytest.fixture(scope="session")
def trace(many):
    return many.export("model", "trace_1d", "--seed", "0")


@pytest.fixture(scope="session")
def picture(many):
    return many.export("model", "shade", "--seed", "0")


@pytest.fixture(scope="session")
def fused(many):
    return many.export("fusion", "mean", "--seed", "0")
