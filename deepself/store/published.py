"""Published weights: where each has its public home, and its checksum."""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deepself.errors import UserError


@dataclass(frozen=True)
class Published:
    """A weights file that its authors publish.

    Attributes
    ----------
    name
        The name that a study gives as `weights`.
    file, url, sha256
        Its file name, public home and checksum.
    """

    name: str
    file: str
    url: str
    sha256: str


PUBLISHED = {
    "mn04_as": Published(
        "audioset",
        "mn04_as_mAP_432.pt",
        "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
        "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    ),
    "resnet18": Published(
        "imagenet",
        "resnet18-f37072fd.pth",
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
}
"""Published weights by network."""


def published(network: str, weights: str) -> Published | None:
    """The published file that `weights` names, or None where it is a path."""
    known = PUBLISHED[network]
    return known if weights == known.name else None


def weights_digest(network: str, weights: str) -> str:
    """Checksum of a weights file: its content shapes a result, its path does not."""
    known = published(network, weights)
    return known.sha256 if known else file_digest(weights)


def is_imagenet(network: str, weights: str | None) -> bool:
    """Whether weights are those trained on ImageNet, by content, whatever path they come from."""
    known = PUBLISHED.get(network)
    if weights is None or known is None or known.name != "imagenet":
        return False
    return weights_digest(network, weights) == known.sha256


def weights_file(results: Path, network: str, weights: str) -> Path:
    """Where the stages find a weights file: a given path, or the study's own copy."""
    known = published(network, weights)
    return results / "weights" / known.file if known else Path(weights)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered until the file changes."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise UserError(f"{path}: weights cannot be read: {error.strerror}") from None
    return _file_digest(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _file_digest(path: str, _size: int, _changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
