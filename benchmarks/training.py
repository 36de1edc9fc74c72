"""How fast networks are trained: `python benchmarks/training.py`.

All figures are ratios of two ways that take turns in one run. They are printed and written as
Markdown; nothing fails because it is slow.
"""

import tempfile
from pathlib import Path

import job_sections
import page
import training_sections
from job_sections import Options
from stopwatch import say

PACKAGES = ("torch", "torchvision", "numpy", "h5py", "pydantic", "snakemake", "librosa")
OUTPUT = "docs/performance.md"

SECTIONS = {
    1: ("Start", job_sections.start),
    2: ("An epoch", training_sections.epoch),
    3: ("Against a DataLoader", training_sections.loader),
    4: ("Five folds", job_sections.folds),
    5: ("A whole study", job_sections.whole),
    6: ("On a GPU", training_sections.gpu),
}
"""Each section's title, and what measures it."""


def main() -> None:
    """Measure, print and write."""
    given = page.arguments(__doc__, "bonn and esc10", SECTIONS, OUTPUT)
    data = page.data_folder(given.data, ("bonn", "esc10"))
    lines = page.head("How fast networks are trained", given, list(SECTIONS), PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(data, Path(folder).resolve(), given.quick)
        for number in given.only:
            title, measure = SECTIONS[number]
            say(f"{number}. {title}")
            lines += [f"## {number}. {title}", "", *measure(options), ""]
    page.keep(lines, given.output)


if __name__ == "__main__":
    main()
