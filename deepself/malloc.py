"""How the C library keeps memory, while features are made and networks are trained."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST = 2**25
"""Bytes: the most that glibc takes for its second threshold."""


def keep_freed_memory() -> None:
    """Let arrays of up to 32 MB reuse the memory of those before them.

    glibc gives large blocks back to the kernel as soon as they are freed, and each recording's
    arrays, or each batch's maps, are then faulted in page by page again: a seventh of the time of
    extracting log-mel features, a tenth of that of training a MobileNet on a CPU. Does nothing
    where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, 4 * LARGEST)
