"""The NIfTI-1 and NIfTI-2 header: fields, types and the rules for the affine.

https://nifti.nimh.nih.gov/nifti-1 (nifti1.h, "3D image orientation") and nifti-2 (nifti2.h).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.nifti.intent import Intent, intent_of

# name, type: the fields in the order of nifti1.h, then of nifti2.h
_FIELDS_1 = (
    "sizeof_hdr i4, data_type S10, db_name S18, extents i4, session_error i2, regular S1, "
    "dim_info u1, dim 8i2, intent_p1 f4, intent_p2 f4, intent_p3 f4, intent_code i2, datatype i2, "
    "bitpix i2, slice_start i2, pixdim 8f4, vox_offset f4, scl_slope f4, scl_inter f4, "
    "slice_end i2, slice_code u1, xyzt_units u1, cal_max f4, cal_min f4, slice_duration f4, "
    "toffset f4, glmax i4, glmin i4, descrip S80, aux_file S24, qform_code i2, sform_code i2, "
    "quatern 3f4, qoffset 3f4, srow 12f4, intent_name S16, magic S4"
)
_FIELDS_2 = (
    "sizeof_hdr i4, magic S8, datatype i2, bitpix i2, dim 8i8, intent_p1 f8, intent_p2 f8, "
    "intent_p3 f8, pixdim 8f8, vox_offset i8, scl_slope f8, scl_inter f8, cal_max f8, cal_min f8, "
    "slice_duration f8, toffset f8, slice_start i8, slice_end i8, descrip S80, aux_file S24, "
    "qform_code i4, sform_code i4, quatern 3f8, qoffset 3f8, srow 12f8, slice_code i4, "
    "xyzt_units i4, intent_code i4, intent_name S16, dim_info u1, unused_str S15"
)


def _layout(fields: str) -> np.dtype[np.void]:
    return np.dtype([tuple(field.split(" ")) for field in fields.split(", ")])


_NAMES: dict[str, Any] = {"<": "little", ">": "big"}
LAYOUTS = {348: _layout(_FIELDS_1), 540: _layout(_FIELDS_2)}  # sizeof_hdr -> fields
MAGIC_1, MAGIC_2 = b"n+1\0", b"n+2\0\r\n\x1a\n"
PAIR_1, PAIR_2 = b"ni1\0", b"ni2\0\r\n\x1a\n"  # header and voxels in two files

# datatype code -> (numpy type of one number, numbers in a voxel)
DATATYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    32: ("f4", 2),  # complex64
    64: ("f8", 1),
    128: ("u1", 3),  # RGB
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    1792: ("f8", 2),  # complex128
    2304: ("u1", 4),  # RGBA
}
# What is not read, and why
_REFUSED = {
    0: "the type of the voxels is not said",
    1: "one bit a voxel: the standard does not say in which order the bits lie",
    1536: "128-bit floats: which of several kinds depends on the machine that wrote them",
    2048: "256-bit complex numbers: which of several kinds depends on the machine",
}
CIFTI = range(3000, 3100)  # intent codes of CIFTI-2, which is stored behind a NIfTI-2 header
COMPLEX = (32, 1792)
COLOUR = (128, 2304)

# Of 1 - b² - c² - d², as float32 stores b, c, d; nibabel has the same bound
_ROUNDING = 3 * float(np.finfo(np.float32).eps)
_SLACK = 1e-4

# xyzt_units: bits 0-2 are space (as mm), bits 3-5 time (as s)
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}  # unknown ones are often none: contrasts, directions


@dataclass(frozen=True, eq=False)
class Fields:
    """A header's fields, checked; `order` is the byte order of the file."""

    version: int
    order: str
    values: Mapping[str, Any]
    dim: tuple[int, ...]  # x, y, z, t, u, v, w; 1 where unused
    file: Path
    extended: bool = False  # extensions follow the header

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return int(self.values["sizeof_hdr"])

    @property
    def datatype(self) -> int:
        return int(self.values["datatype"])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one stored number, in the file's byte order."""
        return np.dtype(self.order + DATATYPES[self.datatype][0])

    @property
    def numbers(self) -> int:
        """Stored numbers in a voxel: 2 for complex ones, 3 or 4 for colours."""
        return DATATYPES[self.datatype][1]

    @property
    def offset(self) -> int:
        """Where the voxels begin."""
        return int(self.values["vox_offset"])

    @property
    def planes(self) -> int:
        """Volumes: everything behind z."""
        return int(np.prod(self.dim[3:], dtype=object))

    @property
    def channels(self) -> int:
        """Planes of C: the numbers of a voxel without alpha, of each volume."""
        return self.planes * min(self.numbers, 3)

    @property
    def scaling(self) -> tuple[float, float]:
        """(slope, intercept); (1, 0) where the slope says that there is none."""
        slope, intercept = float(self.values["scl_slope"]), float(self.values["scl_inter"])
        if slope == 0 or not np.isfinite(slope) or self.datatype in COLOUR:
            return 1.0, 0.0
        if not np.isfinite(intercept):
            raise FormatError(
                f"scl_inter is {intercept}", file=self.file, expected="a finite number"
            )
        return slope, intercept

    @property
    def intent(self) -> Intent | None:
        """What the values mean, where the header says so."""
        return intent_of(self.values)

    @property
    def millimetres(self) -> float:
        """One spatial unit of the header in mm; unknown units are taken as mm, as all tools do."""
        return _MILLIMETRES.get(int(self.values["xyzt_units"]) & 0x07, 1.0)

    @property
    def times(self) -> list[float] | None:
        """When each volume of a time series begins, in s; None if the fourth axis is no time."""
        unit = _SECONDS.get(int(self.values["xyzt_units"]) & 0x38)
        if unit is None or self.dim[3] == 1 or self.planes != self.dim[3]:
            return None
        step, start = float(self.values["pixdim"][4]), float(self.values["toffset"])
        if not (np.isfinite(step) and np.isfinite(start)) or step <= 0:
            return None
        return [(start + step * index) * unit for index in range(self.dim[3])]


