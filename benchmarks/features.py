"""How fast features are made, kept and read: `python benchmarks/features.py`.

All figures are ratios of two ways that take turns in one run. They are printed and written as
Markdown; nothing fails because it is slow.
"""

import argparse
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from feature_sections import SECTIONS, Options
from stopwatch import available_cores, say

PACKAGES = ("torch", "numpy", "scipy", "librosa", "PyWavelets", "h5py", "soundfile", "soxr")
OUTPUT = "docs/benchmarks/features.md"


def main() -> None:
    """Measure, print and write."""
    arguments = _arguments()
    data = arguments.data or os.environ.get("DEEPSELF_DATA")
    if not data:
        sys.exit("no recordings: give --data FOLDER, or set DEEPSELF_DATA to it")
    for name in ("bonn", "esc10"):
        if not (Path(data) / name / "manifest.csv").is_file():
            sys.exit(f"{Path(data) / name}: has no manifest.csv; see --data")
    lines = _head(arguments)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            data=Path(data).resolve(),
            folder=Path(folder).resolve(),
            recordings=200 if arguments.quick else 400,
            sounds=(200, 2000) if arguments.quick else (1000, 10000),
            repetitions=2 if arguments.quick else 5,
        )
        for number in arguments.only:
            title, measure = SECTIONS[number]
            say(f"{number}. {title}")
            lines += [f"## {number}. {title}", "", *measure(options), ""]
    text = "\n".join(lines)
    print(text)
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder that holds bonn and esc10; default: DEEPSELF_DATA")
    parser.add_argument("--output", default=OUTPUT, help=f"Markdown to write; default: {OUTPUT}")
    parser.add_argument("--quick", action="store_true", help="fewer files and repetitions")
    parser.add_argument(
        "--only", type=_sections, default=list(SECTIONS), help="sections, such as 1,3"
    )
    return parser.parse_args()


def _sections(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    unknown = sorted(set(numbers) - set(SECTIONS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]}; known: 1 to {len(SECTIONS)}")
    return numbers


def _head(arguments: argparse.Namespace) -> list[str]:
    command = "python benchmarks/features.py" + " --quick" * arguments.quick
    if arguments.only != list(SECTIONS):
        command += f" --only {','.join(map(str, arguments.only))}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = len(available_cores())
    return [
        "# How fast features are made",
        "",
        f"`{command}` on {_processor()}, {cores} core{'s' * (cores > 1)}; Python "
        f"{platform.python_version()}, {packages}.",
        "",
        "Each ratio is of two ways that took turns in this run: what else the machine does slows "
        "both. Best and median are over the turns.",
        "",
    ]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
