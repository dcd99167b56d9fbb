"""Analyze 7.5: a header of 348 bytes, x.hdr, beside the voxels, x.img; either may be gzip.

The format has no field that says which side of the body is left. Values and voxel sizes are
exact; for the place, SPM's convention is kept as nibabel keeps it: x runs to the patient's left,
y to the front, z to the head, and the origin is the voxel that SPM's field names, or the centre.
That is a convention and no measurement, so `stored["handedness"]` is "undefined" and
`stored["orientation"]` "none", and `info` says so. What rests on more is taken as it is: an SPM
matrix in x.mat beside (its axes are SPM's, handedness included) gives the affine. What
contradicts the convention is not guessed at: where the header itself says that the slices are
coronal, sagittal or flipped, there is no geometry, and the voxel sizes stand in
`stored["voxel_mm"]`. Axes behind z are flattened into C. Slope and intercept are read by SPM2's
rules, as nibabel does.

Mayo Clinic, dbh.h (ANALYZE 7.5 file format); J. Ashburner, spm_vol_ana.m of SPM2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.formats.nifti import pair as nifti_pair
from hounsfield.formats.nifti.voxels import Voxels
from hounsfield.formats.nifti.writing import CALIBRATIONS, NO_GEOMETRY
from hounsfield.formats.places import patient
from hounsfield.formats.streams import beginning, is_gzip
from hounsfield.geometry import Geometry, Patient, Plane, shifted
from hounsfield.image import Channel, Image

SUFFIX = ".hdr"
EXTRA = None

SIZE = 348
# name -> type, offset (dbh.h; slope, intercept and origin are SPM's use of spare fields)
_FIELDS = {
    "sizeof_hdr": ("i4", 0), "extents": ("i4", 32), "regular": ("S1", 38), "dim": ("8i2", 40),
    "vox_units": ("S4", 56), "datatype": ("i2", 70), "bitpix": ("i2", 72), "pixdim": ("8f4", 76),
    "vox_offset": ("f4", 108), "slope": ("f4", 112), "intercept": ("f4", 116),
    "cal_max": ("f4", 124), "cal_min": ("f4", 128), "glmax": ("i4", 140), "glmin": ("i4", 144),
    "descrip": ("S80", 148), "orient": ("u1", 252), "origin": ("3i2", 253),
}  # fmt: skip
LAYOUT = np.dtype({
    "names": list(_FIELDS), "formats": [kind for kind, _ in _FIELDS.values()],
    "offsets": [at for _, at in _FIELDS.values()], "itemsize": SIZE,
})  # fmt: skip
_LAYOUTS = {"<": LAYOUT.newbyteorder("<"), ">": LAYOUT.newbyteorder(">")}
DATATYPES = {2: ("u1", 1), 4: ("i2", 1), 8: ("i4", 1), 16: ("f4", 1), 32: ("f4", 2), 64: ("f8", 1)}
_REFUSED = {
    0: "the type of the voxels is not said",
    1: "one bit a voxel: the format does not say in which order the bits lie",
    128: "colours: some programs store them voxel by voxel, others plane by plane",
}
_SLICES = {1: "coronal", 2: "sagittal", 3: "flipped transverse", 4: "flipped coronal",
           5: "flipped sagittal"}  # fmt: skip
_MILLIMETRES = {b"m": 1000.0, b"cm": 10.0, b"um": 0.001}
_MAT_BYTES = 1 << 16
UNDEFINED = (
    "handedness undefined: Analyze does not say which side is left; "
    "x is taken to run to the left, as SPM and nibabel take it"
)


@dataclass(frozen=True, eq=False)
class _Opened:
    """A header's fields, checked, and where the voxels lie."""

    file: Path
    fields: Any
    dim: tuple[int, ...]  # x, y, z and those behind, 1 where unused
    voxels: Voxels

    @cached_property
    def place(self) -> tuple[Geometry, str]:
        """Where the voxels are, and what says so: "spm", "none", or slices that contradict."""
        return _geometry(self)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Voxel sizes in mm; units that the header does not name are mm, by the standard."""
        unit = _MILLIMETRES.get(bytes(self.fields["vox_units"]).strip().lower(), 1.0)
        # The shortest decimal of the stored float32: 0.1, not 0.10000000149
        return np.array([abs(float(str(size))) * unit for size in self.fields["pixdim"][1:4]])


def sniff(head: bytes, path: Path) -> bool:
    if _order(beginning(head, SIZE)):
        return True
    header = nifti_pair.header_for(path)
    return header is not None and bool(_order(nifti_pair.start_of(header, SIZE)))


def find(path: Path) -> list[Source]:
    """Both files, whichever was given.

    Raises:
        FormatError: one of the two is missing.
    """
    return [nifti_pair.source_of(path)]


def header(source: Source) -> Header:
    """The header alone.

    Raises:
        FormatError: a field outside the standard, or more voxels promised than the file can hold.
        GeometryError: an SPM matrix beside that is none.
    """
    with refusing(source.file, "the header"):
        return _header(source, _open(source))


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels as physical values (C, Z, Y, X); see the module for what their place is worth.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"):
        opened = _open(source)
        head = _header(source, opened)
        planes = opened.voxels.read(*frame_range(source, opened.dim[2]))
        array = as_small(chosen(planes, like, source.file))
        return Image(array, head.geometry, head.channels, _stored(opened))


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes, without the rest."""
    return read(source.part(z0, z1))


