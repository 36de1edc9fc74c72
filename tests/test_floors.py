"""A room imports only from floors below its own: nothing imports upwards, there are no circles."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "deepself"

FLOORS = [
    {"eager", "errors", "malloc", "versions"},
    {"store"},
    {"study"},
    {"dataset", "signal", "networks", "evaluation"},
    {"features"},
    {"training", "demand"},
    {"graph"},
    {"fusion", "planning"},
    {"inference"},
    {"report", "tracking"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def imports(path):
    """Rooms that a file imports from, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "deepself":
                names = [f"deepself.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "deepself" and len(parts) > 1 and parts[1] in LEVEL:
                yield parts[1]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms == set(LEVEL)


def test_nothing_imports_upwards_or_across():
    crossings = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (room := room_of(path)) in LEVEL
        for other in imports(path)
        if other != room and LEVEL[other] >= LEVEL[room]
    ]
    assert not crossings, crossings


def test_a_crossing_would_be_seen(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def f():\n    from deepself.cli import main\n    import deepself.study.load\n")
    assert set(imports(file)) == {"cli", "study"}
