"""Where a DICOM picture is: the only place that knows LPS.

One slice with position, orientation, pixel spacing and slice thickness has an affine (PS3.3
C.7.6.2.1.1). Its z column is the normal times SliceThickness, or times SpacingBetweenSlices
where no thickness is given. With neither, the slice has no known extent: it becomes a `Plane`,
which keeps its millimetres in the plane, and no thickness is made up. Of several slices the z
column is the step from one to the next: a tilted gantry shears the affine, and it stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.formats.dicom.tags import Tags
from hounsfield.geometry import Calibration, Plane

_ROUNDING = 1e-3  # direction cosines come as decimals; this is 0.5 mm over 512 pixels of 1 mm
FAR = 1e6  # mm; a header that says more is damaged
Vector = tuple[float, float, float]


def checked_axes(cosines: Sequence[float], path: Path) -> tuple[float, ...]:
    """The direction cosines of rows and columns (PS3.3 C.7.6.2.1.1).

    Raises:
        GeometryError: they are no pair of orthogonal unit vectors.
    """
    if len(cosines) != 6:
        raise GeometryError(
            f"ImageOrientationPatient has {len(cosines)} direction cosines",
            file=path,
            expected="6 (PS3.3 C.7.6.2)",
        )
    row, column = cosines[:3], cosines[3:]
    gram = (dot(row, row) - 1, dot(column, column) - 1, dot(row, column))
    if max(map(abs, gram)) > _ROUNDING:
        raise GeometryError(
            f"ImageOrientationPatient is no pair of orthogonal unit vectors: {list(cosines)}",
            file=path,
            remedy="correct the header; a geometry is never guessed",
        )
    return tuple(cosines)


def checked_place(values: Sequence[float], path: Path) -> Vector:
    """A position in LPS mm (PS3.3 C.7.6.2.1.1).

    Raises:
        GeometryError: not three coordinates, or farther away than anything is.
    """
    if len(values) != 3 or not max(map(abs, values)) < FAR:
        raise GeometryError(
            f"ImagePositionPatient is {list(values)}",
            file=path,
            expected=f"3 coordinates within {FAR:g} mm (PS3.3 C.7.6.2.1.1)",
        )
    return values[0], values[1], values[2]


def normal_of(cosines: Sequence[float]) -> Vector:
    """Rows × columns: the direction in which a right-handed stack grows."""
    a, b, c, d, e, f = cosines
    return b * f - c * e, c * d - a * f, a * e - b * d


def along(start: Vector, direction: Sequence[float], mm: float) -> Vector:
    """The point some millimetres from another in a direction."""
    x, y, z = (p + mm * d for p, d in zip(start, direction, strict=True))
    return x, y, z


def affine_of(
    cosines: Sequence[float], spacing: tuple[float, float], step: Sequence[float], start: Vector
) -> NDArray[np.float64]:
    """ras_from_voxel (4, 4) of slices from `start` on, each a `step` further; both in LPS mm."""
    lps_from_voxel = np.eye(4)
    lps_from_voxel[:3, 0] = np.multiply(cosines[:3], spacing[0])
    lps_from_voxel[:3, 1] = np.multiply(cosines[3:], spacing[1])
    lps_from_voxel[:3, 2] = step
    lps_from_voxel[:3, 3] = start
    ras_from_lps = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    return ras_from_lps * lps_from_voxel


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The scalar product of two directions."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def slice_thickness(tags: Tags) -> float | None:
    """How thick a slice is in mm, or how far apart they are; None where neither is known."""
    for name in ("SliceThickness", "SpacingBetweenSlices"):
        value = tags.soft_number(name)
        if value:
            return abs(value)  # a spacing may carry the sign of the direction of scanning
    return None


def pixel_spacing(tags: Tags) -> tuple[float, float] | None:
    """Pixel size (x, y) in mm, or None."""
    return _pair(tags, "PixelSpacing")


def _pair(tags: Tags, name: str) -> tuple[float, float] | None:
    """A spacing as (x, y) mm; DICOM stores the row spacing (y) first."""
    values = tags.numbers(name)
    if not values or not any(values):
        return None
    if len(values) != 2 or min(values) <= 0:
        raise GeometryError(f"{name} is {values}", file=tags.path, expected="two positive mm")
    return values[1], values[0]


def plane_of(tags: Tags) -> Plane | None:
    """A flat picture's spacing, and what it was measured at (PS3.3 10.7.1.3)."""
    spacing = pixel_spacing(tags)
    placed = "ImageOrientationPatient" in tags and "ImagePositionPatient" in tags
    detector = _pair(tags, "ImagerPixelSpacing")
    if spacing is None:
        return Plane(detector, "detector") if detector else None
    calibration: Calibration = "unknown"
    if placed or tags.text("PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL"):
        calibration = "object"
    elif detector is not None:
        calibration = "detector" if np.allclose(spacing, detector, rtol=1e-4) else "object"
    return Plane(spacing, calibration)
