"""Where image buffers come from: asking the system for each anew costs as much as reading it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
BUFFER, KEPT = 32 << 20, 256 << 20  # bytes


@cache
def keep_buffers() -> None:
    """Let freed buffers of up to 32 MB serve the next image; up to 256 MB of them are kept.

    By default glibc maps each of them anew and the kernel clears its pages; other systems keep
    them by themselves.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, BUFFER)
    mallopt(M_TRIM_THRESHOLD, KEPT)
