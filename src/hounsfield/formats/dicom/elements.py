"""Walking through a DICOM data set: where each element lies, without decoding it.

An index of a million files reads headers only, so this reads the start of a file, steps over
what it is not asked for, and stops at the pixels (PS3.5 chapter 7, PS3.10 chapter 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # float, double, integer
MAX_DEPTH = 40  # nested sequences; real files stay below ten

# PS3.5 7.1.2: these have two reserved bytes and a length of 32 bits
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_SHORT_NAMES = {code: code.decode("ascii") for code in _SHORT}
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


class EndsEarly(Exception):  # noqa: N818  (caught inside this room: more bytes are needed)
    """The buffer ends inside an element."""


class Malformed(Exception):  # noqa: N818  (caught inside this room, becomes a FormatError)
    """The bytes are no DICOM elements."""


@dataclass(frozen=True)
class Coding:
    """How elements are coded (PS3.5 annex A)."""

    explicit: bool = True
    little: bool = True

    @property
    def order(self) -> str:
        return "<" if self.little else ">"


class Element(NamedTuple):
    """Where an element's value lies; `length` is UNDEFINED for delimited sequences."""

    tag: int
    vr: str
    start: int
    length: int


_element = Element._make
_HEADS = {order: (Struct(order + "HH2sH"), Struct(order + "HHI")) for order in "<>"}
_HEADS_RUN = {order: Struct(order + "I2sH").unpack_from for order in "<>"}
_LENGTHS = {order: Struct(order + "I") for order in "<>"}
IMPLICIT = Coding(explicit=False)


def next_element(buffer: bytes, at: int, coding: Coding) -> Element:
    """The element at an offset. Items and their ends have no VR in either coding."""
    explicit, implicit = _HEADS[coding.order]
    if at + 8 > len(buffer):
        raise EndsEarly
    group, number, vr, length = explicit.unpack_from(buffer, at)
    tag = group << 16 | number
    if coding.explicit and group != 0xFFFE:
        if vr in _SHORT:
            return Element(tag, vr.decode("ascii"), at + 8, length)
        if vr in _LONG:
            if at + 12 > len(buffer):
                raise EndsEarly
            (length,) = _LENGTHS[coding.order].unpack_from(buffer, at + 8)
            return Element(tag, vr.decode("ascii"), at + 12, length)
        # Some writers mix implicit elements in; anything else is noise and fails on its length.
    return Element(tag, "", at + 8, implicit.unpack_from(buffer, at)[2])


def after(buffer: bytes, element: Element, coding: Coding, depth: int = 0) -> int:
    """The offset behind an element, stepping through delimited sequences."""
    if element.length != UNDEFINED:
        return element.start + element.length
    if depth > MAX_DEPTH:
        raise Malformed("sequences nested too deeply")
    # PS3.5 6.2.2: an unknown element of undefined length is an implicit sequence
    inner = IMPLICIT if element.vr == "UN" else coding
    at = element.start
    while True:
        item = next_element(buffer, at, inner)
        if item.tag in (SEQUENCE_END, ITEM_END):
            return item.start
        # Inside an item come elements, inside a sequence items; both end by a delimiter.
        at = after(buffer, item, inner, depth + 1)


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a data set or of one item, by tag; values are decoded when asked for."""

    buffer: bytes
    found: dict[int, Element]
    coding: Coding

    def __contains__(self, tag: int) -> bool:
        return tag in self.found and self.found[tag].length != 0

    def raw(self, tag: int) -> bytes:
        element = self.found[tag]
        return self.buffer[element.start : element.start + element.length]

    def texts(self, tag: int) -> list[str]:
        """The values of a text element, without padding; empty if it is absent."""
        if tag not in self:
            return []
        utf8 = 0x00080005 in self.found and b"ISO_IR 192" in self.raw(0x00080005)
        text = self.raw(tag).decode("utf-8" if utf8 else "latin-1", "replace")
        return [part.strip(" \0\r\n\t") for part in text.split("\\")]

    def text(self, tag: int) -> str | None:
        """The first value of a text element; None if it is absent or empty."""
        values = self.texts(tag)
        return values[0] if values and values[0] else None

    def numbers(self, tag: int, vr: str) -> list[float]:
        """The values of a numeric element, whose VR is `vr` where the file does not say.

        Raises:
            ValueError: the value is no number.
        """
        if tag not in self:
            return []
        said = self.found[tag].vr
        code = _NUMBERS.get(vr if said in ("", "UN") else said)
        if code is None:
            return [float(text) for text in self.texts(tag) if text]
        raw = self.raw(tag)
        one = Struct(self.coding.order + code)
        whole = len(raw) - len(raw) % one.size
        return [float(value) for (value,) in one.iter_unpack(raw[:whole])]

    def items(self, tag: int) -> list[Elements]:
        """The items of a sequence; empty if it is absent."""
        if tag not in self:
            return []
        sequence = self.found[tag]
        coding = IMPLICIT if sequence.vr == "UN" else self.coding
        end = after(self.buffer, sequence, self.coding)
        at, items = sequence.start, []
        while at < end:
            item = next_element(self.buffer, at, coding)
            if item.tag == SEQUENCE_END:
                break
            stop = after(self.buffer, item, coding)
            items.append(walk(self.buffer, item.start, stop, coding)[0])
            at = stop
        return items


@lru_cache(maxsize=16)
def _as_read(wanted: frozenset[int], order: str) -> dict[int, int]:
    """Tags as one number of 32 bits reads them from a file in this order -> the tags."""
    if order == ">":
        return {tag: tag for tag in wanted}
    return {(tag & 0xFFFF) << 16 | tag >> 16: tag for tag in wanted}


def _run(
    buffer: bytes, at: int, coding: Coding, wanted: frozenset[int], found: dict[int, Element]
) -> int:
    """Over plain elements, keeping those that were asked for; most of a header, so it is tight."""
    last = len(buffer) - 8
    if coding.explicit:
        unpack, short, tags = _HEADS_RUN[coding.order], _SHORT, _as_read(wanted, coding.order)
        while at <= last:
            number, code, length = unpack(buffer, at)
            if code not in short:
                break
            if number in tags:
                tag = tags[number]
                if tag not in found:  # where a tag comes twice the first one counts
                    found[tag] = _element((tag, _SHORT_NAMES[code], at + 8, length))
            at += 8 + length
        return at
    lengths = _HEADS[coding.order][1].unpack_from
    while at <= last:
        group, number, length = lengths(buffer, at)
        tag = group << 16 | number
        if length == UNDEFINED or tag in wanted or tag in PIXELS or group == 0xFFFE:
            break
        at += 8 + length
    return at


def walk(
    buffer: bytes, at: int, end: int, coding: Coding, wanted: frozenset[int] | None = None
) -> tuple[Elements, Element | None]:
    """The wanted elements (all by default) from an offset on, and the pixels where it stops.

    Raises:
        EndsEarly: the buffer ends inside an element.
    """
    found: dict[int, Element] = {}
    pixels = None
    while at < end:
        if wanted is not None:
            at = _run(buffer, at, coding, wanted, found)
            if at > len(buffer):
                raise EndsEarly
            if at >= end:
                break
        element = next_element(buffer, at, coding)
        if element.tag in PIXELS:
            pixels = element
            break
        if element.tag in (ITEM_END, SEQUENCE_END):
            break
        at = after(buffer, element, coding)
        if wanted is None or element.tag in wanted:
            if at > len(buffer):
                raise EndsEarly
            found.setdefault(element.tag, element)
    if at > len(buffer):
        raise EndsEarly
    return Elements(buffer, found, coding), pixels
