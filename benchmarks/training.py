"""How fast networks are trained: `python benchmarks/training.py`.

All figures are ratios of two ways that take turns in one run. They are printed and written as
Markdown; nothing fails because it is slow.
"""

import job_sections
import page
import training_sections

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

if __name__ == "__main__":
    page.make(__doc__, "How fast networks are trained", SECTIONS, PACKAGES, OUTPUT)
