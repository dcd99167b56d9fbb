"""How fast a network computes here, measured once, when it is exported."""

from __future__ import annotations

import time

import numpy as np

from hounsfield.bundle.runtimes import Array, Session

BATCH = 16  # cases, as they are predicted
SECONDS, LEAST = 1.0, 3  # of measuring, and repeats


def images_per_second(session: Session, images: Array, table: Array | None) -> float:
    """Of the median batch, after one to warm up."""
    session(images, table)
    seconds: list[float] = []
    while len(seconds) < LEAST or sum(seconds) < SECONDS:
        began = time.perf_counter()
        session(images, table)
        seconds.append(time.perf_counter() - began)
    return len(images) / float(np.median(seconds))


def repeated(array: Array, count: int) -> Array:
    """`count` cases, from fewer."""
    return np.ascontiguousarray(array[np.arange(count) % len(array)])
