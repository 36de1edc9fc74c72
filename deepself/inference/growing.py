"""Files that grow row by row, and take their name when they are whole."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from deepself.errors import UserError


def check_output(path: Path, formats: Iterable[str]) -> None:
    """Refuse what is no name of a table.

    Raises
    ------
    UserError
        It has a suffix that is none of the formats', or is a folder.
    """
    if path.suffix.lower() not in formats:
        raise UserError(f"--output {path}: name it {', '.join(f'*{one}' for one in formats)}")
    if path.is_dir():
        raise UserError(f"--output {path}: is a folder; name a file")


class Growing:
    """The file that a table is written to until it is whole: `….part` beside it.

    Parameters
    ----------
    path
        The file to be.

    Attributes
    ----------
    part
        Where to write.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self.part = path, path.with_name(f"{path.name}.part")

    def end(self, interrupted: bool, done: str, rows: int) -> None:
        """Give the file its name; what was interrupted keeps that of a part, and is said.

        A table without rows takes the place of none that is there, and is not kept.
        """
        if rows == 0:
            self.part.unlink()
        elif interrupted:
            print(f"what was {done} so far is in {self.part}", file=sys.stderr)
        else:
            os.replace(self.part, self._path)