def write_pair(image: Image, path: Path) -> None:
    """Write x.hdr and x.img, given the name of either; both appear whole, the header last.

    Raises:
        FormatError: Analyze has no such values, or no field for what the channels say.
        GeometryError: it would not come back where it is: another orientation or origin.
    """
    from hounsfield.formats.analyze.writing import write_pair as write_both

    write_both(image, path)


def _order(block: bytes) -> str:
    """The byte order of an Analyze header, or nothing."""
    if len(block) < SIZE or block[344:347] in (b"ni1", b"n+1"):
        return ""
    for order in _LAYOUTS:
        fields = np.frombuffer(block[:SIZE], _LAYOUTS[order])[0]
        if fields["sizeof_hdr"] == SIZE and 1 <= fields["dim"][0] <= 7:
            return order
    return ""


def _open(source: Source) -> _Opened:
    path, data = (source if len(source.paths) == 2 else find(source.file)[0]).files
    block = nifti_pair.start_of(path, SIZE)
    order = _order(block)
    if not order:
        raise FormatError("no Analyze header", file=path, remedy="copy the file again")
    fields = np.frombuffer(block[:SIZE], _LAYOUTS[order])[0]
    code, count, offset = int(fields["datatype"]), int(fields["dim"][0]), fields["vox_offset"]
    dim = [int(n) for n in fields["dim"][1 : count + 1]] + [1] * (7 - count)
    dim[3:] = [n or 1 for n in dim[3:]]  # 0 is how some writers say that an axis is not used
    why = f" ({_REFUSED[code]})" if code in _REFUSED else ""
    problems = {
        f"datatype {code} is not one that is read{why}": code not in DATATYPES,
        f"dim is {dim}": any(n < 1 for n in dim),
        f"vox_offset is {offset}": not 0 <= offset < 2**40,
    }
    for problem, bad in problems.items():
        if bad:
            raise FormatError(
                problem, file=path, expected="a field as dbh.h has it", remedy="export it again"
            )
    kind, numbers = DATATYPES[code]
    shape = (int(np.prod(dim[3:], dtype=object)), dim[2], dim[1], dim[0])
    voxels = Voxels(data, int(offset), np.dtype(order + kind), shape, numbers, _scaling(fields))
    voxels.check()
    return _Opened(path, fields, tuple(dim), voxels)


def _scaling(fields: Any) -> tuple[float, float]:
    """Slope and intercept by SPM2's rules; (1, 0) where the header has none."""
    slope, intercept = float(fields["slope"]), float(fields["intercept"])
    if np.isfinite(slope) and slope != 0:
        return slope, intercept if np.isfinite(intercept) else 0.0
    stored = int(fields["glmax"]) - int(fields["glmin"])
    scaled = float(fields["cal_max"]) - float(fields["cal_min"])
    if stored == 0 or scaled == 0 or not np.isfinite(scaled):
        return 1.0, 0.0
    return scaled / stored, float(fields["cal_min"]) - scaled / stored * int(fields["glmin"])


