"""Clip, scale and resize in one pass over the pixels, with antialiasing; nearest for masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hounsfield.preprocessing.contract import Preprocessing


@dataclass(frozen=True)
class Placement:
    """Where a resized picture lies in the network's input: `size` (Y, X) of it at (top, left)."""

    original: tuple[int, int]
    size: tuple[int, int]
    top: int
    left: int

    @property
    def original_from_prepared(self) -> NDArray[np.float64]:
        """(3, 3), pixel centres (x, y): x_original = (x - left + 1/2) · scale - 1/2."""
        matrix = np.eye(3)
        offsets = (self.left, self.top)
        for axis, (old, new) in enumerate(zip(self.original[::-1], self.size[::-1], strict=True)):
            scale = old / new
            matrix[axis, axis] = scale
            matrix[axis, 2] = (0.5 - offsets[axis]) * scale - 0.5
        return matrix


def placed(
    original: tuple[int, int], spacing: tuple[float, float], settings: Preprocessing
) -> Placement:
    """The placement of a picture (Y, X) with this pixel spacing (x, y); only its ratio matters.

    fit=pad keeps the body's aspect (unequal spacing is made equal) and centres the picture.
    """
    if settings.fit == "stretch":
        return Placement(original, settings.size, 0, 0)
    height, width = original[0] * spacing[1], original[1] * spacing[0]
    scale = min(settings.size[0] / height, settings.size[1] / width)
    rows = min(max(round(height * scale), 1), settings.size[0])
    columns = min(max(round(width * scale), 1), settings.size[1])
    top, left = (settings.size[0] - rows) // 2, (settings.size[1] - columns) // 2
    return Placement(original, (rows, columns), top, left)


@lru_cache(maxsize=256)
def _taps(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """First input, number of inputs and weights (new, most) of each output pixel on one axis.

    A triangle as wide as the output pixel when shrinking (so that nothing aliases), linear
    when growing; weights beyond the edge go to the pixels that are there.
    """
    scale = old / new
    reach = max(scale, 1.0)
    centre = (np.arange(new) + 0.5) * scale
    first = np.maximum(np.floor(centre - reach + 0.5).astype(np.int64), 0)
    last = np.minimum(np.floor(centre + reach + 0.5).astype(np.int64), old)
    most = int((last - first).max())
    inputs = first[:, None] + np.arange(most)
    weights = np.maximum(1 - np.abs(inputs + 0.5 - centre[:, None]) / reach, 0)
    weights[inputs >= last[:, None]] = 0
    weights /= weights.sum(1, keepdims=True)
    return first, last - first, weights.astype(np.float32)


def resized(
    volume: NDArray[Any],
    limits: tuple[float, float],
    placement: Placement,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (Z, Y, X), zeros before, from a volume (Z, Y, X) cut to limits, scaled to [0, 1].

    NaN becomes 0. Each slice by itself.
    """
    low, high = limits
    if not low < high:
        return
    rows, columns = placement.size
    y0, ny, wy = _taps(volume.shape[1], rows)
    x0, nx, wx = _taps(volume.shape[2], columns)
    inside = out[:, placement.top : placement.top + rows, placement.left : placement.left + columns]
    _resize(
        volume, np.float32(low), np.float32(1 / (high - low)), (y0, ny, wy), (x0, nx, wx), inside
    )


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def _resize(volume, low, per_value, rows, columns, out):  # type: ignore[no-untyped-def]
    y0, ny, wy = rows
    x0, nx, wx = columns
    width = volume.shape[2]
    line = np.empty(width, np.float32)
    for z in range(volume.shape[0]):
        for y in range(out.shape[1]):
            line[:] = 0
            for k in range(ny[y]):
                weight = wy[y, k]
                source = volume[z, y0[y] + k]
                for x in range(width):
                    value = (np.float32(source[x]) - low) * per_value
                    value = value if value > 0 else np.float32(0)  # NaN compares false
                    value = value if value < 1 else np.float32(1)
                    line[x] += weight * value
            for x in range(out.shape[2]):
                total = np.float32(0)
                start = x0[x]
                for k in range(nx[x]):
                    total += wx[x, k] * line[start + k]
                out[z, y, x] = min(total, np.float32(1))
