"""A bundle on disk: a folder that is whole and as it was written, or an error."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from deepself.errors import UserError
from deepself.inference.bounds import require_bounded
from deepself.inference.card import CARD
from deepself.inference.spec import VERSION, BundleSpec
from deepself.store.checksums import file_digest
from deepself.store.files import atomic_folder, canonical_json

SPECIFICATION = "bundle.json"
"""What a folder is known as a bundle by."""

DIGEST = "digest"
"""Key under which `bundle.json` has the SHA-256 of all else in it."""

UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""How the content of `bundle.json` of each older version becomes that of the next."""

LARGEST = 2**26
"""Bytes that `bundle.json` may have: more is no specification."""


def read_specification(folder: Path) -> BundleSpec:
    """Read what a bundle says of itself, and verify all its files but the card.

    The card may be written in: a licence and whom to ask belong there.

    Raises
    ------
    UserError
        It is no bundle, of another version, or damaged; the message names the file.
    """
    path = folder / SPECIFICATION
    raw = _upgraded(path, _read(path))
    try:
        spec = BundleSpec.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        raise UserError(f"{path}: {said}; {_again(folder)}") from None
    try:
        require_bounded(spec)
    except ValueError as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{path}: {said}; {_again(folder)}") from None
    for name, checksum in spec.files.items():
        _verify(folder, name, checksum)
    return spec


def is_bundle(folder: Path) -> bool:
    """Whether a folder has been written as a bundle."""
    return (folder / SPECIFICATION).is_file()


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the bundle's name when the block ends without an error.

    A bundle of that name is replaced.

    Raises
    ------
    UserError
        There is something else of that name.
    """
    if folder.exists() and not is_bundle(folder) and (folder.is_file() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists, and is no bundle; name another folder by --output")
    with atomic_folder(folder) as temporary:
        temporary.mkdir()
        yield temporary


def write_specification(folder: Path, content: dict[str, Any]) -> None:
    """Write `bundle.json` with the checksums of all files that lie in a folder.

    Parameters
    ----------
    folder
        Where they lie.
    content
        What a `BundleSpec` is made of, but for `version` and `files`.

    Raises
    ------
    UserError
        It asks for more than a bundle may.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
    whole = {"version": VERSION, **content, "files": sums}
    try:
        require_bounded(BundleSpec.model_validate(whole))
    except ValidationError:
        raise
    except ValueError as error:  # it could not be read again
        raise UserError(f"no bundle can hold this: {error}") from None
    whole[DIGEST] = _digest(whole)
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    (folder / SPECIFICATION).write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """The content of `bundle.json`, as it was written."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: is larger than any bundle's; {_again(path.parent)}")
        raw = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        folder, lacks = path.parent, f"it has no {SPECIFICATION}"
        if not folder.is_dir():
            lacks = "it is no folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: no bundle ({lacks}); deepself export makes one") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, OverflowError):
        raise UserError(f"{path}: is damaged: not JSON; {_again(path.parent)}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: is damaged: not a mapping; {_again(path.parent)}")
    return raw


def _upgraded(path: Path, raw: dict[str, Any]) -> dict[str, Any]:
    version = raw.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise UserError(f"{path}: says no version; {_again(path.parent)}")
    if version > VERSION:
        raise UserError(
            f"{path}: was written by a newer deepself (version {version} of a bundle's form; this "
            f"one reads up to {VERSION}): pip install --upgrade deepself"
        )
    said = raw.pop(DIGEST, None)
    try:
        found = _digest(raw)
    except (ValueError, RecursionError):  # letters that are none
        found = ""
    if said != found:
        raise UserError(f"{path}: is damaged: its content has changed; {_again(path.parent)}")
    for old in range(version, VERSION):
        if old not in UPGRADES:
            raise UserError(
                f"{path}: version {version} of a bundle's form can no longer be read; export it "
                "from its study again"
            )
        raw = UPGRADES[old](raw)
    return raw


def _verify(folder: Path, name: str, checksum: str) -> None:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or not name:
        raise UserError(f"{folder / SPECIFICATION}: names {name!r}, which is outside of the bundle")
    path = folder / inside
    if not path.is_file():
        raise UserError(f"{path}: is missing; {_again(folder)}")
    if name != CARD and file_digest(path) != checksum:
        raise UserError(f"{path}: is damaged: its checksum differs; {_again(folder)}")


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _again(folder: Path) -> str:
    return f"copy the bundle {folder.name} again, or export it again"
