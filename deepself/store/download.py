"""Public files: downloaded whole, verified by checksum, kept for the user.

A download that is cut off goes on where it stopped, now or when it is asked for again: what has
come lies beside the file's place, with what tells whether the server still has the same file.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from deepself.errors import UserError
from deepself.store.checksums import mismatch
from deepself.store.lock import only_one
from deepself.store.partial import Partial
from deepself.store.progress import Progress

if TYPE_CHECKING:
    import requests

ENDS = (".zip", ".gz", ".tgz", ".xz", ".bz2", ".tar", ".csv", ".pt", ".pth", ".safetensors")
"""How an address ends that names a file; any other names the folder that holds it."""

WAITS = (1, 2, 4, 8)
"""Seconds before each further attempt; they count anew whenever something has come."""

LONGEST_WAIT = 60
"""Seconds that a server may ask to wait."""

TIMEOUTS = (20, 60)
"""Seconds to connect, and between two pieces."""

PIECE = 2**16
"""Bytes read at once; of a piece that is cut off nothing is kept."""

BUSY = {408, 425, 429, 500, 502, 503, 504}
"""Answers of a server that may have another one later."""

LINKED_CHECKSUM = "X-Linked-Etag"
"""Where a hub's answer says the SHA-256 of a large file."""


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded.

    Attributes
    ----------
    file
        Its name on disk.
    url
        Its public home; empty where it has none that can be fetched without an account.
    checksum
        `sha256:…`, `sha256-prefix:…` or `md5:…` as published, or None where nobody publishes one.
    """

    file: str
    url: str
    checksum: str | None

    def mirrored(self, url: str | None = None) -> "Remote":
        """The same file elsewhere, if `url` or DEEPSELF_MIRROR says where.

        The variable names a folder that holds the file under its name; `url` such a folder, or
        the file itself.
        """
        base = url or os.environ.get("DEEPSELF_MIRROR")
        if not base:
            return self
        is_file = url and url.split("?")[0].lower().endswith(ENDS)
        return replace(self, url=base if is_file else f"{base.rstrip('/')}/{self.file}")


class CutOffError(OSError):
    """The server ended before the file did, or has another one by now."""


def cache_folder(kind: str = "weights") -> Path:
    """Where downloads of a kind (weights, data) are kept for this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deepself" / kind


def download(remote: Remote, folder: Path, remedy: str) -> Path:
    """Bring a file into `folder`, unless it is there already, and verify its checksum.

    It is written beside its name and takes it when whole and verified. What has come of a download
    that is cut off is kept, and the next attempt goes on from there.

    Parameters
    ----------
    remote
        The file.
    folder
        Where to keep it.
    remedy
        What to do by hand where it cannot be downloaded; ends the message.

    Raises
    ------
    UserError
        It cannot be downloaded, or its checksum differs.
    """
    import requests

    path, checksum = folder / remote.file, remote.checksum or ""
    if path.is_file() and mismatch(path, checksum) is None:
        return path
    partial = Partial(path, remote.url, checksum)
    try:
        with only_one(path):
            if not path.is_file() or mismatch(path, checksum):  # another job was not quicker
                _bring(remote, partial, checksum, remedy)
                partial.keep()
    except (requests.RequestException, OSError) as error:
        kept = partial.offset
        goes_on = (
            f"; what has come ({kept / 1e6:.3g} MB) is kept, fetch again to go on" if kept else ""
        )
        raise UserError(
            f"{remote.url} cannot be downloaded ({_reason(error)}){goes_on}: {remedy}"
        ) from None
    return path


def linked_checksum(url: str) -> str | None:
    """The checksum that a hub states in its answer for a file; None where it says none.

    The hub itself says it, not the server that it sends a download to.
    """
    import requests

    try:
        for _ in range(5):
            answer = requests.head(url, allow_redirects=False, timeout=TIMEOUTS)
            found = answer.headers.get(LINKED_CHECKSUM, "").removeprefix("W/").strip('"').lower()
            if len(found) == 64 and set(found) <= set("0123456789abcdef"):
                return f"sha256:{found}"
            if not answer.is_redirect:
                break
            url = urljoin(url, answer.headers["Location"])
    except requests.RequestException:
        pass  # the download will say why
    return None


def _bring(remote: Remote, partial: Partial, checksum: str, remedy: str) -> None:
    """Download until the file is whole, and verify it."""
    resumed = partial.offset > 0
    _download(remote, partial)
    problem = mismatch(partial.path, checksum)
    if problem and resumed:  # its beginning may be that of another file
        partial.discard()
        _download(remote, partial)
        problem = mismatch(partial.path, checksum)
    if problem:
        partial.discard()
        raise UserError(f"{remote.url}: {problem}; {remedy}")


def _download(remote: Remote, partial: Partial) -> None:
    """Attempt a download as long as it makes progress, and a few times more."""
    import requests

    failures, first = 0, partial.size
    most, begun = first, False
    with requests.Session() as session, Progress(remote.file) as progress:
        while True:
            try:
                return _attempt(session, remote.url, partial, progress)
            except (requests.RequestException, CutOffError) as error:
                begun = begun or partial.size != first
                if partial.size > most:
                    failures, most = 0, partial.size
                if failures == len(WAITS) or not _may_pass(error, begun):
                    raise
                time.sleep(max(WAITS[failures], _asked_wait(error)))
                failures += 1


def _attempt(session: "requests.Session", url: str, partial: Partial, progress: Progress) -> None:
    """Download what is missing, in one request."""
    if partial.is_whole:
        return
    # Packed on the way, a file would have another length and could not be gone on with.
    headers = {"Accept-Encoding": "identity", **partial.headers()}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as answer:
        if answer.status_code == 416:
            partial.discard()
            raise CutOffError("the file has changed on the server")
        answer.raise_for_status()
        if answer.status_code == 206 and not partial.continues(answer.headers):
            partial.discard()
            raise CutOffError("the file has changed on the server")
        if answer.status_code != 206:
            partial.begin(answer.headers)
        progress.start(partial.size, partial.total)
        with open(partial.path, "ab") as file:
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                progress.add(len(piece))
    if partial.total is not None and partial.size < partial.total:
        raise CutOffError(f"cut off after {partial.size:,} of {partial.total:,} bytes")


def _may_pass(error: Exception, begun: bool) -> bool:
    """Whether a failure may pass by itself: a server that is busy or breaks off, not one away."""
    import requests
    from requests import exceptions
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.HTTPError):
        return error.response.status_code in BUSY
    if isinstance(error, exceptions.SSLError | exceptions.ProxyError):
        return False
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError):
        return begun  # it was there a moment ago
    broken = (requests.ConnectionError, requests.Timeout, exceptions.ChunkedEncodingError)
    return isinstance(error, (*broken, CutOffError))


def _asked_wait(error: Exception) -> float:
    """Seconds that a busy server asks to wait."""
    answer = getattr(error, "response", None)
    asked = "" if answer is None else answer.headers.get("Retry-After", "")
    return min(int(asked), LONGEST_WAIT) if asked.isdecimal() else 0


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words."""
    import requests

    answer = getattr(error, "response", None)
    if answer is not None:
        return f"{answer.status_code} {answer.reason}".strip()
    if isinstance(error, CutOffError):
        return str(error)
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return type(error).__name__
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return type(error).__name__
