"""What stands between a NIfTI header and the voxels: counted, and one kind of our own.

nifti1.h, "header extensions": a flag of 4 bytes, then blocks of size, code and content. Ours is
a comment (code 6): the remark about channels that other formats have in a field. Other software
passes over it; we do, too, where it does not fit, for tools keep extensions when they cut volumes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hounsfield.errors import FormatError
from hounsfield.formats.nifti.fields import Fields
from hounsfield.formats.nifti.pair import start_of
from hounsfield.formats.remarks import KEY, parsed, said_of
from hounsfield.image import Channel

_COMMENT = 6
_MOST = 1 << 20  # bytes that are looked at
_MARK = f"{KEY}=".encode()


@dataclass(frozen=True)
class Extensions:
    """How many are not read, and the channels that one of ours tells."""

    count: int = 0
    channels: tuple[Channel, ...] = ()


def read(fields: Fields) -> Extensions:
    """The extensions of a header; what is malformed counts as not read."""
    if not fields.extended:
        return Extensions()
    single = bytes(fields.values["magic"]).startswith(b"n+")
    end = min(fields.offset, _MOST) if single else _MOST
    count = 0
    channels: tuple[Channel, ...] = ()
    for code, content in _blocks(start_of(fields.file, end)[fields.size + 4 :], fields.order):
        own = _channels(content, fields.channels) if code == _COMMENT else ()
        channels, count = own or channels, count + (not own)
    return Extensions(count, channels)


def write(channels: tuple[Channel, ...]) -> bytes:
    """The flag, and a block with the channels where they say something: a multiple of 16 bytes
    behind the flag.

    Raises:
        FormatError: names so long that they would not be read again.
    """
    line = said_of(channels)
    if not line:
        return bytes(4)
    content = _MARK + line.encode("ascii")
    size = -(-(8 + len(content)) // 16) * 16
    if size > _MOST - 1024:
        raise FormatError("the names of the channels are too long", remedy="shorten them")
    return b"\1\0\0\0" + struct.pack("<ii", size, _COMMENT) + content.ljust(size - 8, b"\0")


def _blocks(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, code = struct.unpack_from(f"{order}ii", data, at)
        if size < 8:
            return
        yield code, data[at + 8 : at + size]
        at += size


def _channels(content: bytes, count: int) -> tuple[Channel, ...]:
    if not content.startswith(_MARK):
        return ()
    said = parsed(content[len(_MARK) :].rstrip(b"\0").decode("latin-1"), count)
    return said.channels if said else ()
