"""The records that FLIR's cameras hide in a JPEG: segments to container, container to records.

The layout is not published by the maker; it is documented by ExifTool's tables of FLIR tags
(https://exiftool.org/TagNames/FLIR.html). A JPEG's APP1 segments that begin with FLIR\\0 carry,
numbered, the pieces of an FFF container: a header, a directory, records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from struct import unpack_from
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats import codestream
from hounsfield.formats.guard import CODEC_RATIO, DEFLATE_RATIO, check_promise

RAW, VISIBLE, CAMERA = 0x01, 0x0E, 0x20  # record types
JPEG, CONTAINER = b"\xff\xd8\xff", b"FFF\0"

_MARK = b"FLIR\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_SEGMENTS = 4096  # a JPEG with more segments before its picture is none that a camera wrote
_ENTRY, _ENTRIES = 32, 1024  # bytes of a directory's entry, and the most that are believed
_PICTURE = 32  # where the picture begins in records of pictures
_SWAPPED = 0x0100  # a record begins with a small number; a large one was written in the other order
_DAMAGED = "copy the file again; `FILE#palette` reads the picture alone"


def segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) in the file of each segment up to the first scan; only their first
    bytes are read."""
    at = 2
    for _ in range(_SEGMENTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        if head[1] == 0xFF:  # fill
            at += 1
            continue
        length = int.from_bytes(head[2:4], "big")
        if head[1] == 0xD9 or length < 2:
            return
        yield head[1], at + 4, at + 2 + length
        if head[1] == 0xDA:
            return
        at += 2 + length


def is_plain(head: bytes) -> bool:
    """Whether these first bytes of a JPEG reach its picture and hold nothing of FLIR's, so that the
    file need not be opened: an index asks every JPEG."""
    found = codestream.segments(head) if head.startswith(JPEG) else []
    return bool(found) and found[-1][0] == 0xDA and _MARK not in head


def is_whole(path: Path) -> bool:
    """Whether a JPEG's picture has its end marker, so that nothing was cut from the file; a bare
    container has none to ask for."""
    with path.open("rb") as file:
        if file.read(3) != JPEG:
            return True
        scan = [end for marker, _, end in segments(file) if marker == 0xDA]
        file.seek(max(scan[-1], path.stat().st_size - (1 << 20)) if scan else 0)
        return bool(scan) and b"\xff\xd9" in file.read(1 << 20)


def container(path: Path) -> bytes | None:
    """The FFF container of a file, its pieces in their order; None where there is none.

    Of at most 256 pieces of 64 kB.

    Raises:
        FormatError: a piece is missing, doubled or cut.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start == CONTAINER:
            file.seek(0)
            return file.read(1 << 27)
        if start[:3] != JPEG:
            return None
        pieces: dict[int, bytes] = {}
        last = -1
        for marker, begin, end in segments(file):
            file.seek(begin)
            if marker != 0xE1 or file.read(5) != _MARK:
                continue
            file.seek(begin)
            piece = file.read(end - begin)
            if len(piece) < end - begin or len(piece) < 8:
                raise FormatError("a thermal segment is cut", file=path, remedy=_DAMAGED)
            number, last = piece[6], max(last, piece[7])
            if number in pieces:
                raise FormatError(f"thermal segment {number} twice", file=path, remedy=_DAMAGED)
            pieces[number] = piece[8:]
    missing = [number for number in range(last + 1) if number not in pieces]
    if missing:
        raise FormatError(
            f"thermal segment {missing[0]} of {last + 1} is missing", file=path, remedy=_DAMAGED
        )
    return b"".join(pieces[number] for number in sorted(pieces)) if pieces else None


@dataclass(frozen=True)
class Records:
    """The records of a container by their type; the first of each type, as the cameras' own
    programs take it."""

    path: Path
    data: bytes
    places: dict[int, tuple[int, int]]  # type -> start, end

    def get(self, kind: int) -> bytes | None:
        if kind not in self.places:
            return None
        start, end = self.places[kind]
        return self.data[start:end]


def records(path: Path) -> Records | None:
    """The records of a file; None where it has none of FLIR's.

    Raises:
        FormatError: a directory or a record that lies outside the container.
    """
    data = container(path)
    if data is None:
        return None
    if data[:4] != CONTAINER or len(data) < 64:
        raise FormatError("thermal segments without FLIR's container", file=path, remedy=_DAMAGED)
    order = ">" if 100 <= unpack_from(">I", data, 20)[0] < 200 else "<"
    version, start, count = unpack_from(f"{order}III", data, 20)
    if not (100 <= version < 200 and count <= _ENTRIES and start + count * _ENTRY <= len(data)):
        raise FormatError(
            f"a thermal directory of version {version}, {count} entries at byte {start}",
            file=path,
            expected=f"version 100 to 199, within {len(data):,} bytes",
            remedy=_DAMAGED,
        )
    places: dict[int, tuple[int, int]] = {}
    for at in range(start, start + count * _ENTRY, _ENTRY):
        kind, _, _, _, begin, size = unpack_from(f"{order}HHIIII", data, at)
        if kind in (RAW, VISIBLE, CAMERA) and size and kind not in places:
            if begin + size > len(data):
                raise FormatError(
                    f"thermal record {kind} ends at byte {begin + size:,} of {len(data):,}",
                    file=path,
                    remedy=_DAMAGED,
                )
            places[kind] = (begin, begin + size)
    return Records(path, data, places)


@dataclass(frozen=True)
class Picture:
    """A record's picture, still coded: its size as the record says, and the codec."""

    rows: int
    columns: int
    codec: str  # "PNG", "JPEG", "JPEG-LS", "plain"
    data: bytes
    order: str  # "<" or ">", of the record


def picture(path: Path, record: bytes, *, thermal: bool) -> Picture:
    """The picture in a record of raw (16 bits) or visible data.

    Raises:
        FormatError: a size that the record cannot hold, or an unknown codec.
    """
    order = byte_order(path, record)
    columns, rows = unpack_from(f"{order}HH", record, 2)
    data = record[_PICTURE:]
    if data.startswith(_PNG):
        if len(data) < 24 or unpack_from(">II", data, 16) != (columns, rows):
            raise _other_size(path, rows, columns)
        codec, ratio = "PNG", DEFLATE_RATIO
    elif data.startswith(JPEG):
        found = codestream.jpeg_size(data)
        if found[:2] != (rows, columns):
            raise _other_size(path, rows, columns)
        codec, ratio = ("JPEG-LS" if thermal else "JPEG"), CODEC_RATIO
    elif thermal:
        codec, ratio = "plain", 1
    else:
        raise FormatError("the visible picture is neither PNG nor JPEG", file=path)
    shape = (rows, columns) if thermal else (3, rows, columns)
    dtype = np.dtype(np.uint16 if thermal else np.uint8)
    check_promise(path, shape, dtype, len(data), ratio)
    return Picture(rows, columns, codec, data, order)


def decoded(path: Path, coded: Picture) -> NDArray[Any]:
    """The samples of a picture, (Y, X) or (Y, X, 3), in this machine's byte order.

    Raises:
        FormatError: samples of another kind than the record promises.
    """
    import imagecodecs

    if coded.codec == "plain":
        count = coded.rows * coded.columns
        plain = np.frombuffer(coded.data, f"{coded.order}u2", count)
        return plain.reshape(coded.rows, coded.columns).astype(np.uint16)
    codecs = {
        "PNG": imagecodecs.png_decode,
        "JPEG": imagecodecs.jpeg8_decode,
        "JPEG-LS": imagecodecs.jpegls_decode,
    }
    pixels = np.asarray(codecs[coded.codec](coded.data))
    if pixels.shape[:2] != (coded.rows, coded.columns):
        raise _other_size(path, coded.rows, coded.columns)
    return pixels


def byte_order(path: Path, record: bytes) -> str:
    """ "<" or ">": how a record's own numbers are written.

    Raises:
        FormatError: the record is too short.
    """
    if len(record) < _PICTURE:
        raise FormatError(f"a thermal record of {len(record)} bytes", file=path, remedy=_DAMAGED)
    return "<" if unpack_from("<H", record)[0] < _SWAPPED else ">"


def number(record: bytes, kind: str, at: int) -> float:
    """A number of a record: `kind` and byte order in struct's letters; NaN beyond its end."""
    try:
        return float(unpack_from(kind, record, at)[0])
    except StructError:
        return float("nan")


def _other_size(path: Path, rows: int, columns: int) -> FormatError:
    return FormatError(
        f"a thermal record promises {columns} × {rows} and holds another picture",
        file=path,
        remedy=_DAMAGED,
    )
