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

    `rows` and `columns` are index 0, index 1 (unsigned: else each access asks whether it counts
    from the end) and the weight of index 1 of each new one; columns count from `columns[3]`.
    """
    z0, z1, wz = z
    y0, y1, wy = rows
    x0, x1, wx, first, last = columns
    line, other = np.empty(last - first, out.dtype), np.empty(last - first, out.dtype)
    for y in range(out.shape[0]):
        a, b = volume[z0, y0[y], first:last], volume[z0, y1[y], first:last]
        _between(a, b, wy[y], line)
        if wz > 0:
            a, b = volume[z1, y0[y], first:last], volume[z1, y1[y], first:last]
            _between(a, b, wy[y], other)
            for x in range(line.size):
                line[x] += wz * (other[x] - line[x])
        for x in range(out.shape[1]):
            low = line[x0[x]]
            between = low + wx[x] * (line[x1[x]] - low)
            out[y, x] = between if wx[x] > 0 else low


@njit(nogil=True, cache=True, fastmath={"contract"})
def _between(a, b, weight, line):  # type: ignore[no-untyped-def]
    real = line.dtype.type
    if weight > 0:
        for x in range(line.size):
            low = real(a[x])
            line[x] = low + weight * (real(b[x]) - low)
    else:
        for x in range(line.size):
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
    """`out` (w, n) = `lines` (n, w) transposed, in squares that stay in cache.

    Flat and unsigned: three times as fast as by rows and columns, which may be negative.
    """
    rows, columns = lines.shape
    source, target = lines.reshape(-1), out.reshape(-1)
    for r in range(0, rows, 16):
        for c in range(0, columns, 16):
            height, width = np.uint64(min(16, rows - r)), np.uint64(min(16, columns - c))
            start, to = np.uint64(r * columns + c), np.uint64(c * rows + r)
            for i in range(width):
                for j in range(height):
                    target[to + i * np.uint64(rows) + j] = source[
                        start + j * np.uint64(columns) + i
                    ]


OUTSIDE, EDGE, INNER = 0.0, 1.0, 2.0  # floats like the places: compared several at once


@njit(nogil=True, cache=True)
def _buffers(count):  # type: ignore[no-untyped-def]
    """For a row of `count`: places (3, count), their kinds, and 0, 1, ... as floats."""
    ramp = np.empty(count, np.float64)
    for x in range(count):
        ramp[x] = x
    return np.empty((3, count), np.float64), np.empty(count, np.float64), ramp


@njit(nogil=True, cache=True, fastmath={"contract"})
def _row(where, y, bounds, buffers):  # type: ignore[no-untyped-def]
    """Fill the old places (z, y, x) of row y: given, or by the affine (3, 3); and their kinds.

    A kind says whether a place lies in no voxel, needs care, or has voxel centres on all sides.
    NaN is in no voxel.
    """
    matrix, points = where
    at, kind, ramp = buffers
    for axis in range(3):
        line = at[axis]
        if points.size:
            line[:] = points[axis, y]
        else:
            step, start = matrix[axis, 0], matrix[axis, 1] * y + matrix[axis, 2]
            for x in range(line.size):
                line[x] = step * ramp[x] + start
    az, bz, cz, dz = bounds[0]
    ay, by, cy, dy = bounds[1]
    ax, bx, cx, dx = bounds[2]
    pz, py, px = at[0], at[1], at[2]
    for x in range(kind.size):
        i, j, k = pz[x], py[x], px[x]
        within = (i >= az) & (i <= dz) & (j >= ay) & (j <= dy) & (k >= ax) & (k <= dx)
        inner = (i >= bz) & (i < cz) & (j >= by) & (j < cy) & (k >= bx) & (k < cx)
        kind[x] = (1.0 if within else 0.0) + (1.0 if inner else 0.0)


@njit(nogil=True, cache=True)
def nearest_rows(volume, where, bounds, numbers, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X) with the nearest voxels of `volume` (Z, Y, X); half goes up."""
    fill, half = numbers
    depth, height, width = volume.shape
    flat = volume.reshape(-1)
    at, kind, ramp = _buffers(out.shape[1])
    pz, py, px = at[0], at[1], at[2]
    index = np.empty(out.shape[1], np.float64)  # whole; floats are floored several at once
    for y in range(out.shape[0]):
        _row(where, y, bounds, (at, kind, ramp))
        for x in range(index.size):
            i = min(max(np.floor(pz[x] + half), 0.0), depth - 1.0)
            j = min(max(np.floor(py[x] + half), 0.0), height - 1.0)
            k = min(max(np.floor(px[x] + half), 0.0), width - 1.0)
            index[x] = (i * height + j) * width + k
        line = out[y]
        for x in range(index.size):
            if kind[x] == OUTSIDE:
                line[x] = fill
            else:
                line[x] = flat[np.uint64(np.int64(index[x]))]


