"""Opening a DICOM file: preamble, file meta information, transfer syntax, the wanted elements.

PS3.10 chapter 7; files without preamble or file meta, and deflated ones, are understood too.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from hounsfield.errors import FormatError
from hounsfield.formats.contract import MAX_BYTES, NotAnImage
from hounsfield.formats.dicom.elements import (
    Coding,
    Element,
    Elements,
    EndsEarly,
    Malformed,
    next_element,
    walk,
)
from hounsfield.formats.guard import DEFLATE_RATIO

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

_MEDIA_STORAGE_CLASS, _TRANSFER_SYNTAX = 0x00020002, 0x00020010
_STEPS = (1 << 14, 1 << 19, 1 << 24, 1 << 28)  # bytes of head to try; no header is longer


@dataclass(frozen=True, eq=False)
class DicomFile:
    """The wanted elements of a file, and where its pixels lie.

    Of a deflated file, `deflated` is where its data set begins; offsets count in the inflated
    one, and `size` is the most that it can have.
    """

    path: Path
    size: int
    syntax: str  # transfer syntax UID
    elements: Elements
    pixels: Element | None
    deflated: int | None = None

    def closed(self) -> DicomFile:
        """The same file without the bytes of its header."""
        return replace(self, elements=Elements(b"", {}, self.elements.coding))

    def inflated(self, count: int) -> bytes:
        """The first bytes of a deflated data set."""
        found = _inflated(self.path, _behind(self.path, self.deflated or 0), count)
        if len(found) < count:
            raise _ends_early(self.path, len(found))
        return found


def looks_like_dicom(head: bytes) -> bool:
    """DICM behind the preamble, or at the start some elements that only DICOM has."""
    if head[128:132] == b"DICM":
        return True
    if head[:4] not in _BARE_STARTS:
        return False
    at = 0
    tags: list[int] = []
    coding = _guess(head, 0)
    try:
        while len(tags) < 4 and at < len(head):
            element = next_element(head, at, coding)
            tags.append(element.tag)
            at = element.start + element.length
            if element.tag >> 16 == 2 and at + 8 <= len(head) and head[at : at + 2] != b"\2\0":
                coding = _guess(head, at)
    except EndsEarly:
        return False
    return len(tags) > 1 and tags == sorted(set(tags)) and tags[-1] >> 16 <= 0x7FE0


# Groups 0002 and 0008, with the elements that can come first, little and big endian
_BARE_STARTS = frozenset(
    group.to_bytes(2, order) + number.to_bytes(2, order)
    for order in ("little", "big")
    for group, numbers in (
        (2, (0, 1, 2, 3, 0x10)),
        (8, (0, 1, 5, 8, 0x12, 0x14, 0x16, 0x18, 0x20)),
    )
    for number in numbers
)


def _guess(buffer: bytes, at: int) -> Coding:
    """The coding of a data set that does not name it: by its first element's VR and order."""
    big = buffer[at] == 0 and buffer[at + 1] != 0
    vr = buffer[at + 4 : at + 6]
    explicit = vr.isalpha() and vr.isupper()
    return Coding(explicit=explicit, little=not big)


def open_dicom(path: Path, wanted: frozenset[int]) -> DicomFile:
    """Read as much of a file as its wanted elements need.

    Raises:
        FormatError: no DICOM, damaged, truncated before the pixels, or a DICOMDIR.
    """
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, 2)
        for step in sorted({min(step, size) for step in _STEPS}):
            file.seek(0)
            buffer = _read(file, step)
            try:
                return _parse(path, buffer, size, wanted)
            except EndsEarly:
                continue
            except (Malformed, RecursionError) as error:
                raise FormatError(
                    f"damaged DICOM elements ({error})", file=path, remedy="copy the file again"
                ) from error
    ends = f"the file ends inside an element, after {size:,} bytes, before any pixels"
    raise FormatError(
        ends if size <= _STEPS[-1] else f"the header does not end within {_STEPS[-1]:,} bytes",
        file=path,
        expected="a whole DICOM file",
        remedy="copy the file again; it is truncated or damaged",
    )


def _read(file: BinaryIO, count: int) -> bytes:
    parts = []
    while count > 0 and (part := file.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _parse(path: Path, buffer: bytes, size: int, wanted: frozenset[int]) -> DicomFile:
    at = 132 if buffer[128:132] == b"DICM" else 0
    at, syntax, storage_class = _meta(buffer, at)
    coding = _coding(buffer, at, syntax)
    if storage_class == "1.2.840.10008.1.3.10":
        raise NotAnImage(
            "this is a DICOMDIR, a list of files, not an image",
            file=path,
            remedy="read the image files beside it; `hounsfield index FOLDER` finds them",
        )
    if syntax == DEFLATED:
        return _parse_deflated(path, at, wanted)
    elements, pixels = walk(buffer, at, size, coding, wanted)
    named = {(True, True): EXPLICIT_LITTLE, (False, True): IMPLICIT_LITTLE}
    syntax = syntax or named.get((coding.explicit, coding.little), EXPLICIT_BIG)
    return DicomFile(path, size, syntax, elements, pixels)


def _meta(buffer: bytes, at: int) -> tuple[int, str, str]:
    """Behind the file meta information; its transfer syntax and storage class, "" if unsaid."""
    found = {}
    while buffer[at : at + 2] == b"\2\0":
        element = next_element(buffer, at, Coding())
        at = element.start + element.length
        if at > len(buffer):
            raise EndsEarly
        if element.tag in (_MEDIA_STORAGE_CLASS, _TRANSFER_SYNTAX):
            found[element.tag] = buffer[element.start : at].decode("latin-1").strip("\0 ")
    return at, found.get(_TRANSFER_SYNTAX, ""), found.get(_MEDIA_STORAGE_CLASS, "")


def _coding(buffer: bytes, at: int, syntax: str) -> Coding:
    """The coding that the transfer syntax names, unless the first element shows another.

    Files exist whose data set is implicit although their meta information says explicit, and
    the other way round; the VR of the first element is the proof. A deflated set shows nothing.
    """
    if syntax == DEFLATED:
        return Coding()
    if at + 8 > len(buffer):
        return Coding()
    shown = _guess(buffer, at)
    little = syntax != EXPLICIT_BIG if syntax else shown.little
    return Coding(explicit=shown.explicit, little=little)


def _parse_deflated(path: Path, at: int, wanted: frozenset[int]) -> DicomFile:
    """The wanted elements of a data set that begins at `at` and is inflated as far as they go."""
    data = _behind(path, at)
    most = min(MAX_BYTES, len(data) * DEFLATE_RATIO)
    for step in _STEPS:
        head = _inflated(path, data, step)
        try:
            elements, pixels = walk(
                head, 0, most if len(head) == step else len(head), Coding(), wanted
            )
        except EndsEarly:
            if len(head) < step:
                break
            continue
        return DicomFile(path, most, DEFLATED, elements, pixels, at)
    raise _ends_early(path, len(head))


def _behind(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read()


def _inflated(path: Path, data: bytes, most: int) -> bytes:
    """The first bytes of a deflated data set (PS3.5 A.5: raw deflate), as many as there are."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
    except zlib.error as error:
        raise FormatError(
            f"the deflated data set is damaged ({error})", file=path, remedy="copy the file again"
        ) from error


def _ends_early(path: Path, found: int) -> FormatError:
    return FormatError(
        f"the deflated data set ends early, after {found:,} bytes",
        file=path,
        remedy="copy the file again; it is truncated",
    )
