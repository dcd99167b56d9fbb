"""PNG: 1 to 16 bits, grey, colour, palette; read and written.

A palette becomes RGB, alpha is dropped (`stored["alpha"]` says whether it hid anything), 1 to
4 bits are spread over 0 to 255. A PNG knows no millimetres: its geometry is None.
"""

from __future__ import annotations

from pathlib import Path
from struct import unpack_from

import numpy as np

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise, refusing
from hounsfield.formats.pictures import as_image, as_picture
from hounsfield.image import RGB, Image

SUFFIX = ".png"
EXTRA = None

_END = b"IEND\xaeB`\x82"
_MAGIC = b"\x89PNG\r\n\x1a\n"
# colour type -> (name, samples we keep, samples stored), PNG specification 11.2.2
_TYPES = {
    0: ("grey", 1, 1),
    2: ("RGB", 3, 3),
    3: ("palette", 3, 1),
    4: ("grey + alpha", 1, 2),
    6: ("RGBA", 3, 4),
}


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(_MAGIC)


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """From the first 33 bytes.

    Raises:
        FormatError: no image header, or more pixels promised than the file can hold.
    """
    path = source.file
    with path.open("rb") as file:
        head = file.read(33)
    if len(head) < 33 or head[12:16] != b"IHDR":
        raise FormatError("no PNG header", file=path, remedy="copy the file again")
    columns, rows, bits, kind = unpack_from(">IIBB", head, 16)
    if kind not in _TYPES or bits not in (1, 2, 4, 8, 16):
        raise FormatError(f"PNG of colour type {kind} with {bits} bits", file=path)
    name, samples, stored = _TYPES[kind]
    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    spread = samples * dtype.itemsize * 8 / (stored * bits)  # a bit of a palette becomes 3 bytes
    found = path.stat().st_size
    check_promise(path, (samples, rows, columns), dtype, found, DEFLATE_RATIO * spread)
    return Header(
        format="png",
        shape=(samples, 1, rows, columns),
        dtype=dtype,
        channels=RGB if samples == 3 else (),
        facts=Facts(stored=f"{bits} bits, {name}"),
    )


def read(source: Source, like: Like | None = None) -> Image:
    """The picture as stored: uint8, or uint16 where the file has 16 bits.

    Raises:
        FormatError: as `header`, or the file is truncated or damaged.
    """
    import imagecodecs

    head = header(source)
    with refusing(source.file, "the picture"):
        data = source.file.read_bytes()
        if _END not in data:
            raise FormatError(
                "the picture has no end", file=source.file, remedy="copy the file again; truncated"
            )
        pixels = np.asarray(imagecodecs.png_decode(data))
        image = as_image(pixels, head)
        array = chosen(image.array, like, source.file)
        return Image(as_small(array), None, head.channels, image.stored)


def write(image: Image, path: Path) -> None:
    """One grey or RGB picture of 8 or 16 bits, lossless; the pixel size is not kept.

    Raises:
        FormatError: several planes, negative or fractional values.
    """
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(as_picture(image, "PNG"), 6))
