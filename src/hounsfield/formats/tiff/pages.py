"""One page of a TIFF: which samples it holds, whether the file holds them, and its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from struct import unpack, unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.codestream import jpeg2000_size, jpeg_size
from hounsfield.formats.guard import CODEC_RATIO, DEFLATE_RATIO, check_promise
from hounsfield.formats.jpeg import upright

WHITE_IS_ZERO, GREY, RGB_COLOURS, PALETTE, MASK, YCBCR = 0, 1, 2, 3, 4, 6
_COLOURS = (RGB_COLOURS, YCBCR)
_READ = (WHITE_IS_ZERO, GREY, RGB_COLOURS, PALETTE, MASK, YCBCR)
_UNCOMPRESSED = 1
_DEFLATES = (8, 32946, 50013)
_JPEGS = (6, 7, 34892, 33007)
_JPEGS_2000 = (33004, 33005, 34712)
_WEBP = (34927, 50001)  # its decoder turns YCbCr into RGB, as JPEG's does
_ALPHA = (1, 2)  # ExtraSamples: with and without the colours multiplied by it
_PAGE_BYTES = 60  # a directory of the least tags takes more
_STREAM_HEAD = 1 << 16
_ORIENTATION = 274
# Tags whose loss changes an image silently: type, size, place, colours, description, order
_NEEDED = frozenset((254, 256, 257, 258, 259, 262, 270, 273, 274, 277, 279, 282, 283, 284, 296, 317,
                     320, 322, 323, 324, 325, 330, 338, 339, 347))  # fmt: skip


def pages_of(tiff: Any, path: Path) -> list[Any]:
    """The pages of a file, without those below them.

    Raises:
        FormatError: none, or more than fit the file.
    """
    room = path.stat().st_size // _PAGE_BYTES
    found = []
    for number, page in enumerate(tiff.pages):
        if number > room:
            raise FormatError(
                f"promises more pages than fit it ({room:,})", file=path,
                remedy="copy the file again; its directories are damaged",
            )  # fmt: skip
        found.append(page.aspage() if hasattr(page, "aspage") else page)
        _check_tags(tiff, found[-1], path)
    if not found:
        raise FormatError("this TIFF has no pages", file=path, remedy="copy the file again")
    _check_last(tiff, found[-1], path)
    return found


def _check_last(tiff: Any, page: Any, path: Path) -> None:
    """tifffile stops where the next page would lie outside the file, as in one that was cut."""
    form, file = tiff.tiff, tiff.filehandle
    file.seek(page.offset)
    (count,) = unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(count * form.tagsize, 1)
    following = file.read(form.offsetsize)
    size = path.stat().st_size
    if len(following) == form.offsetsize and unpack(form.offsetformat, following)[0] >= size:
        raise FormatError(
            f"another page is named behind the end of the file, after {size:,} bytes",
            file=path,
            remedy="copy the file again; it is truncated",
        )


def _check_tags(tiff: Any, page: Any, path: Path) -> None:
    """tifffile passes over a tag whose value lies outside the file; the image would differ."""
    form, file = tiff.tiff, tiff.filehandle
    file.seek(page.offset)
    (count,) = unpack(form.tagnoformat, file.read(form.tagnosize))
    entries = file.read(count * form.tagsize)
    codes = {unpack_from(f"{tiff.byteorder}H", entries, at)[0]
             for at in range(0, len(entries) - 1, form.tagsize)}  # fmt: skip
    lost = sorted((codes & _NEEDED) - set(page.tags.keys()))
    if lost:
        raise FormatError(
            f"{'tags' if len(lost) > 1 else 'tag'} {', '.join(map(str, lost))} cannot be read",
            file=path,
            remedy="copy the file again; it is truncated or its directories are damaged",
        )


def is_colour(page: Any) -> bool:
    return int(page.photometric) in (*_COLOURS, PALETTE)


def samples(page: Any) -> int:
    """How many channels a page becomes: three colours, or all its samples but alpha."""
    if is_colour(page):
        return 3
    return int(page.samplesperpixel) - sum(int(kind) in _ALPHA for kind in page.extrasamples)


def dtype_of(page: Any) -> np.dtype[Any]:
    """The type of the pixels as read."""
    if int(page.photometric) == PALETTE or page.dtype.kind == "b":
        return np.dtype(np.uint8)
    if page.dtype == np.float16:
        return np.dtype(np.float32)
    stored: np.dtype[Any] = page.dtype
    return stored.newbyteorder("=")


def size_of(page: Any) -> tuple[int, int]:
    """(rows, columns), upright."""
    rows, columns = int(page.imagelength), int(page.imagewidth)
    return (columns, rows) if turn_of(page) > 4 else (rows, columns)


def turn_of(page: Any) -> int:
    """How a page is to be turned, 1 to 8 as in EXIF (TIFF 6.0, Orientation)."""
    tag = page.tags.get(_ORIENTATION)
    turn = tag.value if tag is not None else 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def check_page(page: Any, path: Path) -> None:
    """Refuse a page that is not read, or whose strips or tiles the file does not hold.

    Raises:
        FormatError: of colours, samples or a depth that is not read; truncated; lying sizes.
    """
    _check_kind(page, path)
    size = path.stat().st_size
    ends = [a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size or min(page.dataoffsets) < 0:
        raise FormatError(
            f"pixels end at byte {max(ends, default=0):,}, the file has {size:,} bytes",
            file=path,
            remedy="copy the file again; it is truncated",
        )
    pieces = prod(page.chunked) if not page.is_contiguous else 1
    if len(ends) < pieces or min(page.databytecounts) <= 0:
        stored = sum(count > 0 for count in page.databytecounts)
        raise FormatError(
            f"{stored:,} of a page's {pieces:,} strips or tiles are in the file",
            file=path,
            expected="all of them; missing ones would have to be made up",
            remedy="export the picture again, without leaving out empty tiles",
        )
    found = sum(page.databytecounts)
    check_promise(path, page.shaped, np.dtype(page.dtype), found, ratio(page))
    if page.is_tiled:  # a tile can be larger than the picture
        tile = (page.tiledepth, page.tilelength, page.tilewidth, page.samplesperpixel)
        check_promise(path, tile, np.dtype(page.dtype), found, CODEC_RATIO)


def ratio(page: Any) -> float:
    """The most bytes that one stored byte of a page can become."""
    # Single bits are packed; everything else takes at least the bytes of its type, unpacked.
    plain = isinstance(page.bitspersample, int) and page.bitspersample >= 8
    if int(page.compression) == _UNCOMPRESSED:
        return 1 if plain and page.bitspersample % 8 == 0 else 16
    deflated = int(page.compression) in _DEFLATES and plain
    return 2 * DEFLATE_RATIO if deflated else CODEC_RATIO  # 12 bits are spread over 16


def _check_kind(page: Any, path: Path) -> None:
    photometric = int(page.photometric)
    known = page.dtype is not None and page.dtype.kind in "iufb"
    if not known or photometric not in _READ or page.imagedepth != 1:
        kind = getattr(page.photometric, "name", str(page.photometric))
        raise FormatError(
            f"pages of {page.dtype} {kind} with shape {page.shape}", file=path,
            expected="grey, RGB or palette pictures",
            remedy="convert to RGB, or to one page a channel",
        )  # fmt: skip
    if photometric in _COLOURS and page.samplesperpixel < 3:
        raise FormatError(f"colours of {page.samplesperpixel} samples", file=path)
    if photometric == PALETTE and (page.samplesperpixel != 1 or page.colormap is None):
        raise FormatError("a palette picture without its palette", file=path)
    if photometric == YCBCR and int(page.compression) not in (*_JPEGS, *_WEBP):
        raise FormatError(
            f"YCbCr colours in {page.compression.name}", file=path,
            expected="YCbCr in JPEG, or RGB", remedy="convert to RGB",
        )  # fmt: skip
    if photometric == WHITE_IS_ZERO and page.dtype.kind not in "ub":
        raise FormatError(
            f"white is zero, and the pixels are {page.dtype}", file=path,
            expected="whole numbers without sign, which have a black",
        )  # fmt: skip
    if samples(page) < 1:
        raise FormatError("a page of alpha alone", file=path)


def pixels(page: Any, path: Path) -> tuple[NDArray[Any], str]:
    """One page as (samples, rows, columns), upright, and what became of its alpha.

    Raises:
        FormatError: a compressed strip or tile is larger than the header says.
    """
    _check_streams(page, path)
    whole: NDArray[Any] = page.asarray(squeeze=False)  # (S, 1, Y, X, S), one of the S is 1
    planes = np.moveaxis(whole[:, 0], 3, 1).reshape(-1, page.imagelength, page.imagewidth)
    return finished(page, planes)


def following(page: Any, number: int, path: Path) -> tuple[NDArray[Any], str]:
    """The image that lies `number` images after a page's own, without a directory of its own.

    Raises:
        FormatError: the file ends before it.
    """
    dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    count = prod(page.shaped)
    offset = page.dataoffsets[0] + number * count * dtype.itemsize
    flat = np.fromfile(path, dtype, count, offset=offset)
    if flat.size != count:
        raise FormatError(
            f"the pixels end before plane {number}", file=path,
            remedy="copy the file again; it is truncated",
        )  # fmt: skip
    planes = np.moveaxis(flat.reshape(page.shaped)[:, 0], 3, 1)
    return finished(page, planes.reshape(-1, page.imagelength, page.imagewidth))


def finished(page: Any, planes: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Stored samples (S, Y, X) as they are meant: black is zero, colours RGB, no alpha."""
    photometric, alpha = int(page.photometric), "none"
    if photometric == PALETTE:
        # Entries have 16 bits; some writers fill in 8 (libtiff looks for this, too).
        palette = np.asarray(page.colormap)
        shift = 8 if palette.max(initial=0) > 255 else 0
        planes = (palette[:, planes[0]] >> shift).astype(np.uint8)
    kept = samples(page)
    if len(planes) > kept:
        top = np.iinfo(planes.dtype).max if planes.dtype.kind in "iu" else 1
        alpha = "opaque" if bool((planes[kept:] == top).all()) else "dropped"
        planes = planes[:kept]
    if photometric == WHITE_IS_ZERO:
        top = 1 if planes.dtype.kind == "b" else (1 << page.bitspersample) - 1
        planes = planes.dtype.type(top) ^ planes  # top is all ones: the same as top - planes
    planes = planes.astype(dtype_of(page), copy=False)
    # `upright` turns (Y, X, …)
    return np.moveaxis(upright(np.moveaxis(planes, 0, 2), turn_of(page)), 2, 0), alpha


def _check_streams(page: Any, path: Path) -> None:
    """Compressed pieces have sizes of their own; larger ones than the header's are refused."""
    kind = int(page.compression)
    if kind not in (*_JPEGS, *_JPEGS_2000):
        return
    measure = jpeg2000_size if kind in _JPEGS_2000 else jpeg_size
    rows, columns = page.imagelength, page.imagewidth
    if page.is_tiled:
        rows, columns = max(rows, page.tilelength), max(columns, page.tilewidth)
    for head in _heads(page):
        stream = measure(head)
        if stream[0] > rows or stream[1] > columns or stream[2] > page.samplesperpixel:
            raise FormatError(
                f"a compressed piece is {stream[0]}×{stream[1]}×{stream[2]}",
                file=path,
                expected=f"at most {rows}×{columns}×{page.samplesperpixel}, as the header says",
                remedy="copy the file again; it is damaged",
            )


def _heads(page: Any) -> Iterator[bytes]:
    file = page.parent.filehandle
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        yield file.read(min(count, _STREAM_HEAD))
