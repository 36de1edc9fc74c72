"""How fast features are made, kept and read: `python benchmarks/features.py`.

All figures are ratios of two ways that take turns in one run. They are printed and written as
Markdown; nothing fails because it is slow.
"""

import tempfile
from pathlib import Path

import page
from feature_sections import SECTIONS, Options
from stopwatch import say

PACKAGES = ("torch", "numpy", "scipy", "librosa", "PyWavelets", "h5py", "soundfile", "soxr")
OUTPUT = "docs/benchmarks/features.md"


def main() -> None:
    """Measure, print and write."""
    given = page.arguments(__doc__, "bonn and esc10", SECTIONS, OUTPUT)
    data = page.data_folder(given.data, ("bonn", "esc10"))
    lines = page.head("How fast features are made", given, list(SECTIONS), PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            data=data,
            folder=Path(folder).resolve(),
            recordings=200 if given.quick else 400,
            sounds=(200, 2000) if given.quick else (1000, 10000),
            repetitions=2 if given.quick else 5,
        )
        for number in given.only:
            title, measure = SECTIONS[number]
            say(f"{number}. {title}")
            lines += [f"## {number}. {title}", "", *measure(options), ""]
    page.keep(lines, given.output)


if __name__ == "__main__":
    main()
