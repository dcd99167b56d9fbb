"""Geometries with the file in their refusal, and of some planes of a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.geometry import Geometry, Patient

_FAR = 1e12  # mm; a header that says more is damaged
HUGE = 1e30  # of one number in a header: products of such stay finite


def patient(affine: NDArray[np.float64], file: Path) -> Patient:
    """`Patient(affine)`, whose refusal names the file.

    Raises:
        GeometryError: singular, not finite, or farther than anything is.
    """
    try:
        if _FAR < np.abs(affine).max() < np.inf:
            raise GeometryError(f"the affine reaches beyond {_FAR:g} mm: {affine.tolist()}")
        return Patient(affine)
    except GeometryError as error:
        raise GeometryError(
            error.problem, file=file, remedy="correct the header; a geometry is never guessed"
        ) from error


def along_z(geometry: Geometry, first: int) -> Geometry:
    """The geometry of an image that begins so many planes further along z."""
    if not isinstance(geometry, Patient):
        return geometry
    old_from_new = np.eye(4)
    old_from_new[2, 3] = first
    return Patient(geometry.affine @ old_from_new, geometry.frame_uid)
