"""The same by SciPy, where numba cannot be imported: equal to rounding, slower, more memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.spatial.general import Places, bounds_of
from hounsfield.spatial.grid import HALF
from hounsfield.spatial.separable import check_finite

MODES = {0: "nearest", 1: "nearest", 3: "mirror"}  # what stands beyond the outermost centres


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
            index = np.floor(at + HALF).astype(np.int64)
            z, y, x = (np.clip(i, 0, n - 1) for i, n in zip(index, volume.shape, strict=True))
            values = volume[z, y, x]
        else:
            values = ndimage.map_coordinates(
                source, at, out.dtype, order, MODES[order], prefilter=False
            )
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
