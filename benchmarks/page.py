"""What the pages of the benchmarks have in common: options, head, sections, and their file."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from stopwatch import available_cores, say

Measure = Callable[["Options"], list[str]]
"""Measures a section; gives its lines."""


@dataclass(frozen=True)
class Options:
    """How much to measure, and on what.

    Attributes
    ----------
    data
        Folder that holds `bonn` and `esc10`.
    folder
        Where temporary files go.
    quick
        Fewer files, repetitions and epochs.
    """

    data: Path
    folder: Path
    quick: bool


def make(
    doc: str,
    title: str,
    sections: Mapping[int, tuple[str, Measure]],
    packages: Sequence[str],
    output: str,
) -> None:
    """Read a benchmark's options, measure what they ask for, print it and write the page.

    Parameters
    ----------
    doc
        What it measures; the first line is shown.
    title
        Of the page.
    sections
        Title and measurement of each, by number.
    packages
        Those whose versions matter.
    output
        Where the page goes unless it is said.
    """
    given = _arguments(doc, list(sections), output)
    data = data_folder(given.data, ("bonn", "esc10"))
    lines = _head(title, given, list(sections), packages)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(data, Path(folder).resolve(), given.quick)
        for number in given.only:
            name, measure = sections[number]
            say(f"{number}. {name}")
            lines += [f"## {number}. {name}", "", *measure(options), ""]
    text = "\n".join(lines)
    print(text)
    path = Path(given.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _arguments(doc: str, sections: Sequence[int], output: str) -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        found = [int(part) for part in text.split(",")]
        unknown = sorted(set(found) - set(sections))
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no section {unknown[0]}; known: {', '.join(map(str, sections))}"
            )
        return found

    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", help="folder that holds bonn and esc10; default: DEEPSELF_DATA")
    parser.add_argument("--output", default=output, help=f"Markdown to write; default: {output}")
    parser.add_argument("--quick", action="store_true", help="fewer files and repetitions")
    parser.add_argument("--only", type=numbers, default=sections, help="sections, such as 1,3")
    return parser.parse_args()


def data_folder(given: str | None, names: Sequence[str]) -> Path:
    """The folder that holds some data sets; ends the program where it does not."""
    data = given or os.environ.get("DEEPSELF_DATA")
    if not data:
        sys.exit("no recordings: give --data FOLDER, or set DEEPSELF_DATA to it")
    for name in names:
        if not (Path(data) / name / "manifest.csv").is_file():
            sys.exit(f"{Path(data) / name}: has no manifest.csv; see --data")
    return Path(data).resolve()


def _head(
    title: str, given: argparse.Namespace, sections: Sequence[int], packages: Sequence[str]
) -> list[str]:
    """Title, the command that repeats the page, and on what it was measured."""
    command = f"python benchmarks/{Path(sys.argv[0]).name}" + " --quick" * given.quick
    if given.only != list(sections):
        command += f" --only {','.join(map(str, given.only))}"
    cores = len(available_cores())
    return [
        f"# {title}",
        "",
        f"`{command}` on {processor()}, {cores} core{'s' * (cores > 1)}; Python "
        f"{platform.python_version()}, {', '.join(f'{p} {version(p)}' for p in packages)}.",
        "",
        "Each ratio is of two ways that took turns in this run: what else the machine does slows "
        "both. Best and median are over the turns.",
        "",
    ]


def processor() -> str:
    """Name of this machine's processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