def parse(block: bytes, file: Path) -> Fields:
    """The fields of a header block.

    Raises:
        FormatError: no NIfTI header, or a field outside the standard.
    """
    for size, layout in LAYOUTS.items():
        for order, name in _NAMES.items():
            if len(block) >= size and int.from_bytes(block[:4], name) == size:
                row = np.frombuffer(block[:size], layout.newbyteorder(name))[0]
                values = {name: row[name] for name in layout.names or ()}
                extended = block[size : size + 1] not in (b"", b"\0")
                return replace(_checked(size, order, values, file), extended=extended)
    raise FormatError(
        f"no NIfTI header ({len(block)} bytes, sizeof_hdr is neither 348 nor 540)",
        file=file,
        remedy="copy the file again; it is truncated or damaged",
    )


def _unread(datatype: int) -> str:
    why = _REFUSED.get(datatype)
    return f"datatype {datatype} is not one that is read" + (f" ({why})" if why else "")


def _checked(size: int, order: str, values: dict[str, Any], file: Path) -> Fields:
    count = int(values["dim"][0])
    dim = [int(n) for n in values["dim"][1 : count + 1]]
    problems = {
        f"dim[0] is {count}": not 1 <= count <= 7,
        f"dim is {dim}": any(n < 1 for n in dim),
        _unread(int(values["datatype"])): int(values["datatype"]) not in DATATYPES,
        f"vox_offset is {values['vox_offset']}": not 0 <= values["vox_offset"] < 2**40,
    }
    for problem, bad in problems.items():
        if bad:
            raise FormatError(
                problem, file=file, expected="a field as nifti1.h has it", remedy="export it again"
            )
    if int(values["intent_code"]) in CIFTI:
        raise FormatError(
            "this is CIFTI-2: values of surface points and grey matter, no grid of voxels",
            file=file,
            expected="a NIfTI image",
            remedy="nibabel's Cifti2Image reads it",
        )
    version = 1 if size == 348 else 2
    return Fields(version, order, values, (*dim, *[1] * (7 - len(dim))), file)


def affine_of(fields: Fields) -> tuple[NDArray[np.float64], str]:
    """`ras_from_voxel` in mm, and which of the three methods gave it.

    As the standard and nibabel have it: "sform" if sform_code > 0, else "qform" if
    qform_code > 0, else "none": the voxel sizes alone, x to the left, the grid centred on the
    origin, which is a convention and not a measurement.

    Raises:
        GeometryError: the chosen form's quaternion is none.
    """
    if fields.values["sform_code"] > 0:
        affine, method = _sform(fields), "sform"
    elif fields.values["qform_code"] > 0:
        affine, method = _qform(fields), "qform"
    else:
        affine, method = _centred(fields), "none"
    affine[:3] *= fields.millimetres
    return affine, method


def disagreement(fields: Fields) -> float | None:
    """How far sform and qform put a corner apart, in mm; None unless both are set and sound."""
    if fields.values["sform_code"] <= 0 or fields.values["qform_code"] <= 0:
        return None
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in fields.dim[:3]])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    try:
        apart = (_sform(fields) - _qform(fields)) @ corners
    except GeometryError:
        return None  # a bad qform is not used where there is an sform
    most = float(np.linalg.norm(apart[:3], axis=0).max() * fields.millimetres)
    return most if np.isfinite(most) else None


def _sform(fields: Fields) -> NDArray[np.float64]:
    affine = np.eye(4)
    with np.errstate(invalid="ignore"):  # of a signalling NaN, which is refused as any other
        affine[:3] = np.asarray(fields.values["srow"], np.float64).reshape(3, 4)
    return affine


def _qform(fields: Fields) -> NDArray[np.float64]:
    """Method 2 of nifti1.h: a unit quaternion, voxel sizes, and the handedness in pixdim[0]."""
    b, c, d = (float(value) for value in fields.values["quatern"])
    square = 1.0 - (b * b + c * c + d * d)
    if square < -_SLACK:
        raise GeometryError(
            f"the quaternion {b, c, d} is longer than 1",
            file=fields.file,
            remedy="correct the header",
        )
    if square < _ROUNDING:  # a half turn: the three lie on the unit sphere but for rounding
        length = np.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = np.sqrt(square)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sizes = np.abs(np.asarray(fields.values["pixdim"][1:4], np.float64))
    handed = -1.0 if fields.values["pixdim"][0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * (1.0, 1.0, handed)
    affine[:3, 3] = np.asarray(fields.values["qoffset"], np.float64)
    return affine


def _centred(fields: Fields) -> NDArray[np.float64]:
    sizes = np.abs(np.asarray(fields.values["pixdim"][1:4], np.float64)) * (-1.0, 1.0, 1.0)
    sizes = np.where(sizes == 0, 1.0, sizes)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -sizes * (np.array(fields.dim[:3]) - 1) / 2
    return affine


def quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """(b, c, d) of a proper rotation matrix, with a ≥ 0: the eigenvector of Bar-Itzhack (2000)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx - yy - zz, yx + xy, zx + xz, zy - yz],
            [yx + xy, yy - xx - zz, zy + yz, xz - zx],
            [zx + xz, zy + yz, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    _, vectors = np.linalg.eigh(symmetric)
    b, c, d, a = vectors[:, 3]
    sign = -1.0 if a < 0 else 1.0
    return float(b * sign), float(c * sign), float(d * sign)
