"""Public files: downloaded whole or not at all, verified by checksum, kept for the user."""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from deepself.errors import UserError

ENDS = (".zip", ".gz", ".tgz", ".xz", ".bz2", ".tar", ".csv", ".pt", ".pth")
"""How an address ends that names a file; any other names the folder that holds it."""


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
        `sha256:…` or `md5:…` as published, or None where nobody publishes one.
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


def cache_folder(kind: str = "weights") -> Path:
    """Where downloads of a kind (weights, data) are kept for this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deepself" / kind


def download(remote: Remote, folder: Path, remedy: str) -> Path:
    """Bring a file into `folder`, unless it is there already, and verify its checksum.

    It is written beside its name and takes it when whole and verified: a download that is cut off
    leaves nothing.

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
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # it would explain its own interface to the user
    try:
        found = pooch.retrieve(
            remote.url,
            known_hash=remote.checksum,
            fname=remote.file,
            path=folder,
            progressbar=sys.stderr.isatty(),
        )
    except ValueError as error:  # pooch has deleted the file again
        raise UserError(f"{remote.url}: {error}; {remedy}") from None
    except (requests.RequestException, OSError) as error:
        reason = getattr(getattr(error, "response", None), "status_code", type(error).__name__)
        raise UserError(f"{remote.url} cannot be downloaded ({reason}): {remedy}") from None
    return Path(found)
