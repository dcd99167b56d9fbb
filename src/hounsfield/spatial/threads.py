"""On how many threads voxels are resampled, and the first compile that shows itself."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any

_wanted: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Resample on `count` threads within this block; the voxels are the same for any number."""
    token = _wanted.set(max(1, count))
    try:
        yield
    finally:
        _wanted.reset(token)


def thread_count() -> int:
    """As many as there are cores; one in worker processes and threads, whose siblings work too."""
    wanted = _wanted.get()
    if wanted is not None:
        return wanted
    worker = multiprocessing.parent_process() is not None
    if worker or threading.current_thread() is not threading.main_thread():
        return 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` for all of range(count), in parts, on `thread_count()` threads."""
    workers = min(thread_count(), count)
    if workers < 2:
        work(0, count)
        return
    size = max(1, count // (4 * workers))  # parts small enough that none is waited for long
    firsts = range(0, count, size)
    with ThreadPoolExecutor(workers, "resample") as pool:
        list(pool.map(lambda first: work(first, min(first + size, count)), firsts))


def compiled() -> ModuleType | None:
    """The compiled loops, or None where numba cannot be imported: then SciPy does the work."""
    try:
        from hounsfield.spatial import kernels
    except ImportError:
        return None
    _announce_compiling()
    return kernels


@cache
def _announce_compiling() -> None:
    """Say once, on a terminal, why the first resampling on a machine takes some seconds."""
    from numba.core import event

    class Compiling(event.Listener):  # type: ignore[misc]  # numba ships no types
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told and "hounsfield" in str(event.data.get("dispatcher", "")):
                self.told = True
                if sys.stderr.isatty():
                    sys.stderr.write("compiling for this machine (once, some seconds) ...\n")

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Compiling())
