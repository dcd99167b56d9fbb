"""NIfTI-1 and NIfTI-2 in one file, .nii and .nii.gz: read and written.

x, y, z become X, Y, Z; all axes behind them are flattened into C in the order of the file.
Values are scaled where the header says so; unscaled ones keep their stored type. An image
without orientation (both codes 0) of one slice, or of slices without a distance, is a `Plane`,
without voxel sizes it has no geometry; else it has the centred affine that nibabel gives it,
and `stored["orientation"]` says "none".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats import nifti_write
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise, frame_range, refusing
from hounsfield.formats.nifti_header import (
    COLOUR,
    COMPLEX,
    LAYOUTS,
    MAGIC_1,
    MAGIC_2,
    Fields,
    affine_of,
    disagreement,
    parse,
)
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import RGB, Channel, Image

SUFFIX = ".nii.gz"
EXTRA = None

_GZIP = b"\x1f\x8b"
_AGREE = 0.01  # mm; float32 headers differ by less


def sniff(head: bytes, path: Path) -> bool:
    if head[:2] == _GZIP:
        head = _start_of_gzip(head)
    return head[344:348] in (MAGIC_1, b"ni1\0") or head[4:8] in (MAGIC_2[:4], b"ni2\0")


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The header alone; of a .nii.gz only its first kilobytes are inflated.

    Raises:
        FormatError: a field outside the standard, more voxels promised than the file can hold,
            or the header of a .hdr/.img pair.
        GeometryError: an affine that is singular.
    """
    with refusing(source.file, "the header"):
        fields = _fields(source.file)
        return _header(source, fields)


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels as physical values (C, Z, Y, X), read or inflated into their own buffer.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"):
        fields = _fields(source.file)
        head = _header(source, fields)
        numbers = _all_numbers(source.file, fields)
        array = _as_image(numbers, fields)
        first, last = frame_range(source, fields.dim[2])
        array = chosen(_scaled(array, fields)[:, first:last], like, source.file)
        return Image(as_small(array), head.geometry, head.channels, _stored(fields))


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; of an uncompressed file the others are not read."""
    whole = Source(source.root, source.paths)
    first, _ = source.frames or (0, 0)
    part = Source(source.root, source.paths, None, (first + z0, first + z1))
    if _is_gzip(source.file):
        return read(part)
    with refusing(source.file, "the voxels"):
        fields = _fields(source.file)
        head = _header(part, fields)
        _header(whole, fields)
        lines = np.memmap(source.file, np.uint8, "r", fields.offset)
        count = int(np.prod(fields.dim, dtype=object)) * fields.numbers
        numbers = lines[: count * fields.dtype.itemsize].view(fields.dtype)
        array = _as_image(numbers, fields)[:, first + z0 : first + z1]
        array = as_small(np.array(_scaled(array, fields)))
        return Image(array, head.geometry, head.channels, _stored(fields))


def write(image: Image, path: Path) -> None:
    """Write NIfTI-1, or NIfTI-2 where an axis is longer than 32,767; every value is kept.

    Raises:
        FormatError: the format has no such values, or no such geometry.
    """
    nifti_write.write(image, path)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _start_of_gzip(head: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompressobj(31).decompress(head, 1024)
    except zlib.error:
        return b""


def _fields(path: Path) -> Fields:
    with path.open("rb") as file:
        block = file.read(8192)
    fields = parse(_start_of_gzip(block) if block[:2] == _GZIP else block, path)
    magic = bytes(fields.values["magic"])
    if magic.startswith((b"ni1", b"ni2")):
        raise FormatError(
            "this is the header of a .hdr/.img pair",
            file=path,
            expected="header and voxels in one file (.nii, .nii.gz)",
            remedy="join the pair, e.g. with nibabel: nib.save(nib.load('x.hdr'), 'x.nii.gz')",
        )
    if fields.offset < LAYOUTS_SIZE[fields.version]:
        raise FormatError(f"vox_offset {fields.offset} lies inside the header", file=path)
    return fields


LAYOUTS_SIZE = dict(zip((1, 2), LAYOUTS, strict=True))  # version -> bytes of its header


def _header(source: Source, fields: Fields) -> Header:
    path = source.file
    size = path.stat().st_size
    zipped = _is_gzip(path)
    found = size if zipped else size - fields.offset
    shape = (fields.planes, *fields.dim[2::-1], fields.numbers)
    check_promise(path, shape, fields.dtype, found, DEFLATE_RATIO if zipped else 1)
    first, last = frame_range(source, fields.dim[2])
    channels = _channels(fields)
    return Header(
        format="nifti",
        shape=(len(channels), last - first, fields.dim[1], fields.dim[0]),
        dtype=_value_dtype(fields),
        geometry=_geometry(fields, first),
        channels=channels,
        facts=Facts(stored=_coding(fields, zipped)),
    )


def _coding(fields: Fields, zipped: bool) -> str:
    slope, intercept = fields.scaling
    words = f"NIfTI-{fields.version}, {fields.dtype.newbyteorder('=')}"
    words += f" × {slope:g} + {intercept:g}" if (slope, intercept) != (1, 0) else ""
    apart = disagreement(fields)
    words += f"; sform and qform are {apart:.3g} mm apart" if apart and apart > _AGREE else ""
    return words + (", gzip" if zipped else "")


def _channels(fields: Fields) -> tuple[Channel, ...]:
    if fields.datatype in COLOUR:
        return tuple(channel for _ in range(fields.planes) for channel in RGB)
    if fields.datatype in COMPLEX:
        return tuple(Channel(name) for _ in range(fields.planes) for name in ("real", "imaginary"))
    times = fields.times
    return tuple(Channel(time=times[i] if times else None) for i in range(fields.planes))


def _geometry(fields: Fields, first: int) -> Geometry:
    affine, method = affine_of(fields)
    if method == "none":
        note = bytes(fields.values["descrip"]).split(b"\0")[0]
        # The shortest decimal of the stored float32 or float64: 0.1, not 0.10000000149
        sizes = (abs(float(str(size))) for size in fields.values["pixdim"][1:4])
        x, y, z = (size * fields.millimetres for size in sizes)
        if note == nifti_write.NO_GEOMETRY or not (x > 0 and y > 0):
            return None
        if fields.dim[2] == 1 or z == 0 or note in nifti_write.CALIBRATIONS:
            return Plane((x, y), nifti_write.CALIBRATIONS.get(note, "unknown"))
    old_from_new = np.eye(4)
    old_from_new[2, 3] = first
    return Patient(affine @ old_from_new)


def _stored(fields: Fields) -> dict[str, object]:
    slope, intercept = fields.scaling
    return {
        "format": "nifti",
        "version": fields.version,
        "dtype": fields.dtype.newbyteorder("=").name,
        "slope": slope,
        "intercept": intercept,
        "orientation": affine_of(fields)[1],
        "sform_qform_apart_mm": disagreement(fields),
        "dim": fields.dim,
    }


def _all_numbers(path: Path, fields: Fields) -> NDArray[Any]:
    """Every stored number, in the order of the file."""
    count = int(np.prod(fields.dim, dtype=object)) * fields.numbers
    if not _is_gzip(path):
        numbers = np.fromfile(path, fields.dtype, count, offset=fields.offset)
        if numbers.size == count:
            return numbers
        raise _ends_early(path, numbers.nbytes, count * fields.dtype.itemsize)
    from isal import igzip

    numbers = np.empty(count, fields.dtype)
    target = memoryview(numbers.view(np.uint8).data)
    at = 0
    with igzip.open(path, "rb") as file:
        _pass_over(file, fields.offset)
        while at < len(target) and (got := file.readinto(target[at:])):
            at += got
        if at < len(target):
            raise _ends_early(path, at, len(target))
        file.read(1)  # the end of the stream checks its sum
    return numbers


def _pass_over(file: Any, count: int) -> None:
    while count > 0 and (part := file.read(min(count, 1 << 20))):
        count -= len(part)


def _ends_early(path: Path, found: int, promised: int) -> FormatError:
    return FormatError(
        f"the voxels end after {found:,} of {promised:,} bytes",
        file=path,
        remedy="copy the file again; it is truncated",
    )


def _as_image(numbers: NDArray[Any], fields: Fields) -> NDArray[Any]:
    """(C, Z, Y, X); several numbers in a voxel become channels, alpha is dropped."""
    x, y, z = fields.dim[:3]
    if fields.numbers == 1:
        return numbers.reshape(fields.planes, z, y, x)
    voxels = numbers.reshape(fields.planes, z, y, x, fields.numbers)
    kept = min(fields.numbers, 3)
    return np.moveaxis(voxels, 4, 1)[:, :kept].reshape(fields.planes * kept, z, y, x)


def _value_dtype(fields: Fields) -> np.dtype[Any]:
    """Stored type without scaling; scaled: int16 if that is exact, else a float wide enough."""
    stored = fields.dtype.newbyteorder("=")
    slope, intercept = fields.scaling
    if (slope, intercept) == (1, 0):
        return stored
    if stored.kind in "iu" and slope.is_integer() and intercept.is_integer():
        limits = np.iinfo(stored.name)
        ends = [end * slope + intercept for end in (int(limits.min), int(limits.max))]
        if min(ends) >= -32768 and max(ends) <= 32767:
            return np.dtype(np.int16)
    return np.dtype(np.float64 if stored.itemsize > 2 and stored != np.float32 else np.float32)


def _scaled(array: NDArray[Any], fields: Fields) -> NDArray[Any]:
    slope, intercept = fields.scaling
    dtype = _value_dtype(fields)
    if (slope, intercept) == (1, 0):
        return array.astype(dtype, copy=False)
    values = array.astype(np.float64)
    values *= slope
    values += intercept
    return values.astype(dtype, copy=False)
