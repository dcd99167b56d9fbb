"""Which way an array is resampled: along its axes, by places, or by SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.spatial import fallback, general, separable
from hounsfield.spatial.general import Places
from hounsfield.spatial.grid import NEAR
from hounsfield.spatial.tables import taps
from hounsfield.spatial.threads import compiled

MOST_BYTES = 16 << 30  # as much as a file's header may promise
ORDERS = {0: "nearest", 1: "linear", 3: "cubic B-spline"}


def sampled(array: NDArray[Any], places: Places, order: int, fill: float | None) -> NDArray[Any]:
    """The channels of `array` (C, Z, Y, X) at places; (C, *places.shape).

    Raises:
        UsageError: an unknown order.
        InputError: more voxels than memory holds; a fill that the type cannot hold; order 3 and
            voxels that are not finite.
        GeometryError: no place lies in the volume.
    """
    if order not in ORDERS:
        names = ", ".join(f"{number} ({name})" for number, name in ORDERS.items())
        raise UsageError(f"an order of {order!r}", expected=names)
    source = _plain(array, order)
    out = room((len(array), *places.shape), result_type(array.dtype, order))
    outside = _outside(places, array.shape[1:])
    for volume, target in zip(source, out, strict=True):
        value = fill_value(volume, fill, out.dtype) if outside else out.dtype.type(0)
        _channel(volume, places, order, value, target)
    return out


def room(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array (C, Z, Y, X) to fill.

    Raises:
        InputError: more bytes than an image may have, or than this machine has.
    """
    size = prod(map(int, shape)) * dtype.itemsize
    try:
        if size <= MOST_BYTES:
            return np.empty(tuple(shape), dtype)
    except MemoryError:
        pass
    channels, z, y, x = shape
    raise InputError(
        f"a grid of {x:,} × {y:,} × {z:,} voxels (x, y, z), channels: {channels}, "
        f"takes {size:,} bytes",
        expected=f"at most {MOST_BYTES:,} bytes, and no more than this machine's memory",
        remedy="ask for larger voxels (spacing is in millimetres), or crop the image first",
    )


def result_type(dtype: np.dtype[Any], order: int) -> np.dtype[Any]:
    """Nearest keeps the type; others give float32, from float64 float64."""
    if order == 0:
        return dtype.newbyteorder("=")
    return np.dtype(np.float64 if dtype.kind == "f" and dtype.itemsize == 8 else np.float32)


def fill_value(volume: NDArray[Any], fill: float | None, dtype: np.dtype[Any]) -> Any:
    """What stands where nothing was measured: what is asked, or the least voxel if below 0.

    So CT gets air, and a mask, an MR or a PET image 0.
    """
    if fill is None:
        low = volume.min()
        if not np.isfinite(low):
            low = np.min(volume, where=np.isfinite(volume), initial=0)
        return dtype.type(min(low, 0))
    if dtype.kind == "f":
        return dtype.type(fill)
    value = np.array(fill).astype(np.float64)
    limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if not (np.isfinite(value) and value == np.rint(value) and limits[0] <= value <= limits[1]):
        raise InputError(
            f"a fill of {fill} in an image of {dtype}",
            expected=f"a whole number from {limits[0]} to {limits[1]}",
        )
    return dtype.type(fill)


def _plain(array: NDArray[Any], order: int) -> NDArray[Any]:
    """The same values in a type that the compiled loops know; nearest ones are moved as bits."""
    if array.dtype == np.float16 and order:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _outside(places: Places, shape: tuple[int, ...]) -> bool:
    """Whether a place may lie outside; an error where all do."""
    low, high = places.reach()
    faces = general.bounds_of(shape)
    if (high < faces[:, 0]).any() or (low > faces[:, 3]).any():
        raise GeometryError(
            "no voxel of the grid lies in the image",
            expected="a grid that overlaps it",
            remedy="compare both affines: are they of one patient, and in millimetres?",
        )
    gaps = places.points is not None and bool(np.isnan(places.points).any())
    return gaps or bool((low < faces[:, 0]).any() or (high > faces[:, 3]).any())


def _channel(
    volume: NDArray[Any], places: Places, order: int, fill: Any, out: NDArray[Any]
) -> None:
    kernels = compiled()
    if kernels is None:
        fallback.sampled(volume, places, order, fill, out)
        return
    volume = volume.view(np.uint8) if volume.dtype == np.bool_ and order else volume
    axes = None if places.points is not None else _own_axes(places)
    if axes is None:
        way = {0: general.nearest, 1: general.linear, 3: general.cubic}[order]
        way(volume, places, fill, out, kernels)
        return
    view = volume.transpose(axes)
    z, y, x = (
        taps(places.matrix[old, new], places.matrix[old, 3], volume.shape[old], size, order)
        for new, (old, size) in enumerate(zip(axes, places.shape, strict=True))
    )
    inside = tuple(slice(axis.start, axis.stop) for axis in (z, y, x))
    if out[inside].size < out.size:
        out[...] = fill
    if order == 0:
        separable.nearest(view, (z, y, x), out[inside])
    elif order == 1:
        separable.linear(view, (z, y, x), out[inside], kernels)
    else:
        separable.cubic(view, (z, y, x), out[inside], kernels)


def _own_axes(places: Places) -> tuple[int, ...] | None:
    """For each new axis the old one it runs along, or None where one runs along several."""
    moved = np.abs(places.matrix[:, :3]) * (np.array(places.shape) - 1)
    for axes in permutations(range(3)):
        apart = moved.copy()
        apart[axes, range(3)] = 0
        if apart.max() <= NEAR:
            return axes
    return None
