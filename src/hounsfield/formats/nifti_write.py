"""Writing NIfTI: the header from an image, the voxels as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.nifti_header import DATATYPES, LAYOUTS, MAGIC_1, MAGIC_2, quaternion
from hounsfield.geometry import Calibration, Patient, Plane
from hounsfield.image import RGB, Image

# What the header has no field for stands in its description, and is understood when read again
NO_GEOMETRY = b"hounsfield: no geometry, voxel sizes mean nothing"
CALIBRATIONS: dict[bytes, Calibration] = {
    b"hounsfield: pixel spacing measured in the object": "object",
    b"hounsfield: pixel spacing measured at the detector": "detector",
    b"hounsfield: pixel spacing of unknown calibration": "unknown",
}
_NOTES = {name: note for note, name in CALIBRATIONS.items()}
_CODES = {kind: code for code, (kind, numbers) in DATATYPES.items() if numbers == 1}
_LONGEST = 32_767
_MM, _MM_AND_SECONDS = 2, 10


def write(image: Image, path: Path) -> None:
    """Write the image; gzip at the suffix .gz, the same bytes each time."""
    voxels, datatype = _voxels(image)
    header = _header(image, datatype, voxels.dtype.itemsize * 8)
    blocks = (header.tobytes(), b"\0\0\0\0", memoryview(voxels.reshape(-1).view(np.uint8).data))
    if path.suffix == ".gz":
        from isal import igzip

        with path.open("wb") as raw, igzip.IGzipFile("", "wb", 2, raw, mtime=0) as zipped:
            for block in blocks:
                zipped.write(block)
        return
    with path.open("wb") as plain:
        for block in blocks:
            plain.write(block)


def _voxels(image: Image) -> tuple[NDArray[Any], int]:
    """The voxels in the order of the file, and their datatype code."""
    array = image.array
    if image.channels == RGB and array.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(array, 0, 3)), 128
    if array.dtype in (np.bool_, np.float16):
        array = array.astype(np.uint8 if array.dtype == np.bool_ else np.float32)
    code = _CODES.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    if code is None:
        raise FormatError(
            f"NIfTI has no type for {array.dtype}", remedy="convert to float32 or int16"
        )
    little = array.dtype.newbyteorder("<")
    return np.ascontiguousarray(array, dtype=little), code


def _header(image: Image, datatype: int, bits: int) -> NDArray[Any]:
    c, z, y, x = image.shape
    planes = 1 if datatype == 128 else c
    dim = (3, x, y, z, 1, 1, 1, 1) if planes == 1 else (4, x, y, z, planes, 1, 1, 1)
    size = 348 if max(dim) <= _LONGEST else 540
    header: NDArray[Any] = np.zeros((), LAYOUTS[size].newbyteorder("<"))
    header["sizeof_hdr"] = size
    header["magic"] = MAGIC_1 if size == 348 else MAGIC_2
    header["dim"] = dim
    header["datatype"] = datatype
    header["bitpix"] = 24 if datatype == 128 else bits
    header["vox_offset"] = size + 4
    header["scl_slope"] = 1
    header["pixdim"] = (1, 1, 1, 1, _time_step(image), 0, 0, 0)
    header["xyzt_units"] = _MM_AND_SECONDS if _time_step(image) else _MM
    if size == 348:
        header["regular"] = b"r"
    if isinstance(image.geometry, Patient):
        _place(header, image.geometry)
    elif isinstance(image.geometry, Plane):
        header["pixdim"][1:4] = (*image.geometry.spacing, 1 if z == 1 else 0)
        header["descrip"] = _NOTES[image.geometry.calibration]
    else:
        header["xyzt_units"] = 0
        header["descrip"] = NO_GEOMETRY
    if image.channels[0].time is not None:
        header["toffset"] = image.channels[0].time
    return header


def _time_step(image: Image) -> float:
    """Seconds between volumes where they are even, else 0."""
    times = [channel.time for channel in image.channels]
    if len(times) < 2 or any(time is None for time in times):
        return 0.0
    steps = np.diff(np.array(times, np.float64))
    return float(steps[0]) if np.allclose(steps, steps[0]) and steps[0] > 0 else 0.0


def _place(header: NDArray[Any], geometry: Patient) -> None:
    """sform always; qform too where it can hold the affine (no shear)."""
    affine = geometry.affine
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    header["pixdim"][1:4] = sizes
    header["srow"] = affine[:3].reshape(-1)
    header["sform_code"] = 1
    rotation = affine[:3, :3] / sizes
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-5:
        return
    if np.linalg.det(rotation) < 0:
        header["pixdim"][0] = -1
        rotation = rotation * (1.0, 1.0, -1.0)
    header["quatern"] = quaternion(rotation)
    header["qoffset"] = affine[:3, 3]
    header["qform_code"] = 1
