"""Archives: looked through before anything is taken out, and taken out file by file."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from deepself.errors import UserError
from deepself.store.files import atomic_path

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a way of packing that Python's module does not know
)


class Archive:
    """An open archive: its files by name, none of which lies outside of it."""

    def __init__(self, path: Path, packed: "zipfile.ZipFile | tarfile.TarFile"):
        self.path = path
        self._packed = packed
        self._files: dict[str, zipfile.ZipInfo | tarfile.TarInfo] = {}
        members = packed.infolist() if isinstance(packed, zipfile.ZipFile) else packed.getmembers()
        for member in members:
            self._add(member)

    @property
    def names(self) -> list[str]:
        """Names of all files, in the archive's order."""
        return list(self._files)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A file's content as a stream."""
        with whole(self.path):
            member = self._files[name]
            if isinstance(self._packed, zipfile.ZipFile):
                assert isinstance(member, zipfile.ZipInfo)
                stream: IO[bytes] | None = self._packed.open(member)
            else:
                assert isinstance(member, tarfile.TarInfo)
                stream = self._packed.extractfile(member)
            assert stream is not None
            with stream:
                yield stream

    def extract(self, name: str, target: Path, force: bool = False) -> None:
        """Write one file to `target`, whole or not at all; see `place`."""
        with self.open(name) as stream:
            content = stream.read()
        place(content, target, force)

    def _add(self, member: "zipfile.ZipInfo | tarfile.TarInfo") -> None:
        if isinstance(member, zipfile.ZipInfo):
            # zipfile cleans names up; the one that stands in the archive is checked.
            name, folder = member.orig_filename, member.is_dir()
            locked = bool(member.flag_bits & 1)
        else:
            name, folder, locked = member.name, member.isdir(), False
        _refuse_outside(self.path, name)
        if folder:
            return
        if locked:
            raise UserError(f"{self.path}: {name} is encrypted; unpack it by hand")
        if isinstance(member, tarfile.TarInfo) and not member.isfile():
            raise UserError(f"{self.path}: {name} is no plain file; nothing was unpacked")
        key = str(PurePosixPath(name))
        if key in self._files:
            raise UserError(f"{self.path}: holds {key} twice; nothing was unpacked")
        self._files[key] = member


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip or tar archive, and look through its names.

    Raises
    ------
    UserError
        It is missing, damaged or cut off, holds a name twice, or one outside of itself.
    """
    with whole(path):
        with open(path, "rb") as file:
            begin = file.read(2)
        if begin == b"PK":  # a zip archive whose end is missing begins so too
            with zipfile.ZipFile(path) as packed:
                yield Archive(path, packed)
        else:
            with tarfile.open(path) as tar:
                yield Archive(path, tar)


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Say in one line that an archive is damaged, if reading it fails."""
    try:
        yield
    except DAMAGED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise UserError(
            f"{path}: is no whole archive ({reason}); fetch or download it again"
        ) from None
    except OSError as error:
        if error.errno is None:  # gzip's own: a wrong checksum
            raise UserError(
                f"{path}: is no whole archive ({error}); fetch or download it again"
            ) from None
        name = error.filename or path
        raise UserError(f"{name}: cannot be read or written: {error.strerror}") from None


def place(content: bytes, target: Path, force: bool) -> None:
    """Write a file that an import brings, whole or not at all.

    One that is there with the same content stays, so that an interrupted import can be repeated;
    with another, it is replaced only by `force`.
    """
    if target.is_file():
        if target.stat().st_size == len(content) and target.read_bytes() == content:
            return
        if not force:
            raise UserError(
                f"{target}: is there already, with another content; --force replaces it"
            )
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def _refuse_outside(path: Path, name: str) -> None:
    """Refuse a name that could be written anywhere but below the target folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise UserError(f"{path}: {name!r} would lie outside of the folder; nothing was unpacked")
