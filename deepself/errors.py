"""The errors a user is meant to read."""

import errno


class UserError(Exception):
    """Something the user can mend.

    The message is one line (or one line a problem) that names the file, row or key and says
    what to do. The command line prints it without a traceback and exits with status 1.
    """


REMEDIES = {
    errno.ENOSPC: "make room and start again",
    errno.EDQUOT: "make room and start again",
    errno.EROFS: "make it writable, or work in another folder",
    errno.EACCES: "make it readable and writable for you",
}
"""What to do about what the operating system refuses."""


def refused(error: OSError) -> str:
    """What the operating system refuses, in a line: the file, why, and what to do."""
    place = f"{error.filename}: " if error.filename else ""
    remedy = f"; {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
    return f"{place}{error.strerror or error}{remedy}"
