#!/bin/sh
# Snakemake runs this in the new conda environment, from the folder that it was started in. Without
# dependencies: conda.yaml has them, and Snakemake, which no job imports, is left out.
set -eu
python -m pip install --no-deps --no-build-isolation --editable .
