"""RT Structure Sets: contours in mm, as the file has them (PS3.3 A.19, C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.file import open_dicom
from hounsfield.formats.dicom.words import word
from hounsfield.formats.guard import refusing

STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"  # SOP class
_CLASS, _CHARSET, _FRAME = 0x00080016, 0x00080005, 0x00200052
_FRAMES, _ROIS, _CONTOURS, _OBSERVED = 0x30060010, 0x30060020, 0x30060039, 0x30060080
_WANTED = frozenset((_CLASS, _CHARSET, _FRAMES, _ROIS, _CONTOURS, _OBSERVED))
_NUMBER, _ROI_FRAME, _NAME, _OF = 0x30060022, 0x30060024, 0x30060026, 0x30060084
_TYPE = 0x300600A4  # RT ROI Interpreted Type
_SEQUENCE, _KIND, _SHIFT = 0x30060040, 0x30060042, 0x30060045
_COUNT, _POINTS = 0x30060046, 0x30060050
_FAR = 1e7  # mm
KINDS = (  # PS3.3 C.8.8.6.3
    "POINT", "OPEN_PLANAR", "OPEN_NONPLANAR", "CLOSED_PLANAR", "CLOSEDPLANAR_XOR",
)  # fmt: skip


@dataclass(frozen=True)
class Roi:
    """A region of interest: its number and name, and what it is (ORGAN, PTV, EXTERNAL, …)."""

    number: int
    name: str
    type: str
    contours: int
    frame_uid: str | None


@dataclass(frozen=True, eq=False)
class Contour:
    """Points (N, 3) in RAS mm, and how they belong together, one of KINDS."""

    kind: str
    points: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Structure:
    """A region with its contours."""

    roi: Roi
    contours: tuple[Contour, ...]


def rois(path: str | Path) -> list[Roi]:
    """The regions of a structure set, in the order of the file.

    Raises:
        FormatError: no structure set, or damaged.
    """
    return [one.roi for one in structures(path)]


def structures(path: str | Path) -> list[Structure]:
    """The regions of a structure set with their contours.

    Raises:
        FormatError: no structure set, damaged, coordinates that are no points.
        GeometryError: coordinates that are not finite or farther than anything is.
    """
    path = Path(path)
    with refusing(path, "the structures"):
        elements = open_dicom(path, _WANTED).elements
        if elements.text(_CLASS) != STRUCTURES:
            raise FormatError(
                "this is no RT Structure Set and no segmentation",
                file=path,
                expected="SOP class RT Structure Set (RTSTRUCT) or Segmentation (SEG)",
            )
        return _structures(elements, path)


def _structures(elements: Elements, path: Path) -> list[Structure]:
    charsets = elements.texts(_CHARSET)
    frames = {item.text(_FRAME) for item in elements.items(_FRAMES)} - {None}
    only_frame = frames.pop() if len(frames) == 1 else None
    drawn: dict[int, list[Contour]] = {}
    for item in elements.items(_CONTOURS):
        number = _whole(item, _OF, path)
        drawn.setdefault(number, []).extend(_contour(one, path) for one in item.items(_SEQUENCE))
    types = {_whole(item, _OF, path): item.text(_TYPE) or "" for item in elements.items(_OBSERVED)}
    found: dict[int, Structure] = {}
    for item in elements.items(_ROIS):
        number = _whole(item, _NUMBER, path)
        contours = tuple(drawn.pop(number, ()))
        name = word(item, _NAME, charsets) or f"ROI {number}"
        uid = item.text(_ROI_FRAME) or only_frame
        if number in found:
            raise _damaged(f"two regions have the number {number}", path)
        roi = Roi(number, name, types.get(number, ""), len(contours), uid)
        found[number] = Structure(roi, contours)
    if any(drawn.values()):
        raise _damaged(f"contours of region {min(drawn)}, which is not described", path)
    if not found:
        raise _damaged("it describes no region", path)
    return list(found.values())


def _whole(item: Elements, tag: int, path: Path) -> int:
    numbers = item.numbers(tag, "IS")
    if len(numbers) != 1 or not numbers[0].is_integer():
        raise _damaged(f"a region's number is {numbers}", path)
    return int(numbers[0])


def _contour(item: Elements, path: Path) -> Contour:
    kind = item.text(_KIND) or ""
    if kind not in KINDS:
        raise _damaged(f"a contour of the type {kind[:20]!r}", path, ", ".join(KINDS))
    if any(item.numbers(_SHIFT, "DS")):
        raise GeometryError(
            "a contour with a ContourOffsetVector, which the standard has given up",
            file=path,
            remedy="export the structures again",
        )
    values = _coordinates(item, path)
    said = item.numbers(_COUNT, "IS")
    if len(values) % 3 or not len(values):
        raise _damaged(f"a contour of {len(values)} coordinates", path, "x, y, z of each point")
    if said and said[0] != len(values) // 3:
        raise _damaged(f"a contour of {len(values) // 3} points says that it has {said[0]:g}", path)
    if not np.abs(values).max() < _FAR:  # NaN is not less, either
        raise GeometryError(
            "a contour's point is not finite, or lies beyond 10 km",
            file=path,
            remedy="export the structures again",
        )
    return Contour(kind, values.reshape(-1, 3) * (-1.0, -1.0, 1.0))


def _coordinates(item: Elements, path: Path) -> NDArray[np.float64]:
    """Numbers as text; long ones come as UN in explicit files (PS3.5 6.2.2), and are the same."""
    text = item.raw(_POINTS).decode("latin-1").strip(" \0") if _POINTS in item else ""
    try:
        return np.array(text.split("\\") if text else [], dtype=np.float64)
    except ValueError:
        raise _damaged("a contour's coordinate is no number", path) from None


def _damaged(problem: str, path: Path, expected: str | None = None) -> FormatError:
    return FormatError(
        problem,
        file=path,
        expected=expected or "what PS3.3 C.8.8.5 and C.8.8.6 require",
        remedy="the file is damaged; export the structures again",
    )


def in_frame(some: Sequence[Structure], uid: str | None, path: Path) -> None:
    """Refuse regions that were drawn in another frame of reference than the image's.

    Raises:
        GeometryError: both say which, and they are not the same.
    """
    other = [one.roi.name for one in some if uid and one.roi.frame_uid not in (None, uid)]
    if other:
        raise GeometryError(
            f"{len(other)} of {len(some)} structures were drawn in another frame of reference "
            f"than the image's: {', '.join(other[:4])}{', …' if len(other) > 4 else ''}",
            file=path,
            expected="one Frame of Reference UID: positions of different ones do not compare",
            remedy="give the image that they were drawn on, or one of its study that is "
            "registered with it",
        )
