"""What stands between a NIfTI header and the voxels: counted, and one kind of our own.

nifti1.h, "header extensions": a flag of 4 bytes, then blocks of size, code and content. Ours is
a comment (code 6) that holds, as JSON, what the header has no field for: the name, unit, time,
b-value, wavelength and colour of each channel. Other software passes over it.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hounsfield.formats.nifti.fields import LAYOUTS, Fields
from hounsfield.formats.nifti.pair import start_of
from hounsfield.image import Channel

_COMMENT = 6
_MOST = 1 << 20  # bytes that are looked at
_MARK = b'{"hounsfield.channels": '
_TEXT, _NUMBER = ("name", "unit", "colour"), ("time", "b_value", "wavelength")
_LONGEST = 200  # characters


@dataclass(frozen=True)
class Extensions:
    """How many are not read, and the channels that one of ours tells."""

    count: int = 0
    channels: tuple[Channel, ...] = ()


def read(fields: Fields) -> Extensions:
    """The extensions of a header; what is malformed counts as not read."""
    if not fields.extended:
        return Extensions()
    size = tuple(LAYOUTS)[fields.version - 1] + 4
    single = bytes(fields.values["magic"]).startswith(b"n+")
    end = min(fields.offset, _MOST) if single else _MOST
    count = 0
    channels: tuple[Channel, ...] = ()
    for code, content in _blocks(start_of(fields.file, end)[size:], fields.order):
        own = _channels(content) if code == _COMMENT else ()
        channels, count = own or channels, count + (not own)
    return Extensions(count, channels)


def write(channels: tuple[Channel, ...]) -> bytes:
    """The flag, and a block with the channels where they say something: a multiple of 16 bytes
    behind the flag."""
    if all(channel == Channel() for channel in channels):
        return bytes(4)
    told = [{k: v for k, v in asdict(channel).items() if v not in ("", None)}
            for channel in channels]  # fmt: skip
    content = _MARK + json.dumps(told, separators=(",", ":")).encode() + b"}"
    size = -(-(8 + len(content)) // 16) * 16
    return b"\1\0\0\0" + struct.pack("<ii", size, _COMMENT) + content.ljust(size - 8, b"\0")


def _blocks(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, code = struct.unpack_from(f"{order}ii", data, at)
        if size < 8:
            return
        yield code, data[at + 8 : at + size]
        at += size


def _channels(content: bytes) -> tuple[Channel, ...]:
    content = content.rstrip(b"\0")
    if not content.startswith(_MARK):
        return ()
    try:
        rows = json.loads(content)["hounsfield.channels"]
    except (ValueError, RecursionError):
        return ()
    if not isinstance(rows, list) or not all(_is_channel(row) for row in rows):
        return ()
    return tuple(Channel(**row) for row in rows)


def _is_channel(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    return all(
        (name in _TEXT and isinstance(value, str) and len(value) <= _LONGEST)
        or (name in _NUMBER and isinstance(value, int | float) and math.isfinite(value))
        for name, value in row.items()
    )
