"""The verbs, typed in a folder with a few recordings."""

import pytest

from deepself.cli import main
from tests.tiny import make_recordings


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_recordings(tmp_path / "recordings", per_class=3)
    return tmp_path


@pytest.fixture
def extract(here, capsys):
    """Run the verb; give what it printed, or its status and errors."""

    def extract(*arguments, output="out.csv", status=0):
        found = main(["extract", *map(str, arguments), "--output", output])
        printed = capsys.readouterr()
        assert found == status, printed.err
        return printed.err.splitlines() if status else printed.out

    return extract
