"""Names in DICOM headers, in whatever character set they are written (PS3.5 6.1)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from hounsfield.formats.dicom.elements import Elements

LONGEST = 64  # characters of an LO (PS3.5 6.2); longer names are cut
_ASCII_ENDS = 0x7F
_ESCAPE = 0x1B  # begins a switch of character set (ISO 2022)


def word(elements: Elements, tag: int, charsets: Sequence[str]) -> str:
    """A name or meaning as one printable line; "" where there is none."""
    raw = elements.raw(tag) if tag in elements else b""
    return " ".join("".join(c if c.isprintable() else " " for c in _text(raw, charsets)).split())[
        :LONGEST
    ]


def _text(raw: bytes, charsets: Sequence[str]) -> str:
    if all(byte < _ASCII_ENDS and byte != _ESCAPE for byte in raw):
        return raw.decode("ascii")
    from pydicom.charset import convert_encodings, decode_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names of character sets that do not exist
        try:
            encodings = convert_encodings(list(charsets) or [""])
            return decode_bytes(raw, encodings, set(b"\n\r\t\f\\"))
        except (LookupError, ValueError):
            return raw.decode("latin-1")
