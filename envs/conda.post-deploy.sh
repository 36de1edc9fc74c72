#!/bin/sh
# Snakemake runs this in the new conda environment, wherever it was started; the Snakefile says where
# deepself lies. Without dependencies: conda.yaml has them, and Snakemake, which no job imports, is
# left out.
set -eu
python -m pip install --no-deps --no-build-isolation --editable "$DEEPSELF_SOURCE"
