"""What HDF5 does when a disk is full, made bearable."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def named(error: Exception, path: str) -> OSError:
    """Say an error of HDF5, or of a small file beside, as the operating system says it.

    Parameters
    ----------
    error
        From h5py, which tells the number of the system's error only in its text.
    path
        The file, in the words that the user is to read.
    """
    found = re.search(r"errno = (\d+)", str(error))
    number = getattr(error, "errno", None) or (int(found[1]) if found else None)
    if number is None:
        return OSError(0, " ".join(str(error).split()), path)
    return OSError(number, os.strerror(number), path)


@contextmanager
def room(file: Any, needed: int) -> Iterator[None]:
    """Take so many bytes of the disk before a file is written to, and give back what is left.

    HDF5 writes its own notes before the items that they speak of. Where the disk had no room for
    these, the whole file could not be read any more; here it has not been touched then.

    Raises
    ------
    OSError
        There is not so much room.
    """
    place, size = file.id.get_vfd_handle(), file.id.get_filesize()
    if hasattr(os, "posix_fallocate"):  # not on macOS
        try:
            os.posix_fallocate(place, size, needed)
        except OSError:
            os.ftruncate(place, size)
            raise
    yield
    file.flush()
    os.ftruncate(place, file.id.get_filesize())


def let_go(file: Any) -> None:
    """Close a file as it lies on the disk: what HDF5 still holds of it goes nowhere.

    Where a disk is full, HDF5 could not close it: it would keep it open, try once more when
    Python ends, and crash.
    """
    memory = getattr(os, "memfd_create", None)
    if memory is not None:
        nowhere = memory("deepself")
    else:
        nowhere, name = tempfile.mkstemp()
        os.unlink(name)
    os.dup2(nowhere, file.id.get_vfd_handle())
    os.close(nowhere)
    file.close()
