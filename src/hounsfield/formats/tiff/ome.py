"""OME-TIFF: what its XML says of the pages (OME Data Model 2016-06).

The XML is hostile: no document type, so no entities; no other file is opened for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from hounsfield.errors import FormatError
from hounsfield.formats.tiff.pages import dtype_of, samples, size_of
from hounsfield.formats.tiff.stacks import SECONDS, Sizes, Spot, Stack, below, length, number
from hounsfield.image import Channel

_NAMESPACE = "openmicroscopy.org/Schemas/OME"
_TYPES = {"float": "float32", "double": "float64", "bit": "uint8"}
_MOST = 10_000_000  # planes that an image may have
_ORDERS = ("XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC")


@dataclass(frozen=True, eq=False)
class _Pixels:
    """The Pixels element of one image, and what stands around it."""

    element: ET.Element
    uuid: str | None  # of the file that we read
    path: Path

    def __getitem__(self, name: str) -> int:
        return _count(self.element, name, self.path)


def is_ome(page: Any) -> bool:
    text = page.description
    return text.lstrip().startswith("<") and _NAMESPACE in text


def stacks(pages: list[Any], path: Path) -> list[Stack]:
    """One stack for each Image that has planes.

    Raises:
        FormatError: the XML is broken or has a document type, its planes lie in other files, are
            missing, or are not what it says.
    """
    root = _parsed(pages[0].description, path)
    if root.find("{*}BinaryOnly") is not None:
        raise _elsewhere(path)
    uuid = root.get("UUID")
    images = [image.find("{*}Pixels") for image in root.findall("{*}Image")]
    found = [_stack(pages, _Pixels(one, uuid, path)) for one in images if one is not None]
    if not found:
        raise FormatError("the OME-XML names no image", file=path)
    return found


def _parsed(text: str, path: Path) -> ET.Element:
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise FormatError(
            "the OME-XML has a document type, which could name entities and other files",
            file=path, remedy="remove it, or export the picture again",
        )  # fmt: skip
    try:
        return ET.fromstring(text.strip("\0 \r\n\t"))  # noqa: S314  (no document type, no entities)
    except ET.ParseError as error:
        raise FormatError(
            f"the OME-XML cannot be read ({error})", file=path, remedy="copy the file again"
        ) from error


def _elsewhere(path: Path) -> FormatError:
    return FormatError(
        "parts of this OME-TIFF lie in other files", file=path,
        expected="all planes and their description in one file",
        remedy="export it as one file, e.g. with bfconvert",
    )  # fmt: skip


def _stack(pages: list[Any], pixels: _Pixels) -> Stack:
    """The pages of an image by channel (time-major) and z."""
    per_channel = _samples(pixels)
    sizes = {"Z": pixels["SizeZ"], "C": len(per_channel), "T": pixels["SizeT"]}
    planes = sizes["Z"] * sizes["C"] * sizes["T"]
    if planes > min(_MOST, len(pages)):
        raise FormatError(
            f"the OME-XML promises {planes:,} planes, the file has {len(pages):,} pages",
            file=pixels.path, remedy="copy the file again; parts of it are missing",
        )  # fmt: skip
    at = _directories(pixels, sizes, len(pages))
    lines = []
    for t in range(sizes["T"]):
        for c in range(sizes["C"]):
            line = tuple(Spot(_page(pages, at, (z, c, t), pixels)) for z in range(sizes["Z"]))
            lines.append(line)
            for spot in line:
                _check(spot.page, per_channel[c], pixels)
    stack = Stack(tuple(lines), _channels(pixels, sizes), "OME-TIFF", _lengths(pixels))
    return Stack(stack.spots, stack.channels, stack.kind, stack.sizes, levels=below(stack))


def _page(
    pages: list[Any], at: dict[tuple[int, int, int], int], place: tuple[int, int, int], of: _Pixels
) -> Any:
    if place not in at:
        z, c, t = place
        raise FormatError(
            f"the plane z={z}, channel={c}, time={t} is not in the file", file=of.path,
            remedy="export it again, with all planes in one file",
        )  # fmt: skip
    return pages[at[place]]


def _samples(pixels: _Pixels) -> list[int]:
    """Samples per pixel of each channel; SizeC counts samples."""
    found = [
        _count(one, "SamplesPerPixel", pixels.path, 1)
        for one in pixels.element.findall("{*}Channel")
    ]
    total = pixels["SizeC"]
    if not found:
        return [1] * min(total, _MOST)
    if sum(found) != total and found == [1] and total == 3:
        return [3]  # older writers say SizeC=3 of RGB, and one channel
    if sum(found) != total or len(set(found)) > 1:
        raise FormatError(
            f"{total} samples are promised, and channels of {found[:9]}", file=pixels.path
        )
    return found


def _directories(
    pixels: _Pixels, sizes: dict[str, int], pages: int
) -> dict[tuple[int, int, int], int]:
    """(z, c, t) -> the number of its page, from the TiffData elements."""
    order = pixels.element.get("DimensionOrder", "")
    if order not in _ORDERS:
        raise FormatError(f"DimensionOrder is {order[:9]!r}", file=pixels.path,
                          expected=", ".join(_ORDERS))  # fmt: skip
    axes = order[2:]  # the fastest first
    blocks = pixels.element.findall("{*}TiffData")
    _check_files(blocks, pixels)
    found: dict[tuple[int, int, int], int] = {}
    for block in blocks:
        count = pages if block.get("IFD") is None else 1
        count = _count(block, "PlaneCount", pixels.path, count, least=0)
        ifd = _count(block, "IFD", pixels.path, 0, least=0)
        start = {a: _count(block, f"First{a}", pixels.path, 0, least=0) for a in "ZCT"}
        linear = start[axes[0]] + sizes[axes[0]] * (
            start[axes[1]] + sizes[axes[1]] * start[axes[2]]
        )
        for i in range(min(count, pages - ifd)):
            place, rest = {}, linear + i
            for axis in axes:
                rest, place[axis] = divmod(rest, sizes[axis])
            if rest == 0:
                found[place["Z"], place["C"], place["T"]] = ifd + i
    return found


def _check_files(blocks: list[ET.Element], pixels: _Pixels) -> None:
    """Planes of other files are refused; one UUID alone is this file's, whatever it is now."""
    uuids = {(block.findtext("{*}UUID") or "").strip() for block in blocks}
    if len(uuids) > 1 and uuids != {pixels.uuid}:
        raise _elsewhere(pixels.path)


