"""Files from a time when the clock was ahead.

The workflow makes again what is older than what it is made of. Of files whose time of change lies
in the future, everything that is made from them would be older, until that time has come.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

SLACK = 60.0
"""Seconds by which the clocks of a cluster's machines may differ."""


def is_ahead(path: Path) -> bool:
    """Whether a file is there, and was changed in the future."""
    try:
        return path.stat().st_mtime > time.time() + SLACK
    except OSError:
        return False


def set_all_right(*places: Path) -> str:
    """Set files, and all of folders, right; say in a line what was changed, or nothing."""
    files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
    files = set_right(files)
    if not files:
        return ""
    many = "1 file" if len(files) == 1 else f"{len(files)} files"
    return f"the clock was ahead: the times of {many}, such as {max(files)}, are set to now"


def set_right(paths: Iterable[Path]) -> list[Path]:
    """Set the times of files that were changed in the future to now, and keep their order.

    Parameters
    ----------
    paths
        Files; those that are missing, or may not be changed, are left out.

    Returns
    -------
    list of Path
        Those whose time was changed.
    """
    ahead = defaultdict(list)
    for path in paths:
        if is_ahead(path):
            with suppress(OSError):
                ahead[path.stat().st_mtime_ns].append(path)
    changed = []
    now = time.time_ns()
    for before, (_, files) in enumerate(sorted(ahead.items(), reverse=True)):
        for path in files:
            # Microseconds apart: what is finer, some file systems do not keep.
            with suppress(OSError):
                os.utime(path, ns=(now, now - 1000 * before))
                changed.append(path)
    return changed
