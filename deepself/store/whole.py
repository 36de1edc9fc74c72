"""Second names of a finished job's files, for the job that may be started in its place.

A workflow that is killed does not learn which of its jobs end well. Started again, it deletes
their outputs and starts them once more; what they made is then still here. The names are hard
links and take no space, as long as the files stand under their own names, too.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

WHOLE = ".whole"
"""Folder of the second names, which the workflow does not know of."""

OF = ".of"
"""Beside them: digest of all that the files depend on."""


def keep_whole(folder: Path, names: Iterable[str], identity: str) -> None:
    """Give files of a folder second names; where the file system has no hard links, do nothing.

    Parameters
    ----------
    folder
        A job's.
    names
        Paths of its files in that folder, the one that says that all are there last.
    identity
        Digest of all that they depend on.
    """
    forget_whole(folder)
    try:
        for name in names:
            (folder / WHOLE / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / name, folder / WHOLE / name)
        (folder / WHOLE / OF).write_text(identity)
    except OSError:  # it only spares work
        forget_whole(folder)


def take_whole(folder: Path, last: str, identity: str) -> bool:
    """Give files their own names back, if these are gone and the files are of the same identity.

    Parameters
    ----------
    folder
        The job's.
    last
        The file that says that all are there.
    identity
        Digest of all that the job's files will depend on.

    Returns
    -------
    bool
        Whether all are there again.
    """
    kept = folder / WHOLE
    with suppress(OSError):
        if (kept / OF).read_text() == identity and not (folder / last).exists():
            paths = sorted(p.relative_to(kept) for p in kept.rglob("*") if p.is_file())
            for path in sorted(paths, key=lambda path: path == Path(last)):
                if path != Path(OF):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).unlink(missing_ok=True)
                    os.link(kept / path, folder / path)
                    os.utime(folder / path)  # what it was made of may have been made again
            return True
    forget_whole(folder)
    return False


def forget_whole(folder: Path) -> None:
    """Remove the second names: the workflow knows of the files, or they are of another time."""
    shutil.rmtree(folder / WHOLE, ignore_errors=True)
