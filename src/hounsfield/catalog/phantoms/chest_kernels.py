"""The few compiled loops of the chest phantom: tubes, uncovered intervals, enlarging, blurring.

All are single-threaded and do their sums in one fixed order, so that the same numbers come out
whatever the number of worker processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile on first use; the result is kept on disk. The type stays the function's own."""
    return cast(Function, njit(cache=True, nogil=True)(function))


@compiled
def add_tubes(
    out: Floats, points: Floats, starts: NDArray[np.int64], inside: Floats, scratch: Floats
) -> None:
    """Add the projected thickness of bent tubes to `out` (rows, columns).

    `points` (N, 4): column, row, radius in pixels, full depth along the ray in mm; tube k holds
    points starts[k]:starts[k+1]. `inside` (K, 3): relative radius of the hollow across, along the
    ray, and the share of matter that the hollow still holds. `scratch` is (2, rows, columns).
    """
    scratch[0] = 2.0
    for k in range(starts.size - 1):
        first, last = starts[k], starts[k + 1]
        for i in range(first, last - 1):
            _nearest(points[i], points[i + 1], scratch)
        for i in range(first, last - 1):
            _collect(points[i], points[i + 1], inside[k], scratch, out)


@compiled
def _reach(a: Floats, b: Floats, rows: int, columns: int) -> tuple[int, int, int, int]:
    """First and last row and column near the segment a–b; none outside the picture."""
    reach = max(a[2], b[2]) + 1.0
    return (
        int(max(min(a[1], b[1]) - reach, 0.0)),
        int(min(max(a[1], b[1]) + reach, rows - 1.0)),
        int(max(min(a[0], b[0]) - reach, 0.0)),
        int(min(max(a[0], b[0]) + reach, columns - 1.0)),
    )


@compiled
def _collect(a: Floats, b: Floats, hollow: Floats, scratch: Floats, out: Floats) -> None:
    """Turn distances near a–b into thickness, each pixel once, and leave the scratch empty."""
    across2, loss = hollow[0] * hollow[0], (1 - hollow[2]) * hollow[1]
    r_lo, r_hi, c_lo, c_hi = _reach(a, b, out.shape[0], out.shape[1])
    for r in range(r_lo, r_hi + 1):
        for c in range(c_lo, c_hi + 1):
            q = scratch[0, r, c]
            if q < 1.0:
                value = np.sqrt(1 - q)
                if q < across2:
                    value -= loss * np.sqrt(1 - q / across2)
                out[r, c] += scratch[1, r, c] * value
                scratch[0, r, c] = 2.0


@compiled
def _nearest(a: Floats, b: Floats, scratch: Floats) -> None:
    """Keep, for each pixel near the segment a–b, the least squared distance in radii."""
    r_lo, r_hi, c_lo, c_hi = _reach(a, b, scratch.shape[1], scratch.shape[2])
    dc, dr = b[0] - a[0], b[1] - a[1]
    inverse = np.float32(1) / max(dc * dc + dr * dr, np.float32(1e-6))
    one, zero = np.float32(1), np.float32(0)
    for r in range(r_lo, r_hi + 1):
        down = np.float32(r) - a[1]
        for c in range(c_lo, c_hi + 1):
            right = np.float32(c) - a[0]
            t = min(max((right * dc + down * dr) * inverse, zero), one)
            x, y = right - t * dc, down - t * dr
            radius = a[2] + t * (b[2] - a[2])
            d2, r2 = x * x + y * y, radius * radius
            if d2 < r2 and d2 < r2 * scratch[0, r, c]:
                scratch[0, r, c] = d2 / r2
                scratch[1, r, c] = a[3] + t * (b[3] - a[3])


