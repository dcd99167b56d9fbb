"""Polygons on a grid of pixels: which centres lie inside.

Even-odd rule along each row (Foley et al., Computer Graphics, 3.6): a centre is inside where an odd
number of edges lies at or before it. Of an edge its upper end belongs to it and its lower end does
not, so that polygons that share an edge share no pixel and a channel of no width (a keyhole) leaves
no trace. Points are rounded to 1e-4 of a pixel, so that lines through centres come out straight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DIGITS = 4
_AT_ONCE = 1 << 22  # crossings of edges and rows


class Patch(NamedTuple):
    """A mask (rows, columns) of 0 and 1, and where its corner lies in the picture."""

    mask: NDArray[np.uint8]
    row: int
    column: int


def filled(points: NDArray[np.float64], shape: tuple[int, int]) -> Patch | None:
    """The pixels inside of a closed polygon; None where it holds none.

    `points` (N, 2) are (column, row) in pixels, 0 at the first pixel's centre; `shape` is (rows,
    columns).
    """
    points = np.round(points, _DIGITS)
    first = np.clip(np.ceil(points.min(0)), 0, shape[::-1]).astype(np.int64)
    last = np.clip(np.floor(points.max(0)) + 1, 0, shape[::-1]).astype(np.int64)
    if (first >= last).any():
        return None
    columns, rows = last - first
    turns = np.zeros((rows, columns + 1), np.uint8)  # 1 where inside and outside change places
    start, end = points, np.roll(points, -1, 0)
    up = np.where((start[:, 1] <= end[:, 1])[:, None], start, end)
    down = np.where((start[:, 1] <= end[:, 1])[:, None], end, start)
    tops = np.clip(np.ceil(up[:, 1]), first[1], last[1]).astype(np.int64)
    counts = np.clip(np.ceil(down[:, 1]), first[1], last[1]).astype(np.int64) - tops
    parts = np.cumsum(counts) // _AT_ONCE
    for part in np.unique(parts[counts > 0]):
        some = np.flatnonzero((parts == part) & (counts > 0))
        edges = np.repeat(some, counts[some])
        ends = np.cumsum(counts[some])
        row = np.arange(ends[-1]) - np.repeat(ends - counts[some], counts[some]) + tops[edges]
        along = (row - up[edges, 1]) / (down[edges, 1] - up[edges, 1])
        at = np.ceil(np.round(up[edges, 0] + along * (down[edges, 0] - up[edges, 0]), 9))
        column = np.clip(at, first[0], last[0]).astype(np.int64) - first[0]
        np.bitwise_xor.at(turns, (row - first[1], column), 1)
    mask = np.bitwise_xor.accumulate(turns, 1)[:, :-1]
    return Patch(mask, int(first[1]), int(first[0]))
