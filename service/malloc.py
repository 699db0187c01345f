"""What the C library does with large blocks that a request has freed."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE = 32 << 20  # the most that glibc takes: blocks up to here come from the heap
KEPT = 128 << 20  # free bytes at the heap's end that are not given back


def keep_large_blocks() -> None:
    """Have the blocks of one large body serve the next: the system would clear every page of them anew.

    Elsewhere than on glibc nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, KEPT)
