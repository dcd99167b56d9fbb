"""Where a DICOM picture is: the only place that knows LPS.

One slice with position, orientation, pixel spacing and slice thickness has an affine (PS3.3
C.7.6.2.1.1). Its z column is the normal times SliceThickness, or times SpacingBetweenSlices
where no thickness is given. With neither, the slice has no known extent: it becomes a `Plane`,
which keeps its millimetres in the plane, and no thickness is made up. Several frames in one
file and mosaics are planes too: their positions are not those of one slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.formats.dicom.header import Tags
from hounsfield.geometry import Calibration, Geometry, Patient, Plane

_ROUNDING = 1e-3  # direction cosines come as decimals; this is 0.5 mm over 512 pixels of 1 mm


def geometry_of(tags: Tags, frames: int) -> Geometry:
    """The geometry of a file's picture: `Patient`, `Plane` or None, never a guess.

    Raises:
        GeometryError: an orientation that is none, or a spacing that is not positive.
    """
    spacing = _pair(tags, "PixelSpacing")
    one_slice = frames == 1 and "MOSAIC" not in tags.texts("ImageType")
    thickness = _thickness(tags)
    placed = "ImageOrientationPatient" in tags and "ImagePositionPatient" in tags
    if one_slice and placed and spacing and thickness:
        affine = _affine(tags, spacing, thickness)
        return Patient(affine, tags.text("FrameOfReferenceUID"))
    return _plane(tags, spacing, placed)


def _affine(tags: Tags, spacing: tuple[float, float], thickness: float) -> NDArray[np.float64]:
    cosines = tags.numbers("ImageOrientationPatient")
    position = tags.numbers("ImagePositionPatient")
    if len(cosines) != 6 or len(position) != 3:
        raise GeometryError(
            f"{len(cosines)} direction cosines and {len(position)} coordinates",
            file=tags.path,
            expected="6 and 3 (PS3.3 C.7.6.2)",
        )
    (a, b, c), (d, e, f) = row, column = cosines[:3], cosines[3:]
    gram = (_dot(row, row) - 1, _dot(column, column) - 1, _dot(row, column))
    if max(map(abs, gram)) > _ROUNDING:
        raise GeometryError(
            f"ImageOrientationPatient is no pair of orthogonal unit vectors: {cosines}",
            file=tags.path,
            remedy="correct the header; a geometry is never guessed",
        )
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    lps_from_voxel = np.eye(4)
    lps_from_voxel[:3, :3] = np.transpose((row, column, normal))
    lps_from_voxel[:3, :3] *= (*spacing, thickness)
    lps_from_voxel[:3, 3] = position
    ras_from_lps = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    return ras_from_lps * lps_from_voxel


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _thickness(tags: Tags) -> float | None:
    for name in ("SliceThickness", "SpacingBetweenSlices"):
        value = tags.soft_number(name)
        if value:
            return abs(value)  # a spacing may carry the sign of the direction of scanning
    return None


def _pair(tags: Tags, name: str) -> tuple[float, float] | None:
    """A spacing as (x, y) mm; DICOM stores the row spacing (y) first."""
    values = tags.numbers(name)
    if not values or not any(values):
        return None
    if len(values) != 2 or min(values) <= 0:
        raise GeometryError(f"{name} is {values}", file=tags.path, expected="two positive mm")
    return values[1], values[0]


def _plane(tags: Tags, spacing: tuple[float, float] | None, placed: bool) -> Plane | None:
    """What a projection's spacing was measured at (PS3.3 10.7.1.3)."""
    detector = _pair(tags, "ImagerPixelSpacing")
    if spacing is None:
        return Plane(detector, "detector") if detector else None
    calibration: Calibration = "unknown"
    if placed or tags.text("PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL"):
        calibration = "object"
    elif detector is not None:
        calibration = "detector" if np.allclose(spacing, detector, rtol=1e-4) else "object"
    return Plane(spacing, calibration)
