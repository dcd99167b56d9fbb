"""Is a video file as long as its own outermost boxes say? libav reads a cut one without a word."""

from __future__ import annotations

from pathlib import Path
from struct import unpack
from typing import BinaryIO

from hounsfield.formats.video.file import File, demuxer

_SEGMENT = b"\x18\x53\x80\x67"
_MOST_BOXES = 1_000_000  # a fragmented file has two for each fragment


def cut_off(file: File) -> str | None:
    """How many bytes are missing, in words; None where none are, or the container cannot tell."""
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return _cut_off(stream)
    try:
        return _cut_off(file)
    finally:
        file.seek(0)


def _cut_off(stream: BinaryIO) -> str | None:
    there = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(4096)
    promised = {"mov": _mov, "avi": _avi, "matroska": _matroska}.get(demuxer(head) or "")
    needed = promised(stream, head, there) if promised else there
    if needed <= there:
        return None
    return f"the file ends after {there:,} of {needed:,} bytes"


def _mov(stream: BinaryIO, head: bytes, there: int) -> int:
    """The end of the last box (ISO/IEC 14496-12 4.2)."""
    at = 0
    for _ in range(_MOST_BOXES):
        stream.seek(at)
        box = stream.read(16)
        if len(box) < 8:
            return at
        size = int(unpack(">I", box[:4])[0])
        if size == 1 and len(box) == 16:
            size = int(unpack(">Q", box[8:])[0])
        if size == 0:  # up to the end, wherever that is
            return there
        if size < 8 or not box[4:8].isalnum():  # something else follows the boxes
            return at
        at += size
        if at >= there:
            return at
    return there


def _avi(stream: BinaryIO, head: bytes, there: int) -> int:
    """The first RIFF chunk; a recorder that was stopped left 0 or the largest number."""
    size = int(unpack("<I", head[4:8])[0])
    return 8 + size if 0 < size < 0xFFFFFF00 else there


def _matroska(stream: BinaryIO, head: bytes, there: int) -> int:
    """The segment's size (RFC 8794 4 and 6.2); all ones where it is not known."""
    place = head.find(_SEGMENT)
    if place < 0 or len(head) < place + 12:
        return there
    first = head[place + 4]
    length = 9 - first.bit_length()
    if length > 8:
        return there
    size = int.from_bytes(head[place + 4 : place + 4 + length], "big") & ((1 << 7 * length) - 1)
    return there if size == (1 << 7 * length) - 1 else place + 4 + length + size
