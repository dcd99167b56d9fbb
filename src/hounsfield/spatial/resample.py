"""Resampling: new voxels of the same body, each where it was in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, UsageError
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Image
from hounsfield.spatial.engine import sampled
from hounsfield.spatial.general import Places
from hounsfield.spatial.grid import Grid, checked_spacing, old_from_new, respaced
from hounsfield.spatial.stored import kept


def resample(
    image: Image,
    *,
    spacing: float | Sequence[float] | None = None,
    like: Image | None = None,
    grid: Grid | None = None,
    order: int = 1,
    fill: float | None = None,
) -> Image:
    """The image on another grid: of a `spacing` (x, y, z) in mm, `like` another image, or `grid`.

    `order` 0 takes the nearest voxel and keeps the type (label maps), 1 is linear, 3 a cubic
    B-spline through the voxels; both give float32 (float64 from float64). Voxels reach half a
    spacing around their centres; beyond the volume stands `fill`, by default the least voxel of
    the channel if that is below 0, else 0. A plane is resampled by `spacing` (x, y) alone, each
    slice by itself.

    Raises:
        GeometryError: no geometry, a grid for a plane, no overlap, another frame of reference.
        InputError: a fill the type cannot hold; NaN or infinite voxels and order 3.
        UsageError: not exactly one of spacing, like and grid; an unknown order.
    """
    if sum(where is not None for where in (spacing, like, grid)) != 1:
        raise UsageError("resample needs exactly one of spacing, like and grid")
    if spacing is not None and isinstance(image.geometry, Plane):
        return _plane(image, image.geometry, spacing, (order, fill))
    here = Grid.of(image)
    if spacing is not None:
        there = here.with_spacing(spacing)
    elif like is not None:
        there = Grid.of(like)
    else:
        assert grid is not None
        there = grid
    old = old_from_new(here.geometry, there.geometry)
    uid = there.geometry.frame_uid or here.geometry.frame_uid
    geometry = Patient(there.geometry.affine, uid)
    return _made(image, Places(_zyx(old), there.shape), geometry, (order, fill))


def resample_at(
    image: Image,
    voxels: NDArray[Any],
    geometry: Geometry = None,
    *,
    order: int = 1,
    fill: float | None = None,
) -> Image:
    """The image on a deformed grid: new voxel (z, y, x) is what lies at `voxels[:, z, y, x]`.

    `voxels` (3, Z, Y, X) are places (x, y, z) in voxels of the image, NaN where there is nothing;
    `geometry` is that of the result. Orders and `fill` as in `resample`.
    """
    voxels = np.asarray(voxels)
    if voxels.ndim != 4 or voxels.shape[0] != 3 or voxels.size == 0 or voxels.dtype.kind != "f":
        raise GeometryError(
            f"places of shape {voxels.shape} and type {voxels.dtype}",
            expected="(3, Z, Y, X) of floats: voxel (x, y, z) for each new voxel",
        )
    _, z, y, x = voxels.shape
    places = Places(np.zeros((3, 4)), (z, y, x), voxels[::-1])
    return _made(image, places, geometry, (order, fill))


def straight(image: Image, *, order: int = 1, fill: float | None = None) -> Image:
    """A sheared volume (tilted gantry) on a grid at right angles that holds all of it.

    `Grid.straightened` says which grid. A straight image is returned as it is.
    """
    here = Grid.of(image)
    there = here.straightened()
    if there is here:
        return image
    return resample(image, grid=there, order=order, fill=fill)


def _plane(
    image: Image,
    plane: Plane,
    spacing: float | Sequence[float],
    how: tuple[int, float | None],
) -> Image:
    x, y = checked_spacing(spacing, 2)
    depth, *_ = image.shape[1:]
    old, shape = respaced((depth, *image.shape[2:]), (*plane.spacing, 1.0), (x, y, 1.0))
    return _made(image, Places(_zyx(old), shape), replace(plane, spacing=(x, y)), how)


def _made(image: Image, places: Places, geometry: Geometry, how: tuple[int, float | None]) -> Image:
    order, fill = how
    array = sampled(image.array, places, order, fill)
    return Image(array, geometry, image.channels, kept(image.stored) if order == 0 else {})


def _zyx(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 4) on array indices (z, y, x) of an affine (4, 4) on voxels (x, y, z)."""
    return np.concatenate([affine[2::-1, 2::-1], affine[2::-1, 3:]], 1)
