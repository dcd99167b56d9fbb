"""Which pages of a TIFF make one image, in which order, of which size in the world.

Plain TIFF: pages of one size lie along Z. ImageJ's description adds channels, times and
units. OME-TIFF says it in XML (`tiff_ome`). Smaller copies of a picture (the levels of a
pyramid) are no images of their own; `#level/2` names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.tiff.pages import dtype_of, is_colour, samples, size_of, turn_of
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Channel

Sizes = tuple[float | None, float | None, float | None]  # x, y, z in mm

# millimetres of a length's name; what is not here is no length ("pixel", "reference frame")
LENGTHS = {
    "m": 1e3, "meter": 1e3, "metre": 1e3, "dm": 100.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0,
    "µm": 1e-3, "um": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "nm": 1e-6, "nanometer": 1e-6, "pm": 1e-9, "å": 1e-7, "angstrom": 1e-7,
    "in": 25.4, "inch": 25.4,
}  # fmt: skip
SECONDS = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "sec": 1.0, "ms": 1e-3,
           "µs": 1e-6, "us": 1e-6, "ns": 1e-9}  # fmt: skip

_INCH, _CENTIMETRE = 2, 3
_PLACEHOLDERS = (0, 1, 72, 96)  # dots per inch that mean a screen, or nothing
_REDUCED = 1  # NewSubfileType: a smaller copy of another page


@dataclass(frozen=True, eq=False)
class Spot:
    """Where one plane lies: a page, or so many images behind it without a directory."""

    page: Any
    behind: int = 0


@dataclass(frozen=True, eq=False)
class Stack:
    """One image of a file: `spots[channel][z]`, channels in time-major order."""

    spots: tuple[tuple[Spot, ...], ...]
    channels: tuple[Channel, ...]
    kind: str = "TIFF"
    sizes: Sizes = (None, None, None)
    scaling: tuple[float, float] = (1, 0)  # value = stored × slope + intercept
    levels: tuple[tuple[Any, ...], ...] = ()  # smaller copies, page by page in the order of spots

    @property
    def page(self) -> Any:
        return self.spots[0][0].page

    @property
    def depth(self) -> int:
        return len(self.spots[0])


def plain(pages: list[Any]) -> list[Stack]:
    """Pages of one size along Z; smaller copies become levels."""
    groups: dict[Any, list[Any]] = {}
    for page in pages:
        key = (page.shape, str(page.dtype), page.photometric, turn_of(page), _is_reduced(page))
        groups.setdefault(key, []).append(page)
    found: list[Stack] = []
    for group in groups.values():
        number = next((i for i, s in enumerate(found) if _is_level(group, s)), None)
        if number is None:
            found.append(_of_pages(group))
        else:
            found[number] = replace(found[number], levels=(*found[number].levels, tuple(group)))
    return [one if one.levels else replace(one, levels=below(one)) for one in found]


def _of_pages(group: list[Any]) -> Stack:
    x, y = resolution(group[0])
    return Stack((tuple(Spot(page) for page in group),), (Channel(),), sizes=(x, y, None))


def below(stack: Stack) -> tuple[tuple[Any, ...], ...]:
    """The levels that lie in SubIFDs: the n-th of each page is the n-th level."""
    spots = [spot for line in stack.spots for spot in line]
    if any(spot.behind or not spot.page.subifds for spot in spots):
        return ()
    trees = [[page.aspage() for page in spot.page.pages] for spot in spots]
    if len({len(tree) for tree in trees}) != 1:
        return ()
    levels = zip(*trees, strict=True)
    return tuple(tuple(level) for level in levels if _smaller(level[0], stack.page))


def _is_reduced(page: Any) -> bool:
    return bool(int(page.subfiletype) & _REDUCED)


def _is_level(group: list[Any], stack: Stack) -> bool:
    copies = _is_reduced(group[0]) or (group[0].is_tiled and stack.page.is_tiled)
    return copies and len(group) == stack.depth and _smaller(group[0], stack.page)


def _smaller(page: Any, whole: Any) -> bool:
    """The same kind of picture in the same proportions, to a pixel, and smaller."""
    alike = (page.samplesperpixel, page.dtype, page.photometric, turn_of(page)) == (
        whole.samplesperpixel, whole.dtype, whole.photometric, turn_of(whole)
    )  # fmt: skip
    rows, columns, all_rows, all_columns = *size_of(page), *size_of(whole)
    if not alike or not (0 < rows < all_rows and 0 < columns < all_columns):
        return False
    return abs(rows / all_rows - columns / all_columns) <= 1 / all_rows + 1 / all_columns


def level(stack: Stack, number: int, path: Path) -> Stack:
    """A smaller copy; level 0 is the image itself.

    Raises:
        FormatError: there is no such level.
    """
    if number == 0:
        return stack
    if number > len(stack.levels):
        raise FormatError(
            f"no level {number} in this picture", file=path, expected=f"0 to {len(stack.levels)}"
        )
    copies = iter(stack.levels[number - 1])
    spots = tuple(tuple(Spot(next(copies)) for _ in line) for line in stack.spots)
    (rows, columns), (all_rows, all_columns) = size_of(spots[0][0].page), size_of(stack.page)
    x, y, z = stack.sizes
    sizes = (x and x * all_columns / columns, y and y * all_rows / rows, z)
    return replace(stack, spots=spots, sizes=sizes, levels=())


def resolution(page: Any) -> tuple[float | None, float | None]:
    """Pixel size (x, y) in mm from the resolution tags, where they are a length.

    72 and 96 dots per inch are what programs write for want of anything better.
    """
    unit = page.tags.get(296)
    names = {_INCH: Fraction(254, 10), _CENTIMETRE: Fraction(10)}
    millimetres = names.get(unit.value if unit is not None else 0)
    if millimetres is None:
        return None, None
    counts = [per_unit(page, tag) for tag in (282, 283)]
    for count in counts:
        inches = (count or 0) * Fraction(254, 10) / millimetres
        if count is None or count in _PLACEHOLDERS or round(float(inches), 1) in _PLACEHOLDERS:
            return None, None
    x, y = (float(millimetres / count) for count in counts if count)
    return (y, x) if turn_of(page) > 4 else (x, y)


def per_unit(page: Any, tag: int) -> Fraction | None:
    """Pixels per unit of length, from a rational."""
    value = page.tags.get(tag)
    if value is None or not isinstance(value.value, tuple) or len(value.value) != 2:
        return None
    top, bottom = value.value
    return Fraction(top, bottom) if top > 0 and bottom > 0 else None


def geometry(stack: Stack, first: int) -> Geometry:
    """`Plane` from x and y, a straight grid from x, y and z; None where no size is known.

    Raises:
        GeometryError: a size that is no length.
    """
    x, y, z = stack.sizes
    for size in (x, y, z):
        if size is not None and not (isfinite(size) and size >= 0):
            raise GeometryError(f"a pixel size of {size} mm", expected="a length above 0")
    if not x or not y:
        return None
    if stack.depth == 1 or not z:
        return Plane((x, y))
    affine = np.diag([x, y, z, 1.0])
    affine[2, 3] = first * z
    return Patient(affine)


def channels(stack: Stack, colours: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """One channel for each sample of each plane."""
    count = samples(stack.page)
    if count == 1:
        return stack.channels
    if is_colour(stack.page):
        return tuple(replace(c, time=one.time) for one in stack.channels for c in colours)
    return tuple(one for one in stack.channels for _ in range(count))


def value_dtype(stack: Stack) -> np.dtype[Any]:
    """The smallest type that holds every scaled value exactly."""
    stored = dtype_of(stack.page)
    slope, intercept = stack.scaling
    if (slope, intercept) == (1, 0):
        return stored
    if stored.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = [float(end) * slope + intercept for end in (np.iinfo(stored).min,
                                                           np.iinfo(stored).max)]  # fmt: skip
        if min(ends) >= -32768 and max(ends) <= 32767:
            return np.dtype(np.int16)
    return np.dtype(np.float64 if stored.itemsize > 2 else np.float32)


def imagej_fields(page: Any) -> dict[str, str] | None:
    """The lines of an ImageJ description, or None."""
    text = page.description
    if not text.startswith("ImageJ="):
        return None
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def imagej(pages: list[Any], fields: Mapping[str, str], path: Path) -> list[Stack]:
    """A hyperstack: channels fastest, then slices, then frames (ImageJ, FileOpener).

    Raises:
        FormatError: another number of planes than there are, or values calibrated by a curve.
    """
    total = _count(fields, "images", path)
    c, z, t = (_count(fields, name, path) for name in ("channels", "slices", "frames"))
    z = total if (c, z, t) == (1, 1, 1) else z
    spots = [Spot(page) for page in pages]
    if len(pages) == 1 and pages[0].is_contiguous and int(pages[0].compression) == 1:
        room = path.stat().st_size // max(1, pages[0].nbytes)
        spots = [Spot(pages[0], number) for number in range(min(c * z * t, room))]
    if len({(p.shape, str(p.dtype), p.photometric) for p in pages}) > 1:
        return plain(pages)
    if len(spots) != c * z * t:
        raise FormatError(
            f"{c} channels × {z} slices × {t} frames are promised, {len(spots)} planes are there",
            file=path, remedy="copy the file again; it is truncated",
        )  # fmt: skip
    lines = tuple(
        tuple(spots[(time * z + i) * c + channel] for i in range(z))
        for time in range(t)
        for channel in range(c)
    )
    step = _number(fields, "finterval", path) * SECONDS.get(fields.get("tunit", "sec"), 0)
    times = [i * step if t > 1 and step > 0 else None for i in range(t)]
    kinds = tuple(Channel(time=time) for time in times for _ in range(c))
    sizes, scaling = _imagej_sizes(pages[0], fields, path), _imagej_scaling(fields, path)
    return [Stack(lines, kinds, "ImageJ", sizes, scaling)]


def _imagej_sizes(page: Any, fields: Mapping[str, str], path: Path) -> Sizes:
    unit = length(fields.get("unit", ""))
    if unit is None:
        x, y = resolution(page) if "unit" not in fields else (None, None)
        return x, y, None
    counts = [per_unit(page, tag) for tag in (282, 283)]
    across = length(fields.get("yunit", "")) or unit
    z = abs(_number(fields, "spacing", path)) * (length(fields.get("zunit", "")) or unit)
    x = float(unit / counts[0]) if counts[0] else None
    y = float(across / counts[1]) if counts[1] else None
    return x, y, z or None


def length(name: str) -> float | None:
    """Millimetres of a unit, or None; ImageJ writes µ as \\u00B5."""
    name = name.replace("\\u00B5", "µ").replace("μ", "µ").strip()
    return LENGTHS.get(name, LENGTHS.get(name.lower()))


def _imagej_scaling(fields: Mapping[str, str], path: Path) -> tuple[float, float]:
    """ImageJ's calibration function 0 is a straight line; signed 16 bits are stored with it."""
    if "cf" not in fields:
        return 1, 0
    if fields["cf"] != "0":
        raise FormatError(
            f"values calibrated by ImageJ's function {fields['cf'][:9]!r}, which is no line",
            file=path, remedy="apply the calibration in ImageJ and save as 32 bits",
        )  # fmt: skip
    slope, intercept = _number(fields, "c1", path), _number(fields, "c0", path)
    return (slope, intercept) if slope else (1, 0)


def _count(fields: Mapping[str, str], name: str, path: Path) -> int:
    text = fields.get(name, "1")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) < 10**9):
        raise FormatError(f"{name} is {text[:12]!r}", file=path, expected="a number above 0")
    return int(text)


def _number(fields: Mapping[str, str], name: str, path: Path) -> float:
    return number(fields.get(name, "0"), name, path)


def number(text: str, name: str, path: Path) -> float:
    """A finite number of a header.

    Raises:
        FormatError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise FormatError(f"{name} is {text[:20]!r}", file=path, expected="a finite number")
    return value
