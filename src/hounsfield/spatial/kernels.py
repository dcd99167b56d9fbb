"""The compiled loops of resampling: single-threaded, without Python's lock.

`threads.py` runs them on several threads, each on slices of its own, so the result does not
depend on their number. This module is imported when voxels are resampled first: numba is heavy.
"""

from __future__ import annotations

import numpy as np
from numba import njit

COLUMNS = 128  # filtered together, so that a line's neighbours are still in cache


@njit(nogil=True, cache=True, fastmath={"contract"})
def linear_slice(volume, z, rows, columns, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X) between slices z[0] and z[1] of `volume` (Z, Y, X), z[2] of the second.

    `rows` and `columns` are index 0, index 1 and the weight of index 1 of each new one.
    """
    real = out.dtype.type
    z0, z1, wz = z
    y0, y1, wy = rows
    x0, x1, wx = columns
    first, last = x0.min(), x1.max() + 1
    line, other = np.empty(volume.shape[2], out.dtype), np.empty(volume.shape[2], out.dtype)
    for y in range(out.shape[0]):
        _between(volume[z0, y0[y]], volume[z0, y1[y]], wy[y], (first, last), line)
        if wz > 0:
            _between(volume[z1, y0[y]], volume[z1, y1[y]], wy[y], (first, last), other)
            for x in range(first, last):
                line[x] += wz * (other[x] - line[x])
        for x in range(out.shape[1]):
            low = line[x0[x]]
            step = wx[x] * (line[x1[x]] - low)
            out[y, x] = low + step if wx[x] > 0 else low + real(0)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _between(a, b, weight, columns, line):  # type: ignore[no-untyped-def]
    real = line.dtype.type
    first, last = columns
    if weight > 0:
        for x in range(first, last):
            low = real(a[x])
            line[x] = low + weight * (real(b[x]) - low)
    else:
        for x in range(first, last):
            line[x] = a[x]


@njit(nogil=True, cache=True, fastmath={"contract"})
def spline_filter(lines, numbers, first, last):  # type: ignore[no-untyped-def]
    """Values to cubic B-spline coefficients along axis 0 of `lines` (n, w), columns first to last.

    `numbers` are pole, gain and the weights of the first coefficient (Unser 1999, box 2).
    """
    pole, gain = numbers[0], numbers[1]
    count = lines.shape[0]
    if count == 1:
        return
    back = pole / (pole * pole - 1)
    start = np.empty(COLUMNS, lines.dtype)
    for c in range(first, last, COLUMNS):
        width = min(COLUMNS, last - c)
        start[:width] = 0
        for k in range(numbers.size - 2):
            weight, line = numbers[k + 2] * gain, lines[k, c : c + width]
            for x in range(width):
                start[x] += weight * line[x]
        lines[0, c : c + width] = start[:width]
        for k in range(1, count):
            before, line = lines[k - 1, c : c + width], lines[k, c : c + width]
            for x in range(width):
                line[x] = gain * line[x] + pole * before[x]
        before, line = lines[count - 2, c : c + width], lines[count - 1, c : c + width]
        for x in range(width):
            line[x] = back * (line[x] + pole * before[x])
        for k in range(count - 2, -1, -1):
            after, line = lines[k + 1, c : c + width], lines[k, c : c + width]
            for x in range(width):
                line[x] = pole * (after[x] - line[x])


@njit(nogil=True, cache=True, fastmath={"contract"})
def combine(lines, index, weight, out):  # type: ignore[no-untyped-def]
    """`out` (new, w): the lines `index` (new, 1 or 4) of `lines` (n, w), weighted and added."""
    for k in range(out.shape[0]):
        target = out[k]
        if index.shape[1] == 1:
            target[:] = lines[index[k, 0]]
            continue
        a, b = lines[index[k, 0]], lines[index[k, 1]]
        c, d = lines[index[k, 2]], lines[index[k, 3]]
        wa, wb, wc, wd = weight[k, 0], weight[k, 1], weight[k, 2], weight[k, 3]
        for x in range(target.size):
            target[x] = wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x]


@njit(nogil=True, cache=True)
def transpose(lines, out):  # type: ignore[no-untyped-def]
    """`out` (w, n) = `lines` (n, w) transposed, in squares that stay in cache."""
    rows, columns = lines.shape
    for r in range(0, rows, 16):
        for c in range(0, columns, 16):
            for column in range(c, min(c + 16, columns)):
                for row in range(r, min(r + 16, rows)):
                    out[column, row] = lines[row, column]


@njit(nogil=True, cache=True)
def _row(matrix, points, y, at):  # type: ignore[no-untyped-def]
    """Fill `at` (3, X) with the old places (z, y, x) of row y: given, or by the affine (3, 3)."""
    for axis in range(3):
        if points.size:
            at[axis] = points[axis, y]
        else:
            start = matrix[axis, 1] * y + matrix[axis, 2]
            for x in range(at.shape[1]):
                at[axis, x] = matrix[axis, 0] * x + start


@njit(nogil=True, cache=True)
def _inside(z, y, x, bounds):  # type: ignore[no-untyped-def]
    """Whether a place is in a voxel; NaN is nowhere."""
    return (
        z >= bounds[0, 0]
        and z <= bounds[0, 1]
        and y >= bounds[1, 0]
        and y <= bounds[1, 1]
        and x >= bounds[2, 0]
        and x <= bounds[2, 1]
    )


@njit(nogil=True, cache=True)
def nearest_rows(volume, where, bounds, fill, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X) with the nearest voxels of `volume` (Z, Y, X); half goes up."""
    matrix, points, half = where
    at = np.empty((3, out.shape[1]), np.float64)
    depth, height, width = volume.shape
    for y in range(out.shape[0]):
        _row(matrix, points, y, at)
        for x in range(out.shape[1]):
            if _inside(at[0, x], at[1, x], at[2, x], bounds):
                i = max(min(int(np.floor(at[0, x] + half)), depth - 1), 0)
                j = max(min(int(np.floor(at[1, x] + half)), height - 1), 0)
                k = max(min(int(np.floor(at[2, x] + half)), width - 1), 0)
                out[y, x] = volume[i, j, k]
            else:
                out[y, x] = fill


