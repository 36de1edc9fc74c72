"""Versions of what made a result."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from deepself import __version__

NETWORK_PACKAGES = ("torchvision", "timm", "braindecode")
"""What defines networks of others: another version may draw other first weights."""


def versions(*packages: str) -> dict[str, str]:
    """Versions of deepself, Python and the named packages that are there, without imports."""
    found = {"deepself": __version__, "python": platform.python_version()}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
