"""Grids along the image's own axes: one axis after the other, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.spatial.tables import GAIN, POLE, Taps, first_weights
from hounsfield.spatial.threads import in_parts

BETWEEN = 96 << 20  # bytes of slices resampled in plane that wait for the third axis
Axes = tuple[Taps, Taps, Taps]  # z, y, x


def nearest(volume: NDArray[Any], axes: Axes, out: NDArray[Any]) -> None:
    """Fill `out` (Z, Y, X) with voxels of `volume`, whose axes may have been swapped."""
    z, y, x = (axis.index[:, 0] for axis in axes)

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            out[k] = volume[z[k]].take(y, 0).take(x, 1)

    in_parts(work, len(z))


def linear(volume: NDArray[Any], axes: Axes, out: NDArray[Any], kernels: ModuleType) -> None:
    """Fill `out` (Z, Y, X), float32 or float64, with two voxels an axis."""
    z, rows, (x0, x1, wx) = (_pair(axis, out.dtype) for axis in axes)
    left, right = axes[2].window(volume.shape[2])
    columns = (x0 - np.uint64(left), x1 - np.uint64(left), wx, left, right)

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            pair, source = (int(z[0][k]), int(z[1][k]), z[2][k]), volume
            if not volume.flags.c_contiguous:
                source = np.ascontiguousarray(volume[[pair[0], pair[1]]])
                pair = (0, 1, pair[2])
            with whole(out[k]) as target:
                kernels.linear_slice(source, pair, rows, columns, target)

    in_parts(work, len(out))


@contextmanager
def whole(out: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Somewhere contiguous to write `out`: the loops are compiled for whole arrays alone."""
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    yield target
    if target is not out:
        out[...] = target


def _pair(axis: Taps, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """First and second voxel, and the weight of the second."""
    weight = axis.weight[:, -1] if axis.index.shape[1] == 2 else np.zeros(len(axis.index))
    first, second = axis.index[:, 0].astype(np.uint64), axis.index[:, -1].astype(np.uint64)
    return first, second, weight.astype(dtype)


def cubic(volume: NDArray[Any], axes: Axes, out: NDArray[Any], kernels: ModuleType) -> None:
    """Fill `out` (Z, Y, X), float32 or float64, with a cubic B-spline through the voxels.

    Where slices are kept as they are, a slice is done at a time. Otherwise as many rows of all
    slices as fit into `BETWEEN` bytes; what rows beyond them would add is below 1e-9.
    """
    z, y, _ = axes
    if z.index.shape[1] == 1:
        planes = _Planes(volume, axes, kernels, out.dtype)
        in_parts(lambda first, last: planes.fill(z.index[first:last, 0], out[first:last]), len(out))
        return
    start, stop = z.window(volume.shape[0])
    row = (stop - start) * out.shape[2] * out.itemsize
    height = min(max(BETWEEN // row, 16), out.shape[1])
    between = np.empty((stop - start, height, out.shape[2]), out.dtype)
    for top in range(0, out.shape[1], height):
        rows = y.cut(top, top + height)
        flat = between[:, : len(rows.index)]
        _across(volume, (z, rows, axes[2]), flat, kernels, out[:, top : top + height])


def _across(
    volume: NDArray[Any],
    axes: Axes,
    between: NDArray[Any],
    kernels: ModuleType,
    out: NDArray[Any],
) -> None:
    """In plane into `between`, then from slice to slice."""
    line = _Line.of(axes[0], volume.shape[0], out.dtype)
    planes = _Planes(volume, axes, kernels, out.dtype)
    needed = np.arange(line.old.start, line.old.stop)
    in_parts(lambda a, b: planes.fill(needed[a:b], between[a:b]), len(needed))

    def work(first: int, last: int) -> None:
        lines = np.empty((len(needed), out.shape[2]), out.dtype)
        new = np.empty((len(out), out.shape[2]), out.dtype)
        for row in range(first, last):
            lines[:] = between[:, row]
            line.resample(lines, new, kernels)
            out[:, row] = new

    in_parts(work, out.shape[1])


class _Planes:
    """Cubic resampling of whole slices: rows, then columns as rows of the transposed."""

    def __init__(
        self, volume: NDArray[Any], axes: Axes, kernels: ModuleType, dtype: np.dtype[Any]
    ) -> None:
        self.volume, self.kernels, self.dtype = volume, kernels, dtype
        self.rows = _Line.of(axes[1], volume.shape[1], dtype)
        self.columns = _Line.of(axes[2], volume.shape[2], dtype)

    def fill(self, slices: NDArray[np.int64], out: NDArray[Any]) -> None:
        """`out` (slices, new rows, new columns) from slices of the volume."""
        rows, columns, transpose = self.rows, self.columns, self.kernels.transpose
        height, width = out.shape[1:]
        long = columns.old.stop - columns.old.start
        old = np.empty((rows.old.stop - rows.old.start, long), self.dtype)
        tall, turned = np.empty((height, long), self.dtype), np.empty((long, height), self.dtype)
        wide = np.empty((width, height), self.dtype)
        for k, number in enumerate(slices):
            old[:] = self.volume[number, rows.old, columns.old]
            check_finite(old, self.volume.dtype)
            rows.resample(old, tall, self.kernels)
            transpose(tall, turned)
            columns.resample(turned, wide, self.kernels)
            with whole(out[k]) as target:
                transpose(wide, target)


@dataclass(frozen=True, eq=False)
class _Line:
    """An axis's cubic taps on the part `old` of it that they need."""

    old: slice
    index: NDArray[np.int64]
    weight: NDArray[Any]
    numbers: NDArray[Any] | None  # None: voxels are copied

    @classmethod
    def of(cls, axis: Taps, size: int, dtype: np.dtype[Any]) -> _Line:
        first, last = axis.window(size)
        numbers = filter_numbers(last - first, dtype) if axis.index.shape[1] == 4 else None
        return cls(slice(first, last), axis.index - first, axis.weight.astype(dtype), numbers)

    def resample(self, lines: NDArray[Any], out: NDArray[Any], kernels: ModuleType) -> None:
        """`out` (new, w) from `lines` (old, w), which become coefficients."""
        if self.numbers is not None:
            kernels.spline_filter(lines, self.numbers, 0, lines.shape[1])
        kernels.combine(lines, self.index, self.weight, out)


def filter_numbers(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """What `kernels.spline_filter` needs for lines of `size`: pole, gain, first weights."""
    return np.array([POLE, GAIN, *first_weights(size)], dtype)


def check_finite(values: NDArray[Any], stored: np.dtype[Any]) -> None:
    """Refuse NaN and infinity, which a cubic spline would carry through the whole volume."""
    if stored.kind != "f" or np.isfinite(values.sum()) or np.isfinite(values).all():
        return
    raise InputError(
        "the image has voxels that are NaN or infinite, and a cubic spline would carry them "
        "through the whole volume",
        expected="finite voxels for order 3",
        remedy="resample with order 1 or 0, which keep them in their place, or replace them",
    )
