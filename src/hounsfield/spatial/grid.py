"""Grids: where the voxels of a result shall lie, and how they map onto those of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.geometry import Patient
from hounsfield.image import Image

Shape = tuple[int, int, int]  # (z, y, x)
NEAR = 1e-5  # of a voxel: positions nearer than this are the same
HALF = 0.5 + 1e-8  # rounds a place between two voxels up, also where it was computed a bit low
MOST_VOXELS = 1 << 40  # along an axis
STRAIGHT = 1e-4  # the cosine between two axes up to which they count as at right angles


@dataclass(frozen=True, eq=False)
class Grid:
    """An image without voxels: how many there are, `shape` (z, y, x), and where they lie.

    Raises:
        GeometryError: not three sizes of at least 1.
    """

    shape: Shape
    geometry: Patient

    def __post_init__(self) -> None:
        whole = all(size == int(size) for size in self.shape)
        if len(self.shape) != 3 or not whole or min(self.shape) < 1:
            raise GeometryError(
                f"a grid of {tuple(self.shape)} voxels", expected="(z, y, x), each at least 1"
            )
        z, y, x = map(int, self.shape)
        object.__setattr__(self, "shape", (z, y, x))

    @classmethod
    def of(cls, image: Image) -> Grid:
        """The grid of an image that lies in a patient.

        Raises:
            GeometryError: the image has no place in a patient.
        """
        if not isinstance(image.geometry, Patient):
            raise GeometryError(
                f"an image with the geometry {image.geometry} has no place in a patient",
                expected="an affine (Patient geometry)",
                remedy="give it one with dataclasses.replace(image, geometry=Patient(affine))",
            )
        return cls(image.shape[1:], image.geometry)

    def with_spacing(self, spacing: float | Sequence[float]) -> Grid:
        """The grid of this spacing, (x, y, z) or one number in mm, over the same extent.

        The extent reaches from face to face of the outermost voxels. Its centre and its axes
        stay; each axis gets the whole number of voxels that fits best, at least one, so that an
        end moves by a quarter of a new voxel at most and no new centre lies outside.
        """
        sizes = checked_spacing(spacing, 3)
        old_from_new, shape = respaced(self.shape, self.geometry.spacing, sizes)
        return Grid(shape, self.geometry.moved(old_from_new))

    @property
    def is_straight(self) -> bool:
        """Whether the axes are at right angles (mirrored and oblique grids are)."""
        return self.geometry.skew <= STRAIGHT

    def straightened(self) -> Grid:
        """The grid at right angles that holds all of this sheared one, such as a tilted gantry's.

        x keeps its direction, y its plane, z becomes their normal; spacings are those between
        rows and planes. Voxel (0, 0, 0) is on both grids and slices stay in their planes, so only
        shifts within a slice are interpolated. A straight grid is returned as it is.
        """
        if self.is_straight:
            return self
        ras_from_old = self.geometry.affine
        turn, upper = np.linalg.qr(ras_from_old[:3, :3])
        sizes = np.diag(upper)
        turn, upper = turn * np.sign(sizes), upper * np.sign(sizes)[:, None]
        new_from_old = upper / np.abs(sizes)[:, None]
        corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(self.shape[::-1]) - 1)
        reached = corners @ new_from_old.T
        first = np.floor(reached.min(0) + NEAR)
        x, y, z = (np.ceil(reached.max(0) - NEAR) - first + 1).astype(int)
        ras_from_new = np.eye(4)
        ras_from_new[:3, :3] = turn * np.abs(sizes)
        ras_from_new[:3, 3] = ras_from_old[:3, 3] + ras_from_new[:3, :3] @ first
        return Grid((int(z), int(y), int(x)), Patient(ras_from_new, self.geometry.frame_uid))


def checked_spacing(spacing: float | Sequence[float], axes: int) -> tuple[float, ...]:
    """Millimetres for each axis, from one number or one an axis."""
    given = np.atleast_1d(np.asarray(spacing, dtype=np.float64))
    sizes = np.repeat(given, axes) if given.shape == (1,) else given
    if sizes.shape != (axes,) or not np.isfinite(sizes).all() or sizes.min() <= 0:
        names = ", ".join("xyz"[:axes])
        raise GeometryError(
            f"a spacing of {spacing}", expected=f"({names}) or one number, above 0 mm"
        )
    return tuple(float(size) for size in sizes)


def respaced(
    shape: Shape, old: Sequence[float], new: Sequence[float]
) -> tuple[NDArray[np.float64], Shape]:
    """`old_from_new` (4, 4) of voxels (x, y, z), and the shape, for `Grid.with_spacing`."""
    old_from_new = np.eye(4)
    counts = list(shape)
    for axis, (had, wanted) in enumerate(zip(old, new, strict=True)):
        step, count = wanted / had, shape[2 - axis]
        if abs(step - 1) * count < NEAR:
            continue
        if not step * MOST_VOXELS > count:
            raise GeometryError(
                f"a spacing of {wanted:g} mm makes more than {MOST_VOXELS:,} voxels along one axis",
                expected="voxels that memory holds",
                remedy="ask for larger ones; spacing is in millimetres",
            )
        counts[2 - axis] = max(1, int(np.floor(count / step + 0.5 + NEAR)))
        old_from_new[axis, axis] = step
        old_from_new[axis, 3] = (count - 1) / 2 - step * (counts[2 - axis] - 1) / 2
    return old_from_new, (counts[0], counts[1], counts[2])


def old_from_new(old: Patient, new: Patient) -> NDArray[np.float64]:
    """Voxels (x, y, z) of the old grid from those of the new one, (4, 4).

    Raises:
        GeometryError: the two are known to lie in different frames of reference.
    """
    if old.frame_uid and new.frame_uid and old.frame_uid != new.frame_uid:
        raise GeometryError(
            "the image and the grid lie in different frames of reference",
            expected="one Frame of Reference UID: positions of different ones do not compare",
            remedy="register them first, then give the grid as Patient(affine) without frame_uid",
        )
    moved = np.array(new.affine)
    moved[:3, 3] -= old.affine[:3, 3]  # first, so that far origins cost no digits
    result = np.eye(4)
    result[:3] = np.linalg.solve(old.affine[:3, :3], moved[:3])
    return result