@njit(nogil=True, cache=True, fastmath={"contract"})
def linear_rows(volume, where, bounds, fill, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X), each voxel between the eight of `volume` (Z, Y, X) around its place."""
    real = out.dtype.type
    matrix, points = where
    at = np.empty((3, out.shape[1]), np.float64)
    depth, height, width = volume.shape
    flat = volume.reshape(-1)
    for y in range(out.shape[0]):
        _row(matrix, points, y, at)
        for x in range(out.shape[1]):
            pz, py, px = at[0, x], at[1, x], at[2, x]
            if not _inside(pz, py, px, bounds):
                out[y, x] = fill
                continue
            pz = min(max(pz, 0.0), depth - 1.0)
            py = min(max(py, 0.0), height - 1.0)
            px = min(max(px, 0.0), width - 1.0)
            i, j, k = int(pz), int(py), int(px)
            u, v, w = real(pz - i), real(py - j), real(px - k)
            # A weight of 0 takes the same voxel again: no NaN is taken in, no edge is passed
            dz = height * width if u > 0 else 0
            dy = width if v > 0 else 0
            dx = 1 if w > 0 else 0
            a = np.uint64((i * height + j) * width + k)
            b, c, d = a + np.uint64(dy), a + np.uint64(dz), a + np.uint64(dz + dy)
            right = np.uint64(dx)
            p, q, r, s = real(flat[a]), real(flat[b]), real(flat[c]), real(flat[d])
            if w > 0:
                p += w * (real(flat[a + right]) - p)
                q += w * (real(flat[b + right]) - q)
                r += w * (real(flat[c + right]) - r)
                s += w * (real(flat[d + right]) - s)
            p = p + v * (q - p) if v > 0 else p
            r = r + v * (s - r) if v > 0 else r
            out[y, x] = p + u * (r - p) if u > 0 else p


@njit(nogil=True, cache=True)
def _fold(index, size):  # type: ignore[no-untyped-def]
    """An index of a volume mirrored at its first and last centres, at most two beyond them."""
    if size == 1:
        return 0
    index = abs(index)
    if index > size - 1:
        index = 2 * (size - 1) - index
    return abs(index)


@njit(nogil=True, cache=True, fastmath={"contract"})
def cubic_rows(coefficients, where, bounds, fill, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X) from B-spline `coefficients` (Z, Y, X), 64 around each place."""
    real = out.dtype.type
    matrix, points = where
    at = np.empty((3, out.shape[1]), np.float64)
    depth, height, width = coefficients.shape
    weight = np.empty((3, 4), out.dtype)
    offset = np.empty((3, 4), np.int64)
    flat = coefficients.reshape(-1)
    sizes, strides = (depth, height, width), (height * width, width, 1)
    for y in range(out.shape[0]):
        _row(matrix, points, y, at)
        for x in range(out.shape[1]):
            if not _inside(at[0, x], at[1, x], at[2, x], bounds):
                out[y, x] = fill
                continue
            for axis in range(3):
                below = int(np.floor(at[axis, x]))
                t = real(at[axis, x] - below)
                s = real(1) - t
                weight[axis, 0] = s * s * s / real(6)
                weight[axis, 1] = real(2 / 3) - t * t * (real(2) - t) / real(2)
                weight[axis, 2] = real(2 / 3) - s * s * (real(2) - s) / real(2)
                weight[axis, 3] = t * t * t / real(6)
                inner = below >= 1 and below < sizes[axis] - 2
                for k in range(4):
                    index = below - 1 + k if inner else _fold(below - 1 + k, sizes[axis])
                    offset[axis, k] = index * strides[axis]
            total = real(0)
            for i in range(4):
                plane = real(0)
                for j in range(4):
                    base = offset[0, i] + offset[1, j]
                    line = real(0)
                    for k in range(4):
                        line += weight[2, k] * flat[np.uint64(base + offset[2, k])]
                    plane += weight[1, j] * line
                total += weight[0, i] * plane
            out[y, x] = total
