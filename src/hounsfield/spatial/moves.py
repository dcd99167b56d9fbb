"""Moves that take voxels as they are: flip, reorient, crop, pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.geometry import Geometry, Patient
from hounsfield.image import Image
from hounsfield.spatial.engine import fill_value, room
from hounsfield.spatial.stored import kept

DIRECTIONS = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}


def reorient(image: Image, orientation: str = "RAS") -> Image:
    """The image with its x, y, z running nearest to these directions; only flips and swaps.

    'RAS': x grows to the right, y to the front, z to the head. As nibabel's
    `as_closest_canonical`; an image that runs so already is returned as it is.

    Raises:
        UsageError: not three letters, one each of LR, PA and IS.
        GeometryError: the image has no place in a patient.
    """
    wanted = [DIRECTIONS.get(letter) for letter in orientation]
    if None in wanted or sorted(to[0] for to in wanted if to) != [0, 1, 2]:
        raise UsageError(
            f"an orientation of {orientation!r}",
            expected="three letters, one each of LR, PA and IS, such as RAS or LPS",
        )
    if not isinstance(image.geometry, Patient):
        raise GeometryError(
            f"an image with the geometry {image.geometry} has no left and right",
            expected="an affine (Patient geometry)",
            remedy="use flip(image, 'x') to mirror it as it lies",
        )
    has = [DIRECTIONS[letter] for letter in image.geometry.orientation]
    old_from_new = np.zeros((4, 4))
    old_from_new[3, 3] = 1
    axes = []
    for new, (world, sign) in enumerate(to for to in wanted if to):
        old = next(axis for axis, (its, _) in enumerate(has) if its == world)
        axes.append(old)
        same = has[old][1] == sign
        old_from_new[old, new] = 1 if same else -1
        old_from_new[old, 3] = 0 if same else image.shape[3 - old] - 1
    if np.array_equal(old_from_new, np.eye(4)):
        return image
    turned = image.array.transpose(0, *(3 - axis for axis in reversed(axes)))
    flips = [slice(None, None, int(old_from_new[axis, new])) for new, axis in enumerate(axes)]
    return _moved(image, turned[:, *reversed(flips)], old_from_new)


def flip(image: Image, axes: str) -> Image:
    """The order of voxels turned round along 'x', 'y', 'z' or several, e.g. 'xy'.

    In a patient each voxel keeps its place in the world; without one the picture is mirrored.
    """
    if not axes or not set(axes) <= set("xyz") or len(set(axes)) < len(axes):
        raise UsageError(f"axes of {axes!r}", expected="some of x, y and z, each once")
    old_from_new = np.eye(4)
    steps = [slice(None)] * 3
    for axis in ("xyz".index(name) for name in axes):
        old_from_new[axis, axis] = -1
        old_from_new[axis, 3] = image.shape[3 - axis] - 1
        steps[2 - axis] = slice(None, None, -1)
    return _moved(image, image.array[:, *steps], old_from_new)


def crop(image: Image, start: Sequence[int], stop: Sequence[int]) -> Image:
    """The voxels from `start` up to, not with, `stop`, both (x, y, z) or (x, y).

    Raises:
        InputError: nothing is left, or a bound lies outside the image.
    """
    size = image.shape[:0:-1]
    first, last = _three(start, (0, 0, 0), "start"), _three(stop, size, "stop")
    if any(not 0 <= a < b <= n for a, b, n in zip(first, last, size, strict=True)):
        raise InputError(
            f"a crop from {tuple(start)} to {tuple(stop)} of {size} voxels (x, y, z)",
            expected="0 <= start < stop <= size on each axis",
            remedy="use pad to grow an image",
        )
    old_from_new = np.eye(4)
    old_from_new[:3, 3] = first
    part = tuple(slice(a, b) for a, b in zip(reversed(first), reversed(last), strict=True))
    return _moved(image, image.array[:, *part].copy(), old_from_new)


def pad(
    image: Image, before: Sequence[int], after: Sequence[int], fill: float | None = None
) -> Image:
    """The image with voxels of `fill` added `before` and `after` it, both (x, y, z) or (x, y).

    By default a channel's `fill` is its least voxel if that is below 0, else 0.

    Raises:
        InputError: a negative number of voxels, more than memory holds, or a fill that the type
            cannot hold.
    """
    low, high = _three(before, (0, 0, 0), "before"), _three(after, (0, 0, 0), "after")
    if min(*low, *high) < 0:
        raise InputError(f"padding of {low} and {high} voxels", remedy="use crop to take some away")
    z, y, x = (n + a + b for n, a, b in zip(image.shape[1:], low[::-1], high[::-1], strict=True))
    array = room((image.shape[0], z, y, x), image.array.dtype)
    inner = tuple(slice(a, a + n) for a, n in zip(low[::-1], image.shape[1:], strict=True))
    for channel, target in zip(image.array, array, strict=True):
        target[...] = fill_value(channel, fill, array.dtype)
        target[inner] = channel
    old_from_new = np.eye(4)
    old_from_new[:3, 3] = [-count for count in low]
    return _moved(image, array, old_from_new)


def _three(given: Sequence[int], rest: Sequence[int], name: str) -> tuple[int, int, int]:
    """Whole numbers (x, y, z); of (x, y) the third is that of `rest`."""
    values = np.asarray(given)
    if values.shape not in ((2,), (3,)) or values.dtype.kind not in "iu":
        raise InputError(f"{name} of {given}", expected="(x, y, z) or (x, y), whole numbers")
    x, y, z = [int(value) for value in values] + [int(n) for n in rest[len(values) :]]
    return x, y, z


def _moved(image: Image, array: NDArray[Any], old_from_new: NDArray[np.float64]) -> Image:
    geometry: Geometry = image.geometry
    if isinstance(geometry, Patient):
        geometry = geometry.moved(old_from_new)
    return Image(np.ascontiguousarray(array), geometry, image.channels, kept(image.stored))
