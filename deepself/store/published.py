"""Published weights: where each has its public home, and its checksum.

They stand in a table beside this module, published.csv, a row each. The rows of torchvision's
architectures are as the installed torchvision states them; `python -m tests.store.published_table`
writes them anew, and leaves the others as they are.
"""

import csv
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deepself.store.checksums import file_digest, mismatch

TABLE = Path(__file__).with_suffix(".csv")
"""Published weights: the network, what a study calls them, their file, home and checksum."""

LINKED = "linked"
"""In place of a checksum: the server that holds the file knows it."""

PACKAGE = "package:"
"""Before a path, in place of an address: the file comes with a Python package."""

HUB = "https://huggingface.co"
"""Where timm's weights have their home."""

TIMM_FILE = re.compile(r"timm-([A-Za-z0-9_]+)\.([a-z0-9_]+)\.safetensors")
TIMM_TAG = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Published:
    """A weights file that its authors publish.

    Attributes
    ----------
    name
        The name that a study gives as `weights`.
    file
        Its name on disk.
    url
        Its public home: an address, or `package:` and the path in a Python package.
    checksum
        `sha256:…`, `sha256-prefix:…` (its first digits) or `md5:…` as published; `linked` where
        the server says it; empty where nobody does.
    pictures
        Whether they were learnt on pictures, which the network then normalises as in training.
    """

    name: str
    file: str
    url: str
    checksum: str
    pictures: bool


def published(network: str, weights: str) -> Published | None:
    """The published file that `weights` names, or None where it is a path.

    Of a network `timm/…` any name that could be one of timm's tags, and is no file that exists,
    counts as published: to know better, timm would have to be imported.
    """
    known = _table().get(network, {}).get(weights)
    if known is not None or not network.startswith("timm/"):
        return known
    if not TIMM_TAG.fullmatch(weights) or os.path.isfile(weights):
        return None
    return timm_weights(network.removeprefix("timm/"), weights)


def timm_weights(architecture: str, tag: str) -> Published:
    """The file of an architecture of timm's under one of its tags."""
    whole = f"{architecture}.{tag}"
    url = f"{HUB}/timm/{whole}/resolve/main/model.safetensors"
    return Published(tag, f"timm-{whole}.safetensors", url, LINKED, pictures=True)


def built_as(network: str, weights: str | None) -> str:
    """The type to build: with a tag of timm's, which says what its pictures' mean was."""
    tagged = network.startswith("timm/") and weights is not None and published(network, weights)
    return f"{network}.{weights}" if tagged else network


def published_names(network: str) -> list[str]:
    """Names of the weights that are published for a network, but for timm's tags."""
    return list(_table().get(network, {}))


def published_files() -> dict[str, Published]:
    """All that is published, but for timm's, by its file's name."""
    return {known.file: known for of in _table().values() for known in of.values()}


def weights_digest(network: str, weights: str) -> str:
    """What stands for the content of weights: it shapes a result, their path does not.

    A SHA-256, or what is published of it; the name where only the publisher's server knows more.
    """
    known = published(network, weights) or _same(network, weights)
    if known is None:
        return file_digest(weights)
    if known.checksum in ("", LINKED):
        return f"{network}.{known.name}"
    return known.checksum.removeprefix("sha256:")


def is_imagenet(network: str, weights: str | None) -> bool:
    """Whether weights were learnt on pictures: ImageNet's, or others normalised before training.

    Known by content, whatever path they come from; but of timm's only those named by a tag.
    """
    if weights is None:
        return False
    known = published(network, weights) or _same(network, weights)
    return known is not None and known.pictures


def weights_file(results: Path, network: str, weights: str) -> Path:
    """Where the stages find a weights file: a given path, or the study's own copy."""
    known = published(network, weights)
    return results / "weights" / known.file if known else Path(weights)


def _same(network: str, path: str) -> Published | None:
    """The published weights of a network that a file is a copy of, if any."""
    for known in _table().get(network, {}).values():
        if known.checksum and mismatch(path, known.checksum) is None:
            return known
    return None


@cache
def _table() -> dict[str, dict[str, Published]]:
    """All rows, by network and name."""
    table: dict[str, dict[str, Published]] = {}
    with open(TABLE, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            network, pictures = row.pop("network"), row.pop("learnt_on") == "pictures"
            table.setdefault(network, {})[row["name"]] = Published(**row, pictures=pictures)
    return table