def _header(source: Source, opened: _Opened) -> Header:
    first, last = frame_range(source, opened.dim[2])
    names = ("real", "imaginary") if opened.voxels.numbers == 2 else ("",)
    channels = tuple(Channel(name) for _ in range(opened.voxels.shape[0]) for name in names)
    geometry, method = opened.place
    slope, intercept = opened.voxels.scaling
    words = f"Analyze 7.5, {opened.voxels.dtype.newbyteorder('=')}"
    words += f" × {slope:g} + {intercept:g}" if (slope, intercept) != (1, 0) else ""
    words += "; placed by SPM's .mat beside it" if method == "spm" else f"; {UNDEFINED}"
    if method in _SLICES.values():
        words += f"; the slices are said to be {method}, so there is no geometry"
    return Header(
        format="analyze",
        shape=(len(channels), last - first, opened.dim[1], opened.dim[0]),
        dtype=opened.voxels.value_dtype,
        geometry=shifted(geometry, first),
        channels=channels,
        facts=Facts(stored=words + (", gzip" if is_gzip(opened.voxels.file) else "")),
    )


def _geometry(opened: _Opened) -> tuple[Geometry, str]:
    spm = _matrix_beside(opened.file)
    if spm is not None:
        return spm, "spm"
    slices = _SLICES.get(int(opened.fields["orient"]))
    if slices is not None:
        return None, slices
    note = bytes(opened.fields["descrip"]).split(b"\0")[0]
    sizes = opened.sizes
    if not np.isfinite(sizes).all():
        raise GeometryError(f"voxel sizes of {sizes.tolist()} mm", file=opened.file)
    if note == NO_GEOMETRY or not (sizes[:2] > 0).all():
        return None, "none"
    if opened.dim[2] == 1 or sizes[2] == 0 or note in CALIBRATIONS:
        x, y = map(float, sizes[:2])
        return Plane((x, y), CALIBRATIONS.get(note, "unknown")), "none"
    origin = np.array(opened.fields["origin"], np.float64)
    dims = np.array(opened.dim[:3])
    return patient(conventional(sizes, dims, origin), opened.file), "none"


def conventional(
    sizes: NDArray[np.float64], dims: NDArray[Any], origin: NDArray[Any]
) -> NDArray[np.float64]:
    """SPM's affine: x to the left, 0 mm at `origin` (voxels from 1), or at the grid's centre."""
    sound = origin.any() and (origin > -dims).all() and (origin < 2 * dims).all()
    steps = sizes * (-1.0, 1.0, 1.0)
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (origin - 1 if sound else (dims - 1) / 2)
    return affine


def _matrix_beside(header_file: Path) -> Patient | None:
    """The grid from SPM's x.mat: `mat`, or SPM99's `M`, which knows no flip; voxels from 1."""
    stem = header_file.with_suffix("") if header_file.suffix.lower() == ".gz" else header_file
    file = stem.with_suffix(".mat")
    if not file.is_file() or not 0 < file.stat().st_size <= _MAT_BYTES:
        return None
    from scipy.io import loadmat

    with refusing(file, "SPM's matrix", "remove it, if it does not belong to the image"):
        found = loadmat(file, variable_names=("mat", "M"))
        name = "mat" if "mat" in found else "M"
        if name not in found:
            return None
        matrices = np.asarray(found[name]).astype(np.float64, casting="safe")
    first = matrices[..., 0] if matrices.ndim == 3 else matrices
    if first.shape != (4, 4) or (matrices.ndim == 3 and (matrices != first[..., None]).any()):
        raise GeometryError(
            f"{name} is {matrices.shape}, and not one matrix for all volumes",
            file=file,
            expected="a matrix (4, 4)",
            remedy="reslice the volumes onto one grid, or remove the file",
        )
    from_one = np.eye(4)
    from_one[:3, 3] = 1
    unflipped = np.diag([1.0 if name == "mat" else -1.0, 1, 1, 1])
    return patient(unflipped @ first @ from_one, file)


def _stored(opened: _Opened) -> dict[str, object]:
    slope, intercept = opened.voxels.scaling
    method = opened.place[1]
    return {
        "format": "analyze",
        "dtype": opened.voxels.dtype.newbyteorder("=").name,
        "slope": slope,
        "intercept": intercept,
        "orientation": "spm" if method == "spm" else "none",
        "handedness": "spm" if method == "spm" else "undefined",
        "voxel_mm": tuple(map(float, opened.sizes)),
        "dim": opened.dim,
    }
