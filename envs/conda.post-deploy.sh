#!/bin/sh
# Snakemake runs this in the new conda environment, from the folder that it was started in.
set -eu
python -m pip install --no-deps --no-build-isolation --editable .
