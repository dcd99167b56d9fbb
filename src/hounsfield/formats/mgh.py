"""FreeSurfer's MGH and MGZ: read and written.

Width, height and depth are X, Y, Z, frames are C. The header is big-endian and has 284 bytes;
behind the voxels may stand the scan's times and tags. Without goodRASFlag there is no geometry
(FreeSurfer and nibabel then take a coronal 1 mm, which is a convention and not a measurement).
https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import Struct, error
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise, frame_range, refusing
from hounsfield.formats.places import patient
from hounsfield.formats.remarks import Remark, remark, understood
from hounsfield.formats.storing import WIDER, as_bytes, kind_of, storable, time_step
from hounsfield.formats.streams import beginning, ends_early, fill, is_gzip, pass_over
from hounsfield.geometry import Geometry, Patient, shifted
from hounsfield.image import Channel, Image

SUFFIX = ".mgz"
EXTRA = None

_OFFSET = 284
_HEAD = Struct(">7ih15f")  # version, 4 sizes, type, dof, goodRASFlag, mm, 9 cosines, centre
_TIMES = Struct(">5f")  # TR in ms, flip angle, TE, TI, field of view
_TAG = Struct(">iq")  # which, how many bytes follow
_COMMAND_LINE = 3  # TAG_CMDLINE: free text, passed over by others
_MOST_TAG = 1 << 20
_SPARE = 90  # from here to the voxels the header is unused: our remark, if it fits
# type -> numpy's; MRI_LONG, MRI_BITMAP, MRI_TENSOR and complex ones are read by no one
_TYPES = {0: "u1", 1: "i4", 3: "f4", 4: "i2", 10: "u2"}
_CODES = {kind: code for code, kind in _TYPES.items()}
_WIDER = WIDER | {"i1": "i2", "u4": "i4", "i8": "i4", "u8": "i4", "f8": "f4"}


@dataclass(frozen=True, eq=False)
class _Fields:
    file: Path
    sizes: tuple[int, int, int, int]  # x, y, z, frames
    dtype: np.dtype[Any]  # as stored
    placed: bool
    millimetres: NDArray[np.float64]  # (3,)
    cosines: NDArray[np.float64]  # (3, 3), a column for each axis
    centre: NDArray[np.float64]  # RAS in the middle of the grid, sizes / 2
    line: str  # our remark

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.sizes[::-1]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.sizes, dtype=object)) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class _Parsed:
    fields: _Fields
    head: Header
    first: int
    last: int


def sniff(head: bytes, path: Path) -> bool:
    head = beginning(head, 1024)
    if len(head) < _HEAD.size:
        return False
    version, *sizes, kind, _dof, placed = _HEAD.unpack_from(head)[:8]
    return version == 1 and min(sizes) > 0 and 0 <= kind <= 10 and placed in (0, 1)


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The header, and the time between frames, which stands behind the voxels.

    Raises:
        FormatError: a field outside the format, or more voxels promised than the file holds.
        GeometryError: a place that is singular or not finite.
    """
    with refusing(source.file, "the header"), _opened(source.file) as file:
        fields = _fields(file, source.file)
        if fields.sizes[3] == 1:
            return _parsed(source, fields, b"").head
        if is_gzip(source.file):
            if (found := pass_over(file, fields.nbytes)) < fields.nbytes:
                raise ends_early(source.file, found, fields.nbytes)
        else:
            file.seek(_OFFSET + fields.nbytes)
        return _parsed(source, fields, file.read(_MOST_TAG)).head


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels as stored (C, Z, Y, X), read or inflated into their own buffer.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"), _opened(source.file) as file:
        fields = _fields(file, source.file)
        array = np.empty(fields.shape, fields.dtype)
        buffer = memoryview(array.reshape(-1).view(np.uint8).data)
        if (found := fill(file, buffer)) < array.nbytes:
            raise ends_early(source.file, found, array.nbytes)
        parsed = _parsed(source, fields, file.read(_MOST_TAG))
        while file.read(_MOST_TAG):  # the end of the stream checks its sum
            pass
        native = array.byteswap(inplace=True).view(parsed.head.dtype)
        native = chosen(native[:, parsed.first : parsed.last], like, source.file)
        return _image(as_small(native), parsed)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; of an .mgh the others are not read."""
    part = source.part(z0, z1)
    if is_gzip(source.file):
        return read(part)
    with refusing(source.file, "the voxels"), _opened(source.file) as file:
        fields = _fields(file, source.file)
        file.seek(_OFFSET + fields.nbytes)
        parsed = _parsed(part, fields, file.read(_MOST_TAG))
        voxels = np.memmap(source.file, fields.dtype, "r", _OFFSET, fields.shape)
        return _image(as_small(np.array(voxels[:, parsed.first : parsed.last])), parsed)


def write(image: Image, path: Path) -> None:
    """Frames of uint8, int16, int32, uint16 or float32; other types where no value changes.

    Raises:
        FormatError: values that these types cannot hold.
    """
    array = storable(image.array, _CODES, "MGH", _WIDER)
    blocks = (
        _head(image, _CODES[kind_of(array)]),
        as_bytes(array, ">"),
        _tail(image),
    )
    if path.suffix.lower() == ".mgz":
        from isal import igzip

        with path.open("wb") as raw, igzip.IGzipFile("", "wb", 2, raw, mtime=0) as zipped:
            for block in blocks:
                zipped.write(block)
        return
    with path.open("wb") as plain:
        for block in blocks:
            plain.write(block)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not is_gzip(path):
        with path.open("rb") as plain:
            yield plain
        return
    from isal import igzip

    with igzip.open(path, "rb") as zipped:
        yield zipped


def _fields(file: IO[bytes], path: Path) -> _Fields:
    block = file.read(_OFFSET)
    if len(block) < _OFFSET:
        raise FormatError("the header is cut off", file=path, remedy="copy the file again")
    version, x, y, z, frames, kind, _dof, placed, *reals = _HEAD.unpack_from(block)
    if version != 1 or min(x, y, z, frames) < 1 or kind not in _TYPES or placed not in (0, 1):
        raise FormatError(
            f"version {version}, sizes {x}×{y}×{z}×{frames}, type {kind}, goodRASFlag {placed}",
            file=path,
            expected=f"version 1, sizes from 1, types {', '.join(map(str, _TYPES))}",
            remedy="convert it with FreeSurfer's mri_convert",
        )
    values = np.array(reals)
    fields = _Fields(
        path, (x, y, z, frames), np.dtype(">" + _TYPES[kind]), bool(placed),
        values[:3], values[3:12].reshape(3, 3).T, values[12:], _line(block[_SPARE:]),
    )  # fmt: skip
    zipped = is_gzip(path)
    size = path.stat().st_size
    found = size if zipped else size - _OFFSET
    check_promise(path, fields.shape, fields.dtype, found, DEFLATE_RATIO if zipped else 1)
    return fields


def _parsed(source: Source, fields: _Fields, tail: bytes) -> _Parsed:
    first, last = frame_range(source, fields.sizes[2])
    frames = fields.sizes[3]
    milliseconds, line = _said(tail if frames > 1 else b"")
    noted = understood(fields.line or line, frames, fields.file)
    channels = noted.channels or tuple(
        Channel(time=frame * milliseconds / 1000 if milliseconds else None)
        for frame in range(frames)
    )
    dtype = fields.dtype.newbyteorder("=")
    head = Header(
        format="mgh",
        shape=(frames, last - first, fields.sizes[1], fields.sizes[0]),
        dtype=dtype,
        geometry=shifted(_geometry(fields, noted), first),
        channels=channels,
        facts=Facts(stored=f"MGH, {dtype}" + (", gzip" if is_gzip(fields.file) else "")),
    )
    return _Parsed(fields, head, first, last)


def _said(tail: bytes) -> tuple[float, str]:
    """TR in ms where frames follow each other in time, and our remark, from behind the voxels."""
    if len(tail) < _TIMES.size:
        return 0.0, ""
    repetition = float(_TIMES.unpack_from(tail)[0])
    line, at = "", _TIMES.size
    try:
        while not line:
            which, length = _TAG.unpack_from(tail, at)
            text = tail[at + _TAG.size : at + _TAG.size + max(length, 0)]
            line = _line(text) if which == _COMMAND_LINE else ""
            at += _TAG.size + max(length, 0)
    except error:
        pass  # the tags of others have lengths of many kinds, and are not needed
    return repetition if np.isfinite(repetition) and repetition > 0 else 0.0, line


def _line(text: bytes) -> str:
    return text.rstrip(b"\0").decode("latin-1") if text[:1] == b"{" else ""


def _geometry(fields: _Fields, noted: Remark) -> Geometry:
    if not fields.placed:
        return noted.plane
    steps = fields.cosines * fields.millimetres
    ras_from_voxel = np.eye(4)
    ras_from_voxel[:3, :3] = steps
    ras_from_voxel[:3, 3] = fields.centre - steps @ (np.array(fields.sizes[:3]) / 2)
    return patient(ras_from_voxel, fields.file)


def _image(array: NDArray[Any], parsed: _Parsed) -> Image:
    stored = {
        "format": "mgh",
        "dtype": parsed.head.dtype.name,
        "orientation": "patient" if parsed.fields.placed else "none",
    }
    return Image(array, parsed.head.geometry, parsed.head.channels, stored)


def _head(image: Image, code: int) -> bytes:
    c, z, y, x = image.shape
    sizes, cosines, centre = np.ones(3), np.zeros((3, 3)), np.zeros(3)
    if isinstance(image.geometry, Patient):
        affine = image.geometry.affine
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        cosines = affine[:3, :3] / sizes
        centre = affine[:3, :3] @ (np.array([x, y, z]) / 2) + affine[:3, 3]
    placed = int(isinstance(image.geometry, Patient))
    reals = (*sizes, *cosines.T.reshape(-1), *centre)
    head = _HEAD.pack(1, x, y, z, c, code, 0, placed, *reals).ljust(_SPARE, b"\0")
    line = remark(image, spacing=True).encode("ascii")
    return (head + line if len(line) <= _OFFSET - _SPARE else head).ljust(_OFFSET, b"\0")


def _tail(image: Image) -> bytes:
    """TR where volumes follow each other evenly, and a remark too long for the header."""
    line = remark(image, spacing=True).encode("ascii")
    step = time_step(image.channels)
    long = len(line) > _OFFSET - _SPARE
    if long and image.shape[0] == 1:
        raise FormatError("MGH has no room for so long a name of a channel", remedy="shorten it")
    tail = _TIMES.pack(step * 1000, 0, 0, 0, 0)
    if long:
        return tail + _TAG.pack(_COMMAND_LINE, len(line) + 1) + line + b"\0"
    return tail if step else b""
