"""Affines from a header, with the file in their refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.geometry import Patient

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # and back: it undoes itself
_FAR = 1e12  # mm; a header that says more is damaged
_SMALL = 1e-9  # mm
HUGE = 1e30  # of one number in a header: products of such stay finite


def patient(affine: NDArray[np.float64], file: Path) -> Patient:
    """`Patient(affine)`, whose refusal names the file.

    Raises:
        GeometryError: singular, not finite, or farther or smaller than anything is.
    """
    try:
        sizes = np.abs(affine[:3, :3]).max(axis=0)
        if ((sizes > 0) & (sizes < _SMALL)).any():
            raise GeometryError(f"voxels of less than {_SMALL:g} mm: {affine.tolist()}")
        if _FAR < np.abs(affine).max() < np.inf:
            raise GeometryError(f"the affine reaches beyond {_FAR:g} mm: {affine.tolist()}")
        return Patient(affine)
    except GeometryError as error:
        raise GeometryError(
            error.problem, file=file, remedy="correct the header; a geometry is never guessed"
        ) from error
