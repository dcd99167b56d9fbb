"""TIFF: 1 to 64 bits and float, grey, colour, palette, several pages; read and written.

Pages of one size lie along Z; a file with several sizes holds several images, named by number.
OME-TIFF and ImageJ's hyperstacks keep channels, times and sizes in the world; a picture's
resolution is a `Plane` of unknown calibration where its unit is a length. White-is-zero is
turned, a palette becomes RGB of 8 bits, alpha is dropped. Of a pyramid the largest picture is
the image; `slide.tif#level/2` names a smaller one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import (
    MAX_BYTES,
    Facts,
    Header,
    Like,
    Source,
    as_small,
    promised_bytes,
)
from hounsfield.formats.guard import check_promise, frame_range, refusing
from hounsfield.formats.tiff import ome as tiff_ome
from hounsfield.formats.tiff.pages import (
    check_page,
    following,
    pages_of,
    pixels,
    ratio,
    samples,
    size_of,
)
from hounsfield.formats.tiff.stacks import (
    Stack,
    channels,
    geometry,
    imagej,
    imagej_fields,
    level,
    plain,
    value_dtype,
)
from hounsfield.image import RGB, Image

SUFFIX = ".tif"
EXTRA = None

_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MEMBER = re.compile(r"(?:(\d{1,6})(?:/|$))?(?:level/(\d{1,3}))?", re.ASCII)


def sniff(head: bytes, path: Path) -> bool:
    return head[:4] in _MAGICS


def find(path: Path) -> list[Source]:
    """One image, or one for each series or size of page; levels of a pyramid are not listed."""
    with refusing(path, "the pages"), _opened(path) as tiff:
        found = _stacks(tiff, path)
    if len(found) == 1:
        return [Source.of(path)]
    return [Source.of(path, str(number)) for number in range(len(found))]


def header(source: Source) -> Header:
    """From the tags of the pages; nothing is decoded.

    Raises:
        FormatError: pages of a kind that is not read, more pixels promised than stored, or too
            large; then it names the level that is not.
    """
    with refusing(source.file, "the header"), _opened(source.file) as tiff:
        return _header(source, _stack(tiff, source))


def read(source: Source, like: Like | None = None) -> Image:
    """The pages as stored, black is zero; colours as RGB.

    Raises:
        FormatError: as `header`, or the file is truncated or damaged.
    """
    path = source.file
    with refusing(path, "the pages"):
        with _opened(path) as tiff:
            stack = _stack(tiff, source)
            head = _header(source, stack)
            first, last = frame_range(source, stack.depth)
            array, alpha = _array(stack, (first, last), path)
        slope, intercept = stack.scaling
        if (slope, intercept) != (1, 0):
            array = (array.astype(np.float64) * slope + intercept).astype(head.dtype)
        stored = {"format": "tiff", "coding": head.facts.stored, "alpha": alpha,
                  "slope": slope, "intercept": intercept, "orientation": "none"}  # fmt: skip
        array = as_small(chosen(array, like, path))
        return Image(array, head.geometry, head.channels, stored)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; the pages of the others are not decoded."""
    return read(source.part(z0, z1))


