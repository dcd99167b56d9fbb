"""Bytes of a file or a compressed stream, straight into the buffer that keeps them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from hounsfield.errors import FormatError

GZIP = b"\x1f\x8b"
_SCRATCH = 256 << 10
_AT_ONCE = 1 << 30  # the most that one call is asked for


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def beginning(block: bytes, count: int) -> bytes:
    """The first `count` bytes of a file that begins with `block`, inflated if it is gzip."""
    if block[:2] != GZIP:
        return block[:count]
    import zlib

    stream, found = zlib.decompressobj(31), b""
    try:
        return stream.decompress(block, count)
    except zlib.error:  # what lies before the damage tells the format, and reading tells the damage
        stream = zlib.decompressobj(31)
    with suppress(zlib.error):
        for at in range(len(block)):
            if len(found) >= count:
                break
            found += stream.decompress(block[at : at + 1])
    return found[:count]


def fill(stream: Any, target: memoryview) -> int:
    """Fill `target` from a stream; how many bytes came before it ended."""
    at = 0
    while at < len(target) and (found := stream.readinto(target[at : at + _AT_ONCE])):
        at += found
    return at


def pass_over(stream: Any, count: int) -> int:
    """Read so many bytes of a stream and forget them; how many there were."""
    scratch = memoryview(bytearray(min(max(count, 0), _SCRATCH)))
    left = count
    while left > 0 and (found := stream.readinto(scratch[:left])):
        left -= found
    return count - left


def ends_early(file: Path, found: int, promised: int) -> FormatError:
    return FormatError(
        f"the voxels end after {found:,} of {promised:,} bytes",
        file=file,
        remedy="copy the file again; it is truncated",
    )
