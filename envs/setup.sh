#!/bin/sh
# Set up a virtual environment: envs/setup.sh FOLDER EXTRA
#
# PyTorch comes first, because its builds differ: with a GPU, the CUDA build; without one, a CPU
# build if there is one where pip looks, which spares several GB. All else is pinned by lock.txt.
set -eu

folder=$1 extra=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
torch=$(sed -n 's/^torch==//p' "$here/lock.txt")

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }

has_gpu() { nvidia-smi -L 2>/dev/null | grep -q '^GPU' || [ -e /dev/nvidia0 ]; }

if has_gpu; then
    # `===` takes exactly this version string, so never a local CPU build of the same version.
    echo "GPU found: the CUDA build of PyTorch $torch"
    pip install --quiet "torch===$torch"
elif pip download --quiet --no-deps --dest "$folder/torch" "torch==$torch+cpu" \
    2>"$folder/torch.log"; then
    echo "No GPU: a CPU build of PyTorch $torch"
    pip install --quiet "$folder"/torch/*.whl
    rm -r "$folder/torch" "$folder/torch.log"
elif ! grep -q "No matching distribution" "$folder/torch.log"; then
    cat "$folder/torch.log" >&2
    exit 1
else
    echo "No GPU, and no CPU build of PyTorch $torch where pip looks: taking the default build." >&2
    echo "(Let PIP_EXTRA_INDEX_URL name PyTorch's index of CPU builds to spare several GB.)" >&2
    pip install --quiet "torch==$torch"
fi
pip install --quiet --constraint "$here/lock.txt" --editable "$here/..$extra"
echo "Set up in $folder; activate it with: . $folder/bin/activate"