@njit(nogil=True, cache=True, fastmath={"contract"})
def linear_rows(volume, where, bounds, numbers, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X), each voxel between the eight of `volume` (Z, Y, X) around its place."""
    real = out.dtype.type
    nan = real(np.nan)
    flat = volume.reshape(-1)
    down, deep = np.uint64(volume.shape[2]), np.uint64(volume.shape[1] * volume.shape[2])
    right = np.uint64(1)
    at, kind, ramp = _buffers(out.shape[1])
    corner, parts = np.empty(out.shape[1], np.float64), np.empty((3, out.shape[1]), out.dtype)
    (pz, py, px), (u, v, w) = (at[0], at[1], at[2]), (parts[0], parts[1], parts[2])
    for y in range(out.shape[0]):
        _row(where, y, bounds, (at, kind, ramp))
        _corners(at, volume.shape, corner, parts)
        line = out[y]
        for x in range(line.size):
            if kind[x] == OUTSIDE:
                line[x] = numbers[0]
                continue
            value = nan
            if kind[x] == INNER:
                a = np.uint64(np.int64(corner[x]))
                b, c = a + down, a + deep
                d = c + down
                p, q, r, s = real(flat[a]), real(flat[b]), real(flat[c]), real(flat[d])
                p += w[x] * (real(flat[a + right]) - p)
                q += w[x] * (real(flat[b + right]) - q)
                r += w[x] * (real(flat[c + right]) - r)
                s += w[x] * (real(flat[d + right]) - s)
                p += v[x] * (q - p)
                r += v[x] * (s - r)
                value = p + u[x] * (r - p)
            if np.isnan(value):  # at an edge, or beside a NaN that perhaps has no weight
                value = _linear_with_care(volume, (pz[x], py[x], px[x]), real(0))
            line[x] = value


@njit(nogil=True, cache=True, fastmath={"contract"})
def _corners(at, shape, corner, parts):  # type: ignore[no-untyped-def]
    """The flat index of the voxel below each place, and how far the place is from it (z, y, x)."""
    _, height, width = shape
    pz, py, px = at[0], at[1], at[2]
    u, v, w = parts[0], parts[1], parts[2]
    for x in range(corner.size):
        i, j, k = np.floor(pz[x]), np.floor(py[x]), np.floor(px[x])
        corner[x] = (i * height + j) * width + k
        u[x], v[x], w[x] = pz[x] - i, py[x] - j, px[x] - k


@njit(nogil=True, cache=True, fastmath={"contract"})
def _linear_with_care(volume, place, zero):  # type: ignore[no-untyped-def]
    """Between voxels at an edge, which is repeated; a voxel without weight is not looked at."""
    real = type(zero)
    total = zero
    for corner in range(8):
        weight, index = real(1), (0, 0, 0)
        for axis in range(3):
            size = volume.shape[axis]
            inside = min(max(place[axis], 0.0), size - 1.0)
            low = int(inside)
            part = real(inside - low)
            if (corner >> axis) & 1:
                weight, low = weight * part, low + 1
            else:
                weight = weight * (real(1) - part)
            index = (index[1], index[2], low)
        if weight > real(1e-7):
            total += weight * real(volume[index[0], index[1], index[2]])
    return total


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
def cubic_rows(coefficients, where, bounds, numbers, out):  # type: ignore[no-untyped-def]
    """Fill `out` (Y, X) from B-spline `coefficients` (Z, Y, X), 64 around each place."""
    real = out.dtype.type
    at, kind, ramp = _buffers(out.shape[1])
    depth, height, width = coefficients.shape
    weight, offset = np.empty((3, 4), out.dtype), np.empty((3, 4), np.int64)
    flat = coefficients.reshape(-1)
    sizes, strides = (depth, height, width), (height * width, width, 1)
    for y in range(out.shape[0]):
        _row(where, y, bounds, (at, kind, ramp))
        for x in range(out.shape[1]):
            if kind[x] == OUTSIDE:
                out[y, x] = numbers[0]
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
