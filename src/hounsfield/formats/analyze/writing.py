"""Writing Analyze 7.5: what it cannot hold is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.analyze import DATATYPES, LAYOUT, SIZE, conventional
from hounsfield.formats.nifti.writing import NO_GEOMETRY, NOTES, place_pair
from hounsfield.formats.storing import as_bytes, kind_of, storable
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Channel, Image

_CODES = {kind: code for code, (kind, numbers) in DATATYPES.items() if numbers == 1}
_LONGEST = 32_767
_NEAR = 1e-3  # mm that a corner may move


def write_pair(image: Image, path: Path) -> None:
    """Write header and voxels; see `analyze.write_pair`."""
    if any(channel != Channel() for channel in image.channels):
        raise FormatError(
            "Analyze has no field for the names, units and times of channels",
            remedy="write NIfTI, or take them off the image first",
        )
    voxels = storable(image.array, _CODES, "Analyze")
    header = _header(image, _CODES[kind_of(voxels)], voxels.dtype.itemsize * 8)
    place_pair(path, header.tobytes(), as_bytes(voxels))


def _header(image: Image, code: int, bits: int) -> NDArray[Any]:
    c, z, y, x = image.shape
    if max(image.shape) > _LONGEST:
        raise FormatError(f"Analyze has axes of at most {_LONGEST}", remedy="write NIfTI")
    header: NDArray[Any] = np.zeros((), LAYOUT.newbyteorder("<"))
    header["sizeof_hdr"], header["extents"], header["regular"] = SIZE, 16384, b"r"
    header["dim"] = (4, x, y, z, c, 1, 1, 1)
    header["datatype"], header["bitpix"] = code, bits
    header["vox_units"] = b"mm"
    header["slope"] = 1
    if isinstance(image.geometry, Patient):
        _place(header, image.geometry)
    elif isinstance(image.geometry, Plane):
        header["pixdim"][1:4] = (*image.geometry.spacing, 1 if z == 1 else 0)
        header["descrip"] = NOTES[image.geometry.calibration]
    else:
        header["descrip"] = NO_GEOMETRY
    return header


def _place(header: NDArray[Any], geometry: Patient) -> None:
    """Voxel sizes and SPM's origin, if they give the affine back."""
    sizes, dims = np.array(geometry.spacing), np.array(header["dim"][1:4], np.int64)
    header["pixdim"][1:4] = sizes
    zero = np.linalg.solve(geometry.affine[:3, :3], -geometry.affine[:3, 3]) + 1
    whole = np.rint(zero)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in dims], [1])).reshape(4, -1)
    for origin in (np.zeros(3), whole):
        if np.abs(origin).max() > _LONGEST:
            continue
        apart = (conventional(sizes, dims, origin) - geometry.affine) @ corners
        if np.abs(apart).max() <= _NEAR and header["dim"][3] > 1:
            header["origin"] = origin
            return
    raise GeometryError(
        "Analyze cannot hold this place and orientation",
        expected="x to the left, y to the front, z to the head, 0 mm at the centre or on a voxel",
        remedy="write NIfTI, which holds every affine",
    )
