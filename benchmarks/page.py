"""What the pages of the benchmarks have in common: options, head, and how they are kept."""

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from stopwatch import available_cores


def arguments(
    doc: str, data: str, sections: Mapping[int, object], output: str
) -> argparse.Namespace:
    """Read a benchmark's options.

    Parameters
    ----------
    doc
        What it measures; the first line is shown.
    data
        The data sets that it needs, in words.
    sections
        By number.
    output
        Where the page goes unless it is said.
    """

    def numbers(text: str) -> list[int]:
        found = [int(part) for part in text.split(",")]
        unknown = sorted(set(found) - set(sections))
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no section {unknown[0]}; known: {', '.join(map(str, sections))}"
            )
        return found

    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", help=f"folder that holds {data}; default: DEEPSELF_DATA")
    parser.add_argument("--output", default=output, help=f"Markdown to write; default: {output}")
    parser.add_argument("--quick", action="store_true", help="fewer files and repetitions")
    parser.add_argument(
        "--only", type=numbers, default=list(sections), help="sections, such as 1,3"
    )
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


def head(
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
        f"`{command}` on {_processor()}, {cores} core{'s' * (cores > 1)}; Python "
        f"{platform.python_version()}, {', '.join(f'{p} {version(p)}' for p in packages)}.",
        "",
        "Each ratio is of two ways that took turns in this run: what else the machine does slows "
        "both. Best and median are over the turns.",
        "",
    ]


def keep(lines: Sequence[str], output: str) -> None:
    """Print a page, and write it."""
    text = "\n".join(lines)
    print(text)
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
