#!/bin/sh
# Set up a virtual environment: envs/setup.sh FOLDER EXTRA
#
# PyTorch comes first, because its builds differ: with a GPU, the CUDA build; without one, a CPU
# build if there is one where pip looks, which spares several GB. DEEPSELF_GPU=1 or 0 says which,
# where the machine that sets up is not the one that trains. The locks pin every version.
set -eu

folder=$1 extra=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
torch=$(sed -n 's/^torch==//p' "$here/lock.txt")

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }
# A constraint on a package that nothing asks for does nothing: CUDA's do no harm to a CPU build.
pinned() { pip install --quiet --constraint "$here/lock.txt" --constraint "$here/lock-cuda.txt" "$@"; }

has_gpu() {
    case ${DEEPSELF_GPU:-} in
    1) return 0 ;;
    0) return 1 ;;
    esac
    nvidia-smi -L 2>/dev/null | grep -q '^GPU' || [ -e /dev/nvidia0 ]
}

if has_gpu; then
    # `===` takes exactly this version string, so never a local CPU build of the same version.
    echo "GPU: the CUDA build of PyTorch $torch"
    pinned "torch===$torch"
elif pip download --quiet --no-deps --dest "$folder/torch" "torch==$torch+cpu" \
    2>"$folder/torch.log"; then
    echo "No GPU: a CPU build of PyTorch $torch"
    pinned "$folder"/torch/*.whl
    rm -r "$folder/torch" "$folder/torch.log"
elif ! grep -q "No matching distribution" "$folder/torch.log"; then
    cat "$folder/torch.log" >&2
    exit 1
else
    echo "No GPU, and no CPU build of PyTorch $torch where pip looks: taking the default build." >&2
    echo "(Let PIP_EXTRA_INDEX_URL name PyTorch's index of CPU builds to spare several GB.)" >&2
    pinned "torch==$torch"
fi
pinned --editable "$here/..$extra"
echo "Set up in $folder; activate it with: . $folder/bin/activate"