@compiled
def uncovered(
    low: Floats, high: Floats, plate: Floats, balls: Floats, covers: Floats, out: Floats
) -> None:
    """Length of each ray's interval [low, high] that lies in no ellipsoid and in no other interval.

    `plate` (2, rows, columns): the rays on the detector. `balls` (K, 8): matrix and shift from the
    plate to an ellipsoid's unit disc, its z and half depth. `covers` (M, 2, rows, columns): further
    intervals. An empty interval has high <= low. Lengths in mm.
    """
    rows, columns = low.shape
    count = balls.shape[0] + covers.shape[0]
    starts, ends = np.empty(count, np.float32), np.empty(count, np.float32)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = 0
            if high[r, c] <= low[r, c]:
                continue
            n = 0
            for k in range(balls.shape[0]):
                ball, u, v = balls[k], plate[0, r, c], plate[1, r, c]
                x = ball[0] * u + ball[1] * v + ball[2]
                y = ball[3] * u + ball[4] * v + ball[5]
                q = x * x + y * y
                if q < 1:
                    half = ball[7] * np.sqrt(1 - q)
                    starts[n], ends[n] = ball[6] - half, ball[6] + half
                    n += 1
            for k in range(covers.shape[0]):
                if covers[k, 1, r, c] > covers[k, 0, r, c]:
                    starts[n], ends[n] = covers[k, 0, r, c], covers[k, 1, r, c]
                    n += 1
            out[r, c] = _free(low[r, c], high[r, c], starts[:n], ends[:n])


@compiled
def _free(a: np.float32, b: np.float32, starts: Floats, ends: Floats) -> np.float32:
    """Length of [a, b] that none of the intervals cover."""
    free = np.float32(0.0)
    while a < b:
        stop, jump = b, a  # where the next cover begins; how far the present one reaches
        for k in range(starts.size):
            if starts[k] <= a:
                jump = max(jump, ends[k])
            else:
                stop = min(stop, starts[k])
        if jump > a:
            a = jump
        else:
            free += stop - a
            a = stop
    return free


@compiled
def enlarge(small: Floats, rows: int, columns: int) -> Floats:
    """Bilinear enlargement of a map to (rows, columns), pixel areas aligned."""
    out = np.empty((rows, columns), np.float32)
    h, w = small.shape
    left = np.empty(columns, np.int64)
    part = np.empty(columns, np.float32)
    for c in range(columns):
        x = min(max((c + 0.5) * w / columns - 0.5, 0.0), w - 1.0)
        left[c] = min(int(x), max(w - 2, 0))
        part[c] = x - left[c]
    line = np.empty(w + 1, np.float32)
    for r in range(rows):
        y = min(max((r + 0.5) * h / rows - 0.5, 0.0), h - 1.0)
        top = min(int(y), max(h - 2, 0))
        below = min(top + 1, h - 1)
        f = np.float32(y - top)
        for i in range(w):
            line[i] = small[top, i] + f * (small[below, i] - small[top, i])
        line[w] = line[w - 1]
        for c in range(columns):
            i = left[c]
            out[r, c] = line[i] + part[c] * (line[i + 1] - line[i])
    return out


@compiled
def blur(image: Floats, weights: Floats) -> Floats:
    """Convolve rows and columns with a symmetric kernel given by its half (centre first).

    The edge is continued by its last value.
    """
    rows, columns = image.shape
    reach = weights.size - 1
    middle = np.empty_like(image)
    out = np.empty_like(image)
    for r in range(rows):
        for c in range(columns):
            middle[r, c] = weights[0] * image[r, c]
        for k in range(1, reach + 1):
            up, down = max(r - k, 0), min(r + k, rows - 1)
            for c in range(columns):
                middle[r, c] += weights[k] * (image[up, c] + image[down, c])
    for r in range(rows):
        for c in range(columns):
            if reach <= c < columns - reach:
                total = weights[0] * middle[r, c]
                for k in range(1, reach + 1):
                    total += weights[k] * (middle[r, c - k] + middle[r, c + k])
            else:
                total = weights[0] * middle[r, c]
                for k in range(1, reach + 1):
                    total += weights[k] * (
                        middle[r, max(c - k, 0)] + middle[r, min(c + k, columns - 1)]
                    )
            out[r, c] = total
    return out


def gaussian_half(sigma: float) -> Floats:
    """Half of a normalised Gaussian kernel, centre first; sigma in pixels."""
    reach = max(1, int(np.ceil(3 * sigma)))
    half = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma, 1e-3)) ** 2)
    return np.asarray(half / (half[0] + 2 * half[1:].sum()), np.float32)


@compiled
def shrink(image: Floats, factor: int) -> Floats:
    """Mean over blocks of factor × factor pixels; the size must be a multiple of it."""
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    out = np.zeros((rows, columns), np.float32)
    share = np.float32(1 / (factor * factor))
    for r in range(rows * factor):
        for c in range(columns):
            total = np.float32(0)
            for k in range(factor):
                total += image[r, c * factor + k]
            out[r // factor, c] += share * total
    return out
