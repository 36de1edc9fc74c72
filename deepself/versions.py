"""Versions of what made a result."""

import platform
from importlib.metadata import version

from deepself import __version__


def versions(*packages: str) -> dict[str, str]:
    """Versions of deepself, Python and the named packages, without importing them."""
    found = {"deepself": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in packages}
