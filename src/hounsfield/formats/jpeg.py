"""JPEG: grey and colour, 8 to 16 bits, turned as its EXIF orientation says. Read only.

Lossy, so it is not written. A thermal camera's JPEG is read as the picture that it shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.codestream import jpeg_size, segments
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import CODEC_RATIO, check_promise, refusing
from hounsfield.formats.pictures import as_image
from hounsfield.image import RGB, Image

SUFFIX = ".jpg"
EXTRA = None

_HEAD = 1 << 16
_TURNED = (5, 6, 7, 8)  # orientations that swap rows and columns


def sniff(head: bytes, path: Path) -> bool:
    return head[:3] == b"\xff\xd8\xff"


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """From the markers before the first scan.

    Raises:
        FormatError: no frame header, CMYK, or more pixels promised than the file can hold.
    """
    path = source.file
    with refusing(path, "the header"):
        with path.open("rb") as file:
            data = file.read(_HEAD)
            if not _complete(data):
                data += file.read()  # long EXIF or colour profiles come first
        return _header(path, data)


def read(source: Source, like: Like | None = None) -> Image:
    """The picture as it is meant to be seen: RGB or grey, upright.

    Raises:
        FormatError: as `header`, or the file is truncated or damaged.
    """
    import imagecodecs

    path = source.file
    with refusing(path, "the picture"):
        data = path.read_bytes()
        head = _header(path, data)
        if data.rfind(b"\xff\xd9") < segments(data)[-1][2]:
            raise FormatError(
                "the picture has no end marker", file=path, remedy="copy the file again; truncated"
            )
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
        image = as_image(upright(pixels, orientation(data)), head)
        array = chosen(image.array, like, path)
        return Image(as_small(array), None, head.channels, image.stored)


def _complete(data: bytes) -> bool:
    found = segments(data)
    return bool(found) and found[-1][0] == 0xDA


def _header(path: Path, data: bytes) -> Header:
    rows, columns, samples, bits = jpeg_size(data)
    if samples not in (1, 3):
        raise FormatError(
            f"a JPEG of {samples} colour components (CMYK?)",
            file=path,
            expected="grey or colour",
            remedy="convert it to RGB with a picture editor",
        )
    dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    check_promise(path, (samples, rows, columns), dtype, path.stat().st_size, CODEC_RATIO)
    turn = orientation(data)
    if turn in _TURNED:
        rows, columns = columns, rows
    stored = f"{bits} bits" + (f", EXIF orientation {turn} applied" if turn != 1 else "")
    return Header(
        format="jpeg",
        shape=(samples, 1, rows, columns),
        dtype=dtype,
        channels=RGB if samples == 3 else (),
        facts=Facts(stored=stored),
    )


def orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none (EXIF 2.3, tag 0x0112)."""
    for marker, start, end in segments(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            return _tiff_orientation(data[start + 6 : end])
    return 1


def _tiff_orientation(exif: bytes) -> int:
    order: Any = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)

    first = number(4, 4)
    for entry in range(first + 2, min(len(exif), first + 2 + 12 * number(first, 2)), 12):
        if number(entry, 2) == 0x0112:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def upright(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """The picture turned and mirrored as its orientation says."""
    if turn in _TURNED:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
