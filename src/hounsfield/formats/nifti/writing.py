"""Writing NIfTI: the header from an image, the voxels as they are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, UsageError
from hounsfield.files import whole_path
from hounsfield.formats.nifti import extensions as nifti_extensions
from hounsfield.formats.nifti import gzip as nifti_gzip
from hounsfield.formats.nifti.fields import (
    DATATYPES,
    LAYOUTS,
    MAGIC_1,
    MAGIC_2,
    PAIR_1,
    PAIR_2,
    quaternion,
)
from hounsfield.formats.nifti.intent import COMPONENTS
from hounsfield.formats.storing import as_bytes, kind_of, storable, time_step
from hounsfield.geometry import Calibration, Patient, Plane
from hounsfield.image import Channel, Image

# What the header has no field for stands in its description, and is understood when read again
NO_GEOMETRY = b"hounsfield: no geometry, voxel sizes mean nothing"
CALIBRATIONS: dict[bytes, Calibration] = {
    b"hounsfield: pixel spacing measured in the object": "object",
    b"hounsfield: pixel spacing measured at the detector": "detector",
    b"hounsfield: pixel spacing of unknown calibration": "unknown",
}
NOTES = {name: note for note, name in CALIBRATIONS.items()}
_CODES = {kind: code for code, (kind, numbers) in DATATYPES.items() if numbers == 1}
_LONGEST = 32_767
_RGB = 128
_MM, _MM_AND_SECONDS = 2, 10


def write(image: Image, path: Path) -> None:
    """Write the image; gzip at the suffix .gz, the same bytes each time."""
    if path.suffix.lower() in (".hdr", ".img"):
        raise FormatError(
            "a pair of .hdr and .img is two files", remedy="nifti.write_pair writes both"
        )
    header, extension, voxels = _parts(image)
    header["vox_offset"] = header.nbytes + len(extension)
    header["magic"] = MAGIC_1 if header.nbytes == 348 else MAGIC_2
    _put(path, header.tobytes() + extension, voxels)


def write_pair(image: Image, path: Path) -> None:
    """x.hdr and x.img, or with .gz behind both; an old header goes first, the new one comes last.

    So there is never a header beside voxels that are not its own.
    """
    header, extension, voxels = _parts(image)
    header["magic"] = PAIR_1 if header.nbytes == 348 else PAIR_2
    place_pair(path, header.tobytes() + extension, voxels)


def place_pair(path: Path, header: bytes, voxels: memoryview) -> None:
    """Put a header and its voxels beside each other, each whole; `path` names either."""
    zipped = path.suffix.lower() == ".gz"
    end = path.suffix if zipped else ""
    stem = path.with_suffix("") if zipped else path
    if stem.suffix.lower() not in (".hdr", ".img"):
        raise UsageError(f"no pair has the suffix {stem.suffix!r}", remedy="name it x.hdr or x.img")
    upper = stem.suffix.isupper()
    suffixes = (".HDR", ".IMG") if upper else (".hdr", ".img")
    first, second = (Path(f"{stem.with_suffix(suffix)}{end}") for suffix in suffixes)
    with whole_path(first, suffix=end or ".part") as new:
        _put(new, header, memoryview(b""))
        with whole_path(second, suffix=end or ".part") as data:
            _put(data, b"", voxels)
            first.unlink(missing_ok=True)


def _put(path: Path, header: bytes, voxels: memoryview) -> None:
    if path.suffix.lower() == ".gz":
        nifti_gzip.write(path, header, voxels)
        return
    with path.open("wb") as file:
        file.write(header)
        file.write(voxels)


def _parts(image: Image) -> tuple[NDArray[Any], bytes, memoryview]:
    """Header, extension, and the voxels as bytes."""
    voxels, datatype = voxels_of(image)
    header = _header(image, datatype, voxels.dtype.itemsize * 8)
    told = () if datatype == _RGB else _untold(image, header)
    return header, nifti_extensions.write(told), as_bytes(voxels)


def _untold(image: Image, header: NDArray[Any]) -> tuple[Channel, ...]:
    """The channels, unless the header says all of them by itself."""
    step, start = float(header["pixdim"][4]), float(header["toffset"])
    said = tuple(Channel(time=start + step * i if step else None) for i in range(image.shape[0]))
    return () if said == image.channels else image.channels


def voxels_of(image: Image) -> tuple[NDArray[Any], int]:
    """The voxels in the order of the file, and their datatype code."""
    array = image.array
    if image.is_rgb and array.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(array, 0, 3)), _RGB
    array = storable(array, _CODES, "NIfTI")
    return array, _CODES[kind_of(array)]


def _header(image: Image, datatype: int, bits: int) -> NDArray[Any]:
    dim = _dim(image, 1 if datatype == _RGB else image.shape[0])
    size = 348 if max(dim) <= _LONGEST else 540
    header: NDArray[Any] = np.zeros((), LAYOUTS[size].newbyteorder("<"))
    header["sizeof_hdr"] = size
    header["dim"] = dim
    header["datatype"] = datatype
    header["bitpix"] = 24 if datatype == _RGB else bits
    header["scl_slope"] = 1
    step = time_step(image.channels)
    header["pixdim"] = (1, 1, 1, 1, step, 0, 0, 0)
    header["xyzt_units"] = _MM_AND_SECONDS if step else _MM
    if size == 348:
        header["regular"] = b"r"
    if isinstance(image.geometry, Patient):
        _place(header, image.geometry)
    elif isinstance(image.geometry, Plane):
        header["pixdim"][1:4] = (*image.geometry.spacing, 1 if image.shape[1] == 1 else 0)
        header["descrip"] = NOTES[image.geometry.calibration]
    else:
        header["xyzt_units"] = int(header["xyzt_units"]) & 0x38  # of time alone
        header["descrip"] = NO_GEOMETRY
    if image.channels[0].time is not None:
        header["toffset"] = image.channels[0].time
    _intend(header, image)
    return header


def _dim(image: Image, planes: int) -> tuple[int, ...]:
    """dim[8]: the axes behind z as they were read, else one of all volumes or components."""
    _, z, y, x = image.shape
    read: Any = image.stored.get("dim")
    known = image.stored.get("format") == "nifti" and isinstance(read, tuple) and len(read) == 7
    if known and math.prod(read[3:]) == planes:
        last = max((i for i in range(3, 7) if read[i] > 1), default=2)
        return (last + 1, x, y, z, *read[3:])
    intent = image.stored.get("intent")
    if planes > 1 and isinstance(intent, dict) and intent.get("code") in COMPONENTS:
        return (5, x, y, z, 1, planes, 1, 1)  # where nifti1.h has the components of a voxel
    return (3 if planes == 1 else 4, x, y, z, planes, 1, 1, 1)


def _intend(header: NDArray[Any], image: Image) -> None:
    """The intent that was read, or that is put into `stored["intent"]`."""
    intent = image.stored.get("intent")
    if not intent:
        return
    try:
        header["intent_code"] = int(intent["code"])
        header["intent_name"] = str(intent.get("name", "")).encode("latin-1")[:15]
        for number, value in enumerate(intent.get("parameters", ()), 1):
            header[f"intent_p{number}"] = value
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise FormatError(
            f"this intent cannot be written: {intent!r:.200}",
            expected="a code of nifti1.h, a name of Latin letters, up to three parameters",
        ) from error


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
