"""The table of faults in `docs/reliability.md`, as the tests that make the faults saw them.

`make reliability` runs these tests with the variable DEEPSELF_RELIABILITY, to whose file each adds
what it saw, and then `python -m tests.reliability FILE`, which writes the table.
"""

import json
import os
import re
import sys
from pathlib import Path

VARIABLE = "DEEPSELF_RELIABILITY"

PAGE = Path(__file__).parents[1] / "docs/reliability.md"
BEGIN, END = "<!-- faults: made by `make reliability` -->", "<!-- end of faults -->"
COLUMNS = ("fault", "what happened", "what was lost", "the next start")


def record(fault: str, happened: str, lost: str, goes_on: str) -> None:
    """Add a row to the table; do nothing where none is asked for.

    Parameters
    ----------
    fault
        What was done to the study, the same words each time: a later row replaces an earlier one.
    happened, lost, goes_on
        What came of it, what had to be computed again, and what the next start did, made of what
        the test has seen.
    """
    file = os.environ.get(VARIABLE)
    if file:
        with open(file, "a", encoding="utf-8") as lines:
            row = [fault, happened, lost, goes_on]
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def table(text: str) -> list[str]:
    """The lines of the Markdown table of rows that were recorded, in their order."""
    rows = {row[0]: row for row in map(json.loads, text.splitlines())}
    marks = ["---"] * len(COLUMNS)
    return [_line(row) for row in (COLUMNS, marks, *rows.values())]


def _line(cells) -> str:
    # A bar would end the cell, and a line break the row.
    clean = (re.sub(r"\s+", " ", cell).strip().replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(clean)} |"


def replaced(page: str, lines: list[str]) -> str:
    """The page with these lines between its two marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, "", *lines, "", END + after])


def faults_of(page: str) -> list[str]:
    """The faults whose rows the page has."""
    rows = page.split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    return [row.removeprefix("| ").split(" | ")[0] for row in rows]


def main() -> None:
    """Write what was recorded into the page; say which of its rows are gone."""
    old = PAGE.read_text(encoding="utf-8")
    lines = table(Path(sys.argv[1]).read_text(encoding="utf-8"))
    new = replaced(old, lines)
    PAGE.write_text(new, encoding="utf-8")
    print(f"{PAGE}: {len(faults_of(new))} faults")
    for fault in sorted({*faults_of(old)} - {*faults_of(new)}):
        print(f"no longer in the table, as no test made it this time: {fault}")


if __name__ == "__main__":
    main()
