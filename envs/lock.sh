#!/bin/sh
# Write lock.txt: the versions that a fresh environment gets from what pyproject.toml allows.
# A local build's suffix (2.13.0+cpu) is cut, and CUDA's libraries are left to PyTorch's own pins,
# so that one file serves machines with and without a GPU.
#
#     envs/lock.sh [TORCH_REQUIREMENT]      e.g. envs/lock.sh torch==2.13.0
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder"
# PyTorch in both: torchvision would bring the newest otherwise.
"$folder/bin/pip" install --quiet "${1:-torch}"
"$folder/bin/pip" install --quiet "${1:-torch}" "$here/..[dev]"
{
    echo "# Made by envs/lock.sh; constraints for pip, on every platform."
    "$folder/bin/pip" freeze --exclude deepself |
        grep -v -i -E '^(nvidia-|cuda-|triton==|pip==|setuptools==)' |
        sed 's/+[a-z0-9.]*$//'
} >"$folder/lock.txt"
mv "$folder/lock.txt" "$here/lock.txt"