def write(image: Image, path: Path) -> None:
    """Grey or RGB pages along Z, deflated, lossless; the voxel size is not kept.

    Raises:
        FormatError: channels that are not RGB.
    """
    from tifffile import imwrite

    c = image.shape[0]
    if c != 1 and not image.is_rgb:
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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A tifffile reader; what it logs of damaged tags is judged here and told as an error."""
    import logging

    from tifffile import TiffFile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    # Only this file is opened, whatever its metadata name.
    with TiffFile(path, _multifile=False) as tiff:
        yield tiff


def _stacks(tiff: Any, path: Path) -> list[Stack]:
    pages = pages_of(tiff, path)
    if tiff_ome.is_ome(pages[0]):
        return tiff_ome.stacks(pages, path)
    fields = imagej_fields(pages[0])
    return plain(pages) if fields is None else imagej(pages, fields, path)


def _stack(tiff: Any, source: Source) -> Stack:
    """The image, or the level of it, that a source names."""
    found = _stacks(tiff, source.file)
    member = source.member or ""
    parts = _MEMBER.fullmatch(member)
    if not member.partition("level")[0] and len(found) > 1:
        raise FormatError(
            f"holds {len(found)} images of different sizes",
            file=source.file,
            remedy=f"name one: {source.file}#0, {source.file}#1, …",
        )
    chosen_one = int(parts[1] or 0) if parts else len(found)
    if parts is None or chosen_one >= len(found):
        raise FormatError(
            f"no image {source.member!r} in this file",
            file=source.file,
            expected=f"0 to {len(found) - 1}; 0/level/1 for a smaller copy",
        )
    return level(found[chosen_one], int(parts[2] or 0), source.file)


def _shape(stack: Stack) -> tuple[int, int, int, int]:
    rows, columns = size_of(stack.page)
    return len(stack.spots) * samples(stack.page), stack.depth, rows, columns


def _header(source: Source, stack: Stack) -> Header:
    page, path = stack.page, source.file
    if page.dtype is not None:
        _check_size(stack, source)
    for one in {id(spot.page): spot.page for line in stack.spots for spot in line}.values():
        check_page(one, path)
    shape, dtype = _shape(stack), value_dtype(stack)
    first, last = frame_range(source, stack.depth)
    # Pages may not share their pixels: then a small file would promise a large image.
    spread = samples(page) / page.samplesperpixel * dtype.itemsize / page.dtype.itemsize
    whole = (shape[0], last - first, *shape[2:])
    check_promise(path, whole, dtype, path.stat().st_size, ratio(page) * max(1, spread))
    kinds = channels(stack, RGB)
    pages = len(stack.spots) * stack.depth
    note = "" if stack.kind == "TIFF" else f", {stack.kind}"
    return Header(
        format="tiff",
        shape=(shape[0], last - first, shape[2], shape[3]),
        dtype=dtype,
        geometry=geometry(stack, first),
        channels=kinds,
        facts=Facts(stored=f"{page.bitspersample} bits, {page.photometric.name}, "
                    f"{page.compression.name}, {pages} pages{note}"),
    )  # fmt: skip


def _check_size(stack: Stack, source: Source) -> None:
    """Refuse what is too large to be one array, and name the level that is not."""
    shape, dtype = _shape(stack), value_dtype(stack)
    if promised_bytes(shape, dtype) <= MAX_BYTES:
        return
    remedy = "cut it into parts; this file holds no smaller copy"
    for number in range(1, len(stack.levels) + 1):
        if promised_bytes(_shape(level(stack, number, source.file)), dtype) <= MAX_BYTES:
            whole = f"{source.member}/" if source.member else ""
            remedy = f"read a smaller copy: {source.file}#{whole}level/{number}"
            break
    raise FormatError(
        f"a picture of {shape[2]:,} × {shape[3]:,} pixels, {promised_bytes(shape, dtype):,} bytes",
        file=source.file, expected=f"at most {MAX_BYTES:,} bytes", remedy=remedy,
    )  # fmt: skip


def _array(stack: Stack, planes: tuple[int, int], path: Path) -> tuple[NDArray[Any], str]:
    """Stored values (C, Z, Y, X) of planes z0 ≤ z < z1, and what became of alpha."""
    count = samples(stack.page)
    first, last = planes
    shape = _shape(stack)
    array: NDArray[Any] | None = None
    told = "none"
    for c, line in enumerate(stack.spots):
        for z, spot in enumerate(line[first:last]):
            one, alpha = (
                following(spot.page, spot.behind, path) if spot.behind else pixels(spot.page, path)
            )
            if array is None:
                array = np.empty((shape[0], last - first, *shape[2:]), one.dtype)
            array[c * count : (c + 1) * count, z] = one
            told = alpha if alpha == "dropped" or told == "none" else told
    assert array is not None
    return array, told
