"""The same by NumPy and SciPy, where numba cannot be imported: slower, and with more memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.spatial.general import Places, bounds_of
from hounsfield.spatial.grid import HALF
from hounsfield.spatial.separable import check_finite


def sampled(volume: NDArray[Any], places: Places, order: int, fill: Any, out: NDArray[Any]) -> None:
    """Fill `out` (Z, Y, X) from `volume` (Z, Y, X)."""
    from scipy import ndimage

    source = volume
    if order == 3:
        check_finite(volume, volume.dtype)
        source = ndimage.spline_filter(volume, 3, out.dtype, "mirror")
    limits = bounds_of(volume.shape)
    for k in range(len(out)):
        at = _slice(places, k)
        within = ((at >= limits[:, :1, None]) & (at <= limits[:, 3:, None])).all(0)
        at = np.where(within, at, 0.0)
        if order == 0:
            values = volume[_index(np.floor(at + HALF), volume.shape)]
        elif order == 1:
            values = _linear(volume, at, out.dtype)
        else:
            values = ndimage.map_coordinates(source, at, out.dtype, 3, "mirror", prefilter=False)
        out[k] = np.where(within, values, np.asarray(fill, out.dtype))


def _slice(places: Places, k: int) -> NDArray[np.float64]:
    """The old places (3, Y, X) of slice k."""
    affine, points = places.of_slice(k)
    if points.size:
        return points
    _, height, width = places.shape
    rows, columns = np.mgrid[:height, :width]
    x, y, rest = (affine[:, i, None, None] for i in range(3))
    return np.asarray(x * columns + (y * rows + rest))


def _index(at: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], ...]:
    """Indices of whole places, for NumPy; beyond the edge that of the edge."""
    return tuple(np.clip(i, 0, n - 1).astype(np.int64) for i, n in zip(at, shape, strict=True))


def _linear(
    volume: NDArray[Any], at: NDArray[np.float64], dtype: np.dtype[Any]
) -> NDArray[np.float64]:
    """Between eight voxels; SciPy would take in a NaN that has no weight."""
    tops = np.array(volume.shape)[:, None, None] - 1
    at = np.clip(at, 0, tops)
    below = np.floor(at)
    total = np.zeros(at.shape[1:])
    for corner in np.ndindex(2, 2, 2):
        side = np.array(corner)[:, None, None]
        weight = np.where(side, at - below, 1 - (at - below)).prod(0)
        values = volume[_index(below + side, volume.shape)].astype(dtype)
        total += np.where(weight > 1e-7, weight, 0) * np.where(weight > 1e-7, values, 0)
    return total
