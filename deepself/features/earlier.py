"""Items of earlier feature files that were made in the same way: none is made anew."""

from contextlib import AbstractContextManager
from pathlib import Path

from deepself.errors import UserError
from deepself.store.feature_writer import Batch, Header
from deepself.store.features import FeatureFile


class Earlier(AbstractContextManager):
    """The feature files beside one that is to be made, which differ from it in recordings only.

    Parameters
    ----------
    path
        The file of the whole feature that is to be made.
    header
        What it will say of itself: files made by other versions of the packages, or brought to
        another length, are left alone.
    """

    def __init__(self, path: Path, header: Header):
        made = path.name.rsplit("-", 1)[0]
        self._files = []
        self._where: dict[str, tuple[FeatureFile, str]] = {}
        for other in sorted(path.parent.glob(f"{made}-*.h5")):
            try:
                file = FeatureFile(other)
            except UserError:  # not whole, or being removed: then its recordings are made anew
                continue
            self._files.append(file)
            samples = header.specification["samples"]
            if file.versions == header.versions and file.specification["samples"] == samples:
                for name, checksum in zip(file.ids, file.checksums, strict=True):
                    self._where[checksum] = (file, name)

    def find(self, checksum: str) -> Batch | None:
        """Items of the recording with this checksum; None if no earlier file has it."""
        if checksum not in self._where:
            return None
        file, name = self._where[checksum]
        rows = file.rows([name])
        starts, lengths = (
            None if values is None else values[rows] for values in (file.starts, file.lengths)
        )
        return Batch(file.read_rows(rows), [len(rows)], starts, lengths)

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
