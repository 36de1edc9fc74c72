#!/bin/sh
# Write lock.txt and lock-cuda.txt: a version of every package that pyproject.toml and its extras
# ask for, and of every package that those ask for. Only metadata is read, no package is installed.
#
#     envs/lock.sh                            keep what is pinned and still allowed
#     envs/lock.sh --upgrade                  the newest of everything
#     envs/lock.sh --upgrade-package torch    the newest of one
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet uv

# What stands in the output file is kept. Linux with CUDA asks for the most packages; elsewhere a
# part of them is wanted, and constraints on the others do nothing.
cat "$here/lock.txt" "$here/lock-cuda.txt" >"$folder/all.txt" 2>/dev/null || true
"$folder/venv/bin/uv" pip compile --quiet "$here/../pyproject.toml" --all-extras \
    --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
    --no-header --no-annotate --output-file "$folder/all.txt" "$@"

# nvidia-ml-py only asks a driver what a GPU takes; it is no part of CUDA.
sed -n -E '/^nvidia-ml-py==/d; /^(nvidia-|cuda-|triton==)/p' "$folder/all.txt" >"$folder/cuda.txt"
{
    echo "# Made by envs/lock.sh: all but CUDA's libraries. Constraints for pip, on every platform."
    grep -v -x -F -f "$folder/cuda.txt" "$folder/all.txt"
} >"$folder/lock.txt"
{
    echo "# Made by envs/lock.sh: CUDA's libraries, which PyTorch's CUDA build adds to lock.txt."
    cat "$folder/cuda.txt"
} >"$folder/lock-cuda.txt"
mv "$folder/lock.txt" "$folder/lock-cuda.txt" "$here"
