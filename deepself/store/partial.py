"""What has come of a file that is being downloaded, and whether it can be gone on with."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Partial:
    """The beginning of a file, beside the place that it takes when it is whole.

    Beside it stands where it came from, and what its server said of it: its length, and the mark
    (`ETag`, or else `Last-Modified`) by which the server tells whether it still has that file.

    Parameters
    ----------
    target
        The place.
    url
        Where it is downloaded from now: another address may have another file.
    checksum
        What the whole file will be verified by; if nothing, and the server gives no mark, a file
        that has changed would go unnoticed, so nothing is gone on with.

    Attributes
    ----------
    path
        Where its bytes lie.
    """

    def __init__(self, target: Path, url: str, checksum: str):
        self.path = target.with_name(f".{target.name}.part")
        self._target, self._url, self._checksum = target, url, checksum
        self._notes = target.with_name(f".{target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, where its server has said so."""
        return self._said().get("total")

    @property
    def offset(self) -> int:
        """Bytes that need not come again."""
        said = self._said()
        known = said.get("url") == self._url and (said["mark"] or (self._checksum and said["raw"]))
        return self.size if known else 0

    @property
    def is_whole(self) -> bool:
        """Whether all bytes have come."""
        return self.offset > 0 and self.offset == self.total

    def headers(self) -> dict[str, str]:
        """What to ask for: the bytes that are missing, if the file is still the same."""
        if not self.offset:
            return {}
        mark = self._said()["mark"]
        return {"Range": f"bytes={self.offset}-", **({"If-Range": mark} if mark else {})}

    def begin(self, headers: Mapping[str, str]) -> None:
        """Start anew with a file of which a server says this."""
        self.discard()
        raw = "Content-Encoding" not in headers
        length = headers.get("Content-Length", "") if raw else ""
        said = {
            "url": self._url,
            "total": int(length) if length.isdecimal() else None,
            "mark": _mark(headers) if raw else None,
            "raw": raw,
        }
        self._notes.write_text(json.dumps(said), encoding="utf-8")
        self.path.touch()

    def continues(self, headers: Mapping[str, str]) -> bool:
        """Whether a part of a file, of which a server says this, follows what has come."""
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        said = self._said()
        if not said or place is None or int(place[1]) != self.offset:
            return False
        same_length = place[2] == "*" or said["total"] in (None, int(place[2]))
        return same_length and _mark(headers) in (None, said["mark"])

    def keep(self) -> None:
        """Put the whole file into its place."""
        os.replace(self.path, self._target)
        self._notes.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _said(self) -> dict[str, Any]:
        try:
            said = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        known = isinstance(said, dict) and {"url", "total", "mark", "raw"} <= said.keys()
        return said if known else {}


def _mark(headers: Mapping[str, str]) -> str | None:
    """What a server knows a file's content by; a weak ETag says only that it is much the same."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
