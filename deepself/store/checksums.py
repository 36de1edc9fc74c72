"""Checksums of files, as their publishers state them."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from deepself.errors import UserError

WORDS = {
    "sha256": "SHA-256",
    "sha256-prefix": "SHA-256 as far as it is published",
    "md5": "MD5 hash",
}
"""What each kind of checksum is called."""


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered until the file changes."""
    return _digest(path, "sha256")


def mismatch(path: str | Path, checksum: str) -> str | None:
    """How a file differs from what was published, or None where it does not.

    Parameters
    ----------
    path
        The file.
    checksum
        `sha256:…`, `md5:…`, or `sha256-prefix:…` where only the first digits are published; what
        is empty is fulfilled by any file.
    """
    if not checksum:
        return None
    kind, _, wanted = checksum.partition(":")
    found = _digest(path, kind.removesuffix("-prefix"))
    found = found[: len(wanted)] if kind.endswith("-prefix") else found
    return None if found == wanted else f"its {WORDS[kind]} is {found}, not {wanted} as published"


def verified(checksum: str) -> str:
    """What a file that fulfils a checksum is known to fulfil."""
    return f"{WORDS[checksum.partition(':')[0]]} verified"


def _digest(path: str | Path, algorithm: str) -> str:
    try:
        state = os.stat(path)
        return _read_digest(str(path), algorithm, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=256)
def _read_digest(path: str, algorithm: str, _size: int, _changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
