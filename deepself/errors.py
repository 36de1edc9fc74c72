"""The errors a user is meant to read."""


class UserError(Exception):
    """Something the user can mend.

    The message is one line (or one line a problem) that names the file, row or key and says
    what to do. The command line prints it without a traceback and exits with status 1.
    """
