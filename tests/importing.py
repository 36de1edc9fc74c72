"""What a piece of code imports, seen from a process of its own."""

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path


def imported(code: str, modules: Collection[str], folder: Path | None = None) -> set[str]:
    """Those of some modules that a fresh process has imported after running code in a folder."""
    told = f"{code}\nimport sys\nprint('\\n' + ' '.join(set({list(modules)!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.splitlines()[-1].split())
