"""How a bundle answers that MLflow serves: `python benchmarks/serving.py`.

The server runs on this machine and is asked over loopback. Figures are printed and written as
Markdown; nothing fails because it is slow.
"""

import page
from serving_sections import SECTIONS

PACKAGES = ("torch", "numpy", "mlflow", "uvicorn", "fastapi", "safetensors")
OUTPUT = "docs/benchmarks/serving.md"

if __name__ == "__main__":
    page.make(__doc__, "How a served bundle answers", SECTIONS, PACKAGES, OUTPUT)
