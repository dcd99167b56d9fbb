"""TIFF: 1 to 32 bits and float, grey, colour, palette, several pages; read and written.

Pages of one size lie along Z; a file with several sizes holds several images, named by number.
White-is-zero is turned, a palette becomes RGB of 8 bits, alpha is dropped. Resolution tags are
not a calibration: the geometry is None.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import CODEC_RATIO, check_promise, frame_range, refusing
from hounsfield.image import RGB, Image

SUFFIX = ".tif"
EXTRA = None

_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 2, 3, 6
_COLOURS = (_RGB, _YCBCR)
_UNCOMPRESSED = 1
_PAGE_BYTES = 60  # a directory of the least tags takes more


def sniff(head: bytes, path: Path) -> bool:
    return head[:4] in _MAGICS


def find(path: Path) -> list[Source]:
    """One image, or one for each size of page."""
    with refusing(path, "the pages"), _opened(path) as tiff:
        groups = _groups(tiff, path)
    if len(groups) == 1:
        return [Source.of(path)]
    return [Source.of(path, str(number)) for number in range(len(groups))]


def header(source: Source) -> Header:
    """From the first tags of the pages.

    Raises:
        FormatError: pages of a kind that is not read, or more pixels promised than stored.
    """
    with refusing(source.file, "the header"), _opened(source.file) as tiff:
        return _header(source, _pages(tiff, source))


def read(source: Source, like: Like | None = None) -> Image:
    """The pages as stored, black is zero; colours as RGB.

    Raises:
        FormatError: as `header`, or the file is truncated or damaged.
    """
    with refusing(source.file, "the pages"):
        with _opened(source.file) as tiff:
            pages = _pages(tiff, source)
            head = _header(source, pages)
            first, last = frame_range(source, len(pages))
            array = np.empty(head.shape, head.dtype)
            for z, page in enumerate(pages[first:last]):
                array[:, z] = _page(page, head)
        stored = {"format": "tiff", "coding": head.facts.stored}
        return Image(as_small(chosen(array, like, source.file)), None, head.channels, stored)


def write(image: Image, path: Path) -> None:
    """Grey or RGB pages along Z, deflated, lossless; the voxel size is not kept.

    Raises:
        FormatError: channels that are not RGB.
    """
    from tifffile import imwrite

    c = image.shape[0]
    if c != 1 and image.channels != RGB:
        raise FormatError(
            f"TIFF pages are grey or RGB, not of {c} channels", remedy="write NIfTI or NumPy"
        )
    array = image.array.astype(np.uint8) if image.array.dtype == np.bool_ else image.array
    pages = array[0] if c == 1 else np.moveaxis(array, 0, 3)
    imwrite(
        path,
        pages,
        photometric="minisblack" if c == 1 else "rgb",
        compression="zlib",
        metadata=None,
        bigtiff=array.nbytes > 2**31,
    )


def _opened(path: Path) -> Any:
    """A tifffile reader; what it logs of damaged tags is judged here and told as an error."""
    import logging

    from tifffile import TiffFile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return TiffFile(path)


def _groups(tiff: Any, path: Path) -> list[list[Any]]:
    """Pages of one shape and type together, in the order of their first page."""
    groups: dict[Any, list[Any]] = {}
    room = path.stat().st_size // _PAGE_BYTES
    for number, page in enumerate(tiff.pages):
        if number > room:
            raise FormatError(
                f"promises more pages than fit it ({room:,})", file=path,
                remedy="copy the file again; its directories are damaged",
            )  # fmt: skip
        whole = page.aspage() if hasattr(page, "aspage") else page
        groups.setdefault((whole.shape, str(whole.dtype), whole.photometric), []).append(whole)
    if not groups:
        raise FormatError("this TIFF has no pages", file=path, remedy="copy the file again")
    return list(groups.values())


def _pages(tiff: Any, source: Source) -> list[Any]:
    groups = _groups(tiff, source.file)
    if source.member is None and len(groups) > 1:
        raise FormatError(
            f"holds {len(groups)} images of different sizes",
            file=source.file,
            remedy=f"name one: {source.file}#0",
        )
    member = source.member or "0"
    number = int(member) if member.isdecimal() else len(groups)
    if number >= len(groups):
        raise FormatError(
            f"no image {source.member!r} in this file",
            file=source.file,
            expected=f"0 to {len(groups) - 1}",
        )
    return groups[number]


def _header(source: Source, pages: list[Any]) -> Header:
    page = pages[0]
    path = source.file
    if page.dtype is None or page.dtype.kind not in "iufb" or page.ndim not in (2, 3):
        raise FormatError(f"pages of {page.dtype} with shape {page.shape}", file=path)
    for one in pages:
        _check_page(one, path)
    colour = int(page.photometric) in (*_COLOURS, _PALETTE)
    if not colour and page.samplesperpixel > 2:
        raise FormatError(
            f"pages of {page.samplesperpixel} samples that are not RGB", file=path,
            remedy="convert to RGB, or to one page a channel",
        )  # fmt: skip
    first, last = frame_range(source, len(pages))
    return Header(
        format="tiff",
        shape=(3 if colour else 1, last - first, page.imagelength, page.imagewidth),
        dtype=_dtype(page),
        channels=RGB if colour else (),
        facts=Facts(stored=f"{page.bitspersample} bits, {page.photometric.name}, "
                    f"{page.compression.name}, {len(pages)} pages"),
    )  # fmt: skip


def _dtype(page: Any) -> np.dtype[Any]:
    if int(page.photometric) == _PALETTE or page.dtype.kind == "b":
        return np.dtype(np.uint8)
    if page.dtype == np.float16:
        return np.dtype(np.float32)
    stored: np.dtype[Any] = page.dtype
    return stored.newbyteorder("=")


def _check_page(page: Any, path: Path) -> None:
    """Refuse a page whose strips or tiles the file does not hold."""
    size = path.stat().st_size
    found = sum(page.databytecounts)
    ends = [a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size or min(page.databytecounts) <= 0:
        raise FormatError(
            f"pixels end at byte {max(ends, default=0):,}, the file has {size:,} bytes",
            file=path,
            remedy="copy the file again; it is truncated",
        )
    # Single bits are packed; everything else takes at least the bytes of its type, unpacked.
    plain = int(page.compression) == _UNCOMPRESSED and page.bitspersample >= 8
    check_promise(path, page.shape, np.dtype(page.dtype), found, 1 if plain else CODEC_RATIO)


def _page(page: Any, head: Header) -> NDArray[Any]:
    """One page as (channels, rows, columns)."""
    pixels: NDArray[Any] = page.asarray()
    photometric = int(page.photometric)
    if photometric == _PALETTE:
        return np.asarray(page.colormap)[:, pixels] >> 8  # TIFF palettes have 16 bits
    if pixels.ndim == 3:
        samples_last = pixels.shape[:2] == head.shape[2:]
        pixels = np.moveaxis(pixels, 2, 0) if samples_last else pixels
        return pixels[: head.shape[0]]
    if photometric == _WHITE_IS_ZERO and pixels.dtype.kind in "ub":
        top = 1 if pixels.dtype.kind == "b" else (1 << page.bitspersample) - 1
        pixels = np.asarray(top - pixels.astype(np.int64))
    return pixels.astype(head.dtype, copy=False)[None]
