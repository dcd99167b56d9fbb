"""SimpleITK as we need it: the same result however many cores there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()  # the number is the whole process's: two callers must not swap theirs


@contextmanager
def one_thread() -> Iterator[None]:
    """ITK adds the threads' sums up, so another number of them would give other last digits.

    Only the default of the whole library reaches the filters within others.
    """
    from SimpleITK import ProcessObject

    with _lock:
        before = ProcessObject.GetGlobalDefaultNumberOfThreads()
        ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            ProcessObject.SetGlobalDefaultNumberOfThreads(before)
