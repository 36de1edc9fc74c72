"""How fast features are made, kept and read: `python benchmarks/features.py`.

All figures are ratios of two ways that take turns in one run. They are printed and written as
Markdown; nothing fails because it is slow.
"""

import page
from feature_sections import SECTIONS

PACKAGES = ("torch", "numpy", "scipy", "librosa", "PyWavelets", "h5py", "soundfile", "soxr")
OUTPUT = "docs/benchmarks/features.md"

if __name__ == "__main__":
    page.make(__doc__, "How fast features are made", SECTIONS, PACKAGES, OUTPUT)
