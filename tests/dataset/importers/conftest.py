"""Every test of an importer runs in a folder of its own, by the verb itself."""

import pytest

from deepself.cli import main


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("DEEPSELF_DATA", "DEEPSELF_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys):
    """Run a verb: exit status, what it printed, and the one line of its error."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert status == 0 or len(printed.err.splitlines()) == 1, printed.err
        return status, printed.out, printed.err

    return run
