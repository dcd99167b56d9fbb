"""Oblique, sheared and deformed grids: the place of each new voxel, and the voxels around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.spatial.grid import HALF, NEAR, Shape
from hounsfield.spatial.separable import check_finite, filter_numbers, whole
from hounsfield.spatial.tables import REACH
from hounsfield.spatial.threads import in_parts

COEFFICIENTS = 128 << 20  # bytes of spline coefficients at a time
NO_POINTS = np.zeros((3, 0, 0))


@dataclass(frozen=True, eq=False)
class Places:
    """Where new voxels (z, y, x) are in the old ones (z, y, x): by an affine, or each by itself."""

    matrix: NDArray[np.float64]  # (3, 4), old from new
    shape: Shape
    points: NDArray[Any] | None = None  # (3, Z, Y, X), old; then `matrix` is not looked at

    def of_slice(self, z: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For a slice the affine (3, 3) of (x, y, 1), and the points (3, Y, X) or none."""
        affine = self.matrix[:, [2, 1, 3]].copy()
        affine[:, 2] += self.matrix[:, 0] * z
        if self.points is None:
            return affine, NO_POINTS
        return affine, np.ascontiguousarray(self.points[:, z], dtype=np.float64)

    def part(self, block: tuple[slice, ...]) -> Places:
        """The places of a block of new voxels."""
        firsts = np.array([axis.start for axis in block])
        matrix = self.matrix.copy()
        matrix[:, 3] += matrix[:, :3] @ firsts
        z, y, x = (axis.stop - axis.start for axis in block)
        points = None if self.points is None else self.points[:, *block]
        return Places(matrix, (z, y, x), points)

    def moved(self, origin: NDArray[np.int64]) -> Places:
        """The same places, counted from an old voxel."""
        matrix = self.matrix.copy()
        matrix[:, 3] -= origin
        if self.points is None:
            return replace(self, matrix=matrix)
        return replace(self, matrix=matrix, points=self.points - origin[:, None, None, None])

    def reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and greatest old place on each axis; NaN is left out."""
        if self.points is None:
            corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(self.shape) - 1)
            places = corners @ self.matrix[:, :3].T + self.matrix[:, 3]
            return places.min(0), places.max(0)
        flat = self.points.reshape(3, -1)
        return (
            np.where(np.isnan(flat), np.inf, flat).min(1),
            np.where(np.isnan(flat), -np.inf, flat).max(1),
        )


def bounds_of(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """For each axis where voxels begin, where lines between centres begin and end, and the end.

    (3, 4), the first and last being the outer faces of a volume's voxels.
    """
    return np.array([(-0.5 - NEAR, 0.0, size - 1.0, size - 0.5 + NEAR) for size in shape])


def nearest(
    volume: NDArray[Any], places: Places, fill: Any, out: NDArray[Any], kernels: ModuleType
) -> None:
    """Fill `out` (Z, Y, X) of the volume's type; any type, by its bits."""
    bits = np.dtype(f"u{volume.itemsize}")
    value = np.array(fill, volume.dtype).view(bits)[()]
    limits = bounds_of(volume.shape)

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            where = places.of_slice(k)
            kernels.nearest_rows(volume.view(bits), where, limits, (value, HALF), out[k].view(bits))

    in_parts(work, len(out))


def linear(
    volume: NDArray[Any], places: Places, fill: Any, out: NDArray[Any], kernels: ModuleType
) -> None:
    """Fill `out` (Z, Y, X), float32 or float64."""
    limits, value = bounds_of(volume.shape), out.dtype.type(fill)

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            where = places.of_slice(k)
            kernels.linear_rows(volume, where, limits, (value,), out[k])

    in_parts(work, len(out))


def cubic(
    volume: NDArray[Any], places: Places, fill: Any, out: NDArray[Any], kernels: ModuleType
) -> None:
    """Fill `out` (Z, Y, X), float32 or float64, in blocks whose coefficients fit into a bound."""
    low, high = places.reach()
    top = np.array(volume.shape)
    first = np.clip(np.floor(np.minimum(low, top)) - REACH, 0, top - 1).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(high, -1)) + REACH + 1, first + 1, top).astype(np.int64)
    if np.prod(last - first) * out.itemsize > COEFFICIENTS and max(out.shape) > 8:
        for block in _halves(out.shape):
            cubic(volume, places.part(block), fill, out[block], kernels)
        return
    box = volume[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    coefficients = spline_coefficients(box, out.dtype, kernels)
    limits, value = bounds_of(volume.shape) - first[:, None], out.dtype.type(fill)
    inner = places.moved(first)

    def work(start: int, stop: int) -> None:
        for k in range(start, stop):
            with whole(out[k]) as target:
                kernels.cubic_rows(coefficients, inner.of_slice(k), limits, (value,), target)

    in_parts(work, len(out))


def _halves(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    axis = int(np.argmax(shape))
    middle = shape[axis] // 2
    whole = [slice(0, size) for size in shape]
    return [
        (*whole[:axis], half, *whole[axis + 1 :])
        for half in (slice(0, middle), slice(middle, shape[axis]))
    ]


def spline_coefficients(
    volume: NDArray[Any], dtype: np.dtype[Any], kernels: ModuleType
) -> NDArray[Any]:
    """Cubic B-spline coefficients (Z, Y, X) of a volume that is mirrored at its ends."""
    out = np.empty(volume.shape, dtype)
    depth, height, width = volume.shape
    rows, columns = filter_numbers(height, dtype), filter_numbers(width, dtype)

    def in_plane(first: int, last: int) -> None:
        turned = np.empty((width, height), dtype)
        for k in range(first, last):
            out[k] = volume[k]
            check_finite(out[k], volume.dtype)
            kernels.spline_filter(out[k], rows, 0, width)
            kernels.transpose(out[k], turned)
            kernels.spline_filter(turned, columns, 0, height)
            kernels.transpose(turned, out[k])

    in_parts(in_plane, depth)
    lines, numbers = out.reshape(depth, -1), filter_numbers(depth, dtype)
    in_parts(
        lambda first, last: kernels.spline_filter(lines, numbers, first * width, last * width),
        height,
    )
    return out
