"""Versions of what made a result."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from deepself import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of deepself, Python and the named packages that are there, without imports."""
    found = {"deepself": __version__, "python": platform.python_version()}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
