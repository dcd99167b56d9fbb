"""Where voxels are: affines and plane spacings.

World coordinates are RAS+ millimetres (x grows to the patient's right, y to the front, z to
the head, as in nibabel); voxel coordinates are (x, y, z), the reverse of the array's (Z, Y, X).
DICOM's LPS is converted in `formats` and known nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError

Calibration = Literal["object", "detector", "unknown"]

_FLATTEST = 1e-6  # of a box with the same edges; headers are rounded to 1e-7


@dataclass(frozen=True, eq=False)
class Patient:
    """A grid in patient space: `ras_from_voxel` (4, 4) float64, voxel (x, y, z) → RAS+ mm."""

    affine: NDArray[np.float64]
    frame_uid: str | None = None

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise GeometryError(
                f"an affine must be (4, 4), got {affine.shape}",
                remedy="for a plane picture use Plane(spacing)",
            )
        if not np.isfinite(affine).all() or not np.array_equal(affine[3], [0, 0, 0, 1]):
            raise GeometryError(
                f"an affine must be finite with last row 0 0 0 1, got {affine.tolist()}"
            )
        if _flat(affine[:3, :3]):
            raise GeometryError(f"the affine is singular: {affine.tolist()}")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    def moved(self, old_from_new: NDArray[np.float64]) -> Patient:
        """The same space for voxels counted anew: `old_from_new` (4, 4) of voxels (x, y, z)."""
        return Patient(self.affine @ old_from_new, self.frame_uid)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size (x, y, z) in mm: the lengths of the affine's columns."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def skew(self) -> float:
        """The largest cosine between two of the axes: 0 where all stand at right angles."""
        axes = self.affine[:3, :3] / self.spacing
        return float(np.abs((axes.T @ axes)[np.triu_indices(3, 1)]).max())

    @property
    def orientation(self) -> str:
        """The nearest anatomical axes of x, y, z, e.g. 'LPS'."""
        codes = (("L", "R"), ("P", "A"), ("I", "S"))
        columns = self.affine[:3, :3] / np.array(self.spacing)
        left = np.abs(columns)
        names = [""] * 3
        for _ in range(3):  # the strongest axis first, so that no world axis is named twice
            world, voxel = np.unravel_index(int(np.argmax(left)), (3, 3))
            names[voxel] = codes[world][int(columns[world, voxel] > 0)]
            left[world, :] = left[:, voxel] = -1
        return "".join(names)

    def __repr__(self) -> str:
        x, y, z = self.spacing
        return f"Patient({self.orientation}, {x:.4g}×{y:.4g}×{z:.4g} mm)"


@dataclass(frozen=True)
class Plane:
    """A flat picture's pixel size (x, y) in mm, and what was calibrated: body or detector.

    DICOM PS3.3 10.7.1.3: a radiograph's Imager Pixel Spacing is measured at the detector, so
    distances in the body come out magnified.
    """

    spacing: tuple[float, float]
    calibration: Calibration = "unknown"

    def __post_init__(self) -> None:
        if len(self.spacing) != 2 or not all(np.isfinite(s) and s > 0 for s in self.spacing):
            raise GeometryError(f"a plane's spacing must be two positive mm, got {self.spacing}")


Geometry = Patient | Plane | None


def shifted(geometry: Geometry, planes: int) -> Geometry:
    """The geometry of an image that begins so many planes further along z."""
    if not isinstance(geometry, Patient) or planes == 0:
        return geometry
    old_from_new = np.eye(4)
    old_from_new[2, 3] = planes
    return geometry.moved(old_from_new)


def _flat(steps: NDArray[np.float64]) -> bool:
    """Whether three steps span no volume, or hardly one for their lengths, however small."""
    lengths = np.abs(steps).max(axis=0)
    return bool((lengths == 0).any() or abs(np.linalg.det(steps / lengths)) < _FLATTEST)
