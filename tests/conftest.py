"""What all tests share.

What takes longest begins first, so that all workers of a test run end at about the same time.
"""

from pathlib import Path

import pytest

LONGEST = ("cluster", "workflow", "studies")


@pytest.fixture
def given_weights(tmp_path, monkeypatch):
    """A working folder with the file of weights that a shipped study has from its user."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/soundnet8.pth").touch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole studies before all else; whatever else there is keeps its order."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        room = item.path.relative_to(here).parts[0]
        return LONGEST.index(room) if room in LONGEST else len(LONGEST)

    items.sort(key=place)