def _check(page: Any, per_pixel: int, pixels: _Pixels) -> None:
    """The page must be what the XML says."""
    kind = pixels.element.get("Type", "")
    wanted = (pixels["SizeY"], pixels["SizeX"], _TYPES.get(kind, kind), per_pixel)
    if (page.dtype is None) or (*size_of(page), dtype_of(page).name, samples(page)) != wanted:
        raise FormatError(
            f"a page of {page.shape} {page.dtype}", file=pixels.path,
            expected=f"{wanted[0]}×{wanted[1]} {kind} of {per_pixel} samples, as its XML says",
            remedy="copy the file again; its description is of another picture",
        )  # fmt: skip


def _lengths(pixels: _Pixels) -> Sizes:
    x, y, z = (_length(pixels, axis) for axis in "XYZ")
    return x, y, z


def _length(pixels: _Pixels, axis: str) -> float | None:
    text = pixels.element.get(f"PhysicalSize{axis}")
    unit = length(pixels.element.get(f"PhysicalSize{axis}Unit", "µm"))
    if text is None or unit is None:
        return None
    return number(text, f"PhysicalSize{axis}", pixels.path) * unit or None


def _channels(pixels: _Pixels, sizes: dict[str, int]) -> tuple[Channel, ...]:
    elements = pixels.element.findall("{*}Channel")
    named = [_channel(one, pixels.path) for one in elements] or [Channel()] * sizes["C"]
    times = _times(pixels, sizes)
    return tuple(
        Channel(one.name, None, times.get((c, t)), None, one.wavelength, one.colour)
        for t in range(sizes["T"])
        for c, one in enumerate(named)
    )


def _channel(element: ET.Element, path: Path) -> Channel:
    wavelength = None
    unit = length(element.get("EmissionWavelengthUnit", "nm"))
    if element.get("EmissionWavelength") is not None and unit is not None:
        wavelength = number(element.get("EmissionWavelength", ""), "EmissionWavelength", path)
        wavelength = round(wavelength * unit / 1e-6, 9)
    colour = None
    if element.get("Color") is not None:  # RGBA in one signed number
        packed = int(number(element.get("Color", ""), "Color", path)) & 0xFFFFFFFF
        colour = f"#{packed >> 8:06x}"
    return Channel(element.get("Name", ""), wavelength=wavelength, colour=colour)


def _times(pixels: _Pixels, sizes: dict[str, int]) -> dict[tuple[int, int], float]:
    """(channel, time) -> seconds: each plane's own at z = 0, else by the increment."""
    if sizes["T"] == 1:
        return {}
    found = {}
    for plane in pixels.element.findall("{*}Plane"):
        unit = SECONDS.get(plane.get("DeltaTUnit", "s"))
        if plane.get("DeltaT") is not None and unit and plane.get("TheZ") == "0":
            place = (
                _count(plane, "TheC", pixels.path, 0, 0),
                _count(plane, "TheT", pixels.path, 0, 0),
            )
            found[place] = number(plane.get("DeltaT", ""), "DeltaT", pixels.path) * unit
    wanted = [(c, t) for c in range(sizes["C"]) for t in range(sizes["T"])]
    if all(place in found for place in wanted):
        return found
    unit = SECONDS.get(pixels.element.get("TimeIncrementUnit", "s"))
    step = pixels.element.get("TimeIncrement")
    if step is None or unit is None:
        return {}
    seconds = number(step, "TimeIncrement", pixels.path) * unit
    return {(c, t): t * seconds for c, t in wanted} if seconds else {}


def _count(
    element: ET.Element, name: str, path: Path, otherwise: int | None = None, least: int = 1
) -> int:
    text = element.get(name)
    if text is None and otherwise is not None:
        return otherwise
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FormatError(f"{name} of the OME-XML is {str(text)[:12]!r}", file=path)
    if int(text) < least:
        raise FormatError(
            f"{name} of the OME-XML is {text}", file=path, expected=f"{least} or more"
        )
    return int(text)
