"""What a compressed picture's own header promises, read before anything is allocated."""

from __future__ import annotations

from struct import unpack_from

from hounsfield.errors import FormatError

# JPEG (ITU-T T.81 B.2.2) and JPEG-LS (T.87): the start-of-frame markers, which are not DHT (C4),
# JPG (C8) and DAC (CC)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_BARE = frozenset(range(0xD0, 0xDA)) | {0x01}  # markers without a length


def jpeg_size(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, bits) of a JPEG or JPEG-LS stream.

    Raises:
        FormatError: there is no frame header.
    """
    for marker, start, _ in segments(data):
        if marker in _FRAMES and start + 6 <= len(data):
            bits, rows, columns, components = unpack_from(">BHHB", data, start)
            return rows, columns, components, bits
    raise FormatError("this JPEG stream has no frame header", remedy="copy the file again")


def segments(data: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of each segment's content, up to the first scan."""
    at, found = 2, []
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        (length,) = unpack_from(">H", data, at + 2)
        if length < 2:
            break
        found.append((marker, at + 4, at + 2 + length))
        if marker == 0xDA:
            break
        at += 2 + length
    return found


def says_rgb(data: bytes, otherwise: bool) -> bool:
    """Whether a JPEG's three components are RGB, not YCbCr.

    The stream itself is believed first: Adobe's transform flag, a JFIF header (always YCbCr),
    the component names R, G, B; the surrounding header only where the stream is silent.
    """
    for marker, start, end in segments(data):
        if marker == 0xEE and data[start : start + 5] == b"Adobe" and end - start >= 12:
            return data[start + 11] == 0
        if marker == 0xE0 and data[start : start + 5] == b"JFIF\0":
            return False
        if marker in _FRAMES and data[start + 5 : start + 6] == b"\3":
            names = data[start + 6 : start + 15 : 3]
            return names == b"RGB" or otherwise
    return otherwise


def jpeg2000_size(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, bits) of a JPEG 2000 codestream (T.800 A.5.1), bare or boxed."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 43 > len(data):
        raise FormatError("this JPEG 2000 stream has no size", remedy="copy the file again")
    right, bottom, left, top = unpack_from(">IIII", data, at + 8)
    components, depth = unpack_from(">HB", data, at + 40)
    return bottom - top, right - left, components, (depth & 0x7F) + 1


def jpeg2000_transforms(data: bytes) -> bool:
    """Whether a JPEG 2000 codestream mixes its components (T.800 A.6.1, the byte of table A.17)."""
    at = data.find(b"\xff\x52", data.find(b"\xff\x4f\xff\x51"))
    return at >= 0 and data[at + 8 : at + 9] == b"\1"
