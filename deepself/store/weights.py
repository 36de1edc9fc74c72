"""Weights files: fetched once and verified, read without running code from them."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from deepself.errors import UserError
from deepself.store.download import Remote, cache_folder, download
from deepself.store.files import atomic_path
from deepself.store.published import Published, file_digest

if TYPE_CHECKING:
    from torch import Tensor


def fetch_weights(known: Published, output: Path) -> Path:
    """Bring a published weights file to `output`, verified by its checksum.

    It is looked for in the folder that DEEPSELF_WEIGHTS names and in the user's cache, and
    downloaded into the cache otherwise.

    Returns
    -------
    Path
        Where the file came from.

    Raises
    ------
    UserError
        It cannot be downloaded (the message says which file to put where), or its checksum differs.
    """
    source = _find(known) or _download(known)
    found = file_digest(source)
    if found != known.sha256:
        raise UserError(
            f"{source}: checksum is {found[:12]}…, not {known.sha256[:12]}… as published; "
            "delete it and fetch again"
        )
    with atomic_path(output) as temporary:
        shutil.copyfile(source, temporary)
    return source


def read_weights(path: Path) -> dict[str, "Tensor"]:
    """Read a state dict from safetensors, or from a PyTorch file without executing its pickle."""
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a weights file that can be read safely: {reason}") from None


def _find(known: Published) -> Path | None:
    named = os.environ.get("DEEPSELF_WEIGHTS")
    places = [Path(named)] if named else []
    for folder in [*places, cache_folder()]:
        if (folder / known.file).is_file():
            return folder / known.file
    return None


def _download(known: Published) -> Path:
    remote = Remote(known.file, known.url, f"sha256:{known.sha256}").mirrored()
    remedy = (
        f"put the file {known.file} into {cache_folder()}, or into a folder that "
        "DEEPSELF_WEIGHTS names"
    )
    return download(remote, cache_folder(), remedy)
