"""Do two images lie on one grid? Stacks and masks need it, and are told how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Geometry, Patient
from hounsfield.image import Image

AGREE_MM = 1e-3  # how far a corner may lie from the same corner of another grid


def difference(one: Image, other: Image) -> str | None:
    """How two grids differ, in words; None where they agree.

    They agree if (Z, Y, X) is the same and no corner voxel lies more than `AGREE_MM` away from
    the other's. Frames of reference are not compared: a format without them says nothing.
    """
    if one.shape[1:] != other.shape[1:]:
        return f"{_size(one)} voxels against {_size(other)} (x × y × z)"
    if type(one.geometry) is not type(other.geometry):
        return f"the geometry is {one.geometry} against {other.geometry}"
    if isinstance(one.geometry, Patient) and isinstance(other.geometry, Patient):
        return _apart(one.geometry, other.geometry, one.shape[1:])
    if one.geometry is not None and other.geometry is not None:
        edges = np.subtract(one.geometry.spacing, other.geometry.spacing) * one.shape[:1:-1]
        if np.abs(edges).max() > AGREE_MM:
            return f"pixels of {_mm(one.geometry)} against {_mm(other.geometry)}"
    return None


def refuse_other_grid(image: Image, mask: Image, what: str) -> None:
    """Refuse a mask (or another companion) that does not lie on the image's grid.

    Raises:
        GeometryError: it tells how they differ.
    """
    told = difference(mask, image)
    if told:
        raise GeometryError(
            f"{what} does not lie on the image's grid: {told}",
            expected="the same size and affine",
            remedy="resample one of them onto the other's grid",
        )


def stack(images: Mapping[str, Image]) -> Image:
    """Contrasts of one body, {"FLAIR": image, …}, as one image with a channel for each.

    The geometry is the first one's. Channels of an image with several are called "NAME 0", ….

    Raises:
        InputError: there is none.
        GeometryError: a grid is not the first one's; it says which and how they differ.
    """
    if not images:
        raise InputError("nothing to stack", expected="at least one image, by its name")
    first, base = next(iter(images.items()))
    for name, image in images.items():
        told = difference(image, base)
        if told:
            raise GeometryError(
                f"{name} does not lie on the grid of {first}: {told}",
                expected=f"the same size, and corners within {AGREE_MM:g} mm",
                remedy=f"resample {name} onto the grid of {first}",
            )
    array = np.concatenate([image.array for image in images.values()])
    channels = [
        replace(channel, name=name if len(image.channels) == 1 else f"{name} {number}")
        for name, image in images.items()
        for number, channel in enumerate(image.channels)
    ]
    return Image(array, base.geometry, tuple(channels))


def _apart(one: Patient, other: Patient, shape: Sequence[int]) -> str | None:
    z, y, x = (size - 1 for size in shape)
    corners = np.array([(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)], float)
    apart = np.linalg.norm((corners @ (one.affine - other.affine).T)[:, :3], axis=1).max()
    if apart <= AGREE_MM:
        return None
    told = f"corners lie up to {apart:.4g} mm apart"
    if not np.allclose(one.spacing, other.spacing, rtol=1e-4):
        told += f", voxels of {_mm(one)} against {_mm(other)}"
    elif one.orientation != other.orientation:
        told += f", axes {one.orientation} against {other.orientation}"
    return told


def _size(image: Image) -> str:
    z, y, x = image.shape[1:]
    return f"{x} × {y} × {z}"


def _mm(geometry: Geometry) -> str:
    assert geometry is not None
    return " × ".join(f"{size:.4g}" for size in geometry.spacing) + " mm"
