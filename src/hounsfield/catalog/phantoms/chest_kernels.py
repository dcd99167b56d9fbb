"""The few compiled loops of the chest phantom: tubes, uncovered intervals, enlarging, blurring.

All are single-threaded and do their sums in one fixed order, so that the same numbers come out
whatever the number of worker processes.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@njit(cache=True, nogil=True)
def add_tubes(
    out: Floats, points: Floats, starts: NDArray[np.int64], inside: Floats, scratch: Floats
) -> None:
    """Add the projected thickness of bent tubes to `out` (rows, columns).

    `points` (N, 4): column, row, radius in pixels, full depth along the ray in mm; tube k holds
    points starts[k]:starts[k+1]. `inside` (K, 3): relative radius of the hollow across, along the
    ray, and the share of matter that the hollow still holds. `scratch` is (2, rows, columns).
    """
    rows, columns = out.shape
    for k in range(starts.size - 1):
        first, last = starts[k], starts[k + 1]
        r_lo, r_hi, c_lo, c_hi = rows, -1, columns, -1
        for i in range(first, last):
            reach = points[i, 2] + 1.0
            r_lo = min(r_lo, int(max(points[i, 1] - reach, 0.0)))
            r_hi = max(r_hi, int(min(points[i, 1] + reach, rows - 1.0)))
            c_lo = min(c_lo, int(max(points[i, 0] - reach, 0.0)))
            c_hi = max(c_hi, int(min(points[i, 0] + reach, columns - 1.0)))
        if r_hi < r_lo or c_hi < c_lo:
            continue
        for r in range(r_lo, r_hi + 1):
            for c in range(c_lo, c_hi + 1):
                scratch[0, r, c] = 2.0
        for i in range(first, last - 1):
            _nearest(points[i], points[i + 1], scratch)
        across, along, rest = inside[k, 0], inside[k, 1], inside[k, 2]
        for r in range(r_lo, r_hi + 1):
            for c in range(c_lo, c_hi + 1):
                q = scratch[0, r, c]
                if q < 1.0:
                    value = np.sqrt(1.0 - q)
                    if across > 0.0 and q < across * across:
                        hollow = along * np.sqrt(1.0 - q / (across * across))
                        value -= (1.0 - rest) * hollow
                    out[r, c] += scratch[1, r, c] * value


@njit(cache=True, nogil=True)
def _nearest(a: Floats, b: Floats, scratch: Floats) -> None:
    """Keep, for each pixel near the segment a–b, the least squared distance in radii."""
    rows, columns = scratch.shape[1], scratch.shape[2]
    reach = max(a[2], b[2]) + 1.0
    r_lo = int(max(min(a[1], b[1]) - reach, 0.0))
    r_hi = int(min(max(a[1], b[1]) + reach, rows - 1.0))
    c_lo = int(max(min(a[0], b[0]) - reach, 0.0))
    c_hi = int(min(max(a[0], b[0]) + reach, columns - 1.0))
    dc, dr = b[0] - a[0], b[1] - a[1]
    length2 = max(dc * dc + dr * dr, np.float32(1e-6))
    for r in range(r_lo, r_hi + 1):
        for c in range(c_lo, c_hi + 1):
            t = ((c - a[0]) * dc + (r - a[1]) * dr) / length2
            t = min(max(t, 0.0), 1.0)
            x, y = c - a[0] - t * dc, r - a[1] - t * dr
            radius = a[2] + t * (b[2] - a[2])
            q = (x * x + y * y) / (radius * radius)
            if q < scratch[0, r, c]:
                scratch[0, r, c] = q
                scratch[1, r, c] = a[3] + t * (b[3] - a[3])


@njit(cache=True, nogil=True)
def uncovered(low: Floats, high: Floats, lows: Floats, highs: Floats, out: Floats) -> None:
    """Length of each interval [low, high] that none of the K intervals (K, rows, columns) cover.

    An empty interval has high <= low. Lengths in the unit of the input.
    """
    count, rows, columns = lows.shape
    for r in range(rows):
        for c in range(columns):
            a, b = low[r, c], high[r, c]
            free = np.float32(0.0)
            while a < b:
                stop, jump = (
                    b,
                    a,
                )  # the next start of cover beyond a; the furthest end that covers a
                for k in range(count):
                    s, e = lows[k, r, c], highs[k, r, c]
                    if e <= s:
                        continue
                    if s <= a and e > jump:
                        jump = e
                    elif s > a and s < stop:
                        stop = s
                if jump > a:
                    a = jump
                else:
                    free += stop - a
                    a = stop
            out[r, c] = free


@njit(cache=True, nogil=True)
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
    for r in range(rows):
        y = min(max((r + 0.5) * h / rows - 0.5, 0.0), h - 1.0)
        top = min(int(y), max(h - 2, 0))
        below = min(top + 1, h - 1)
        f = np.float32(y - top)
        for c in range(columns):
            i, g = left[c], part[c]
            j = min(i + 1, w - 1)
            upper = small[top, i] + g * (small[top, j] - small[top, i])
            lower = small[below, i] + g * (small[below, j] - small[below, i])
            out[r, c] = upper + f * (lower - upper)
    return out


@njit(cache=True, nogil=True)
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
    return (half / (half[0] + 2 * half[1:].sum())).astype(np.float32)


def shrink(image: Floats, factor: int) -> Floats:
    """Mean over blocks of factor × factor pixels; the size must be a multiple of it."""
    rows, columns = image.shape
    blocks = image.reshape(rows // factor, factor, columns // factor, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)
