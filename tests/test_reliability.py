"""The table of faults: each row is what a test has seen, and each such test has its row."""

import ast
from pathlib import Path

from tests.reliability import BEGIN, END, PAGE, VARIABLE, faults_of, record, replaced, table

TESTS = Path(__file__).parent


def test_what_is_recorded_is_the_table(tmp_path, monkeypatch):
    file = tmp_path / "rows"
    monkeypatch.delenv(VARIABLE, raising=False)
    record("a", "b", "c", "d")
    assert not file.exists()
    monkeypatch.setenv(VARIABLE, str(file))
    record("power cut", "a | b", "nothing", "goes on")
    record("full disk", "one line\nand another", "nothing", "goes on")
    record("power cut", "a | c", "nothing", "goes on")
    assert table(file.read_text())[2:] == [
        "| power cut | a \\| c | nothing | goes on |",
        "| full disk | one line and another | nothing | goes on |",
    ]


def test_only_what_lies_between_the_marks_is_replaced():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    lines = ["| fault |", "| --- |", "| one |", "| two |"]
    new = replaced(page, lines)
    assert new.startswith("before\n") and new.endswith("\nafter\n") and "old" not in new
    assert [fault.removesuffix(" |") for fault in faults_of(new)] == ["one", "two"]
    assert replaced(new, lines) == new


def recorded():
    """First arguments of all calls of `record` in the tests of faults."""
    for file in [*TESTS.glob("workflow/*.py"), *TESTS.glob("cluster/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record":
                yield ast.literal_eval(node.args[0])


def test_page_has_the_faults_that_are_tested_and_no_others():
    faults = list(recorded())
    assert len(faults) == len({*faults})
    assert {*faults} == {*faults_of(PAGE.read_text())}
