"""An enhanced file's functional groups: what is said of one frame, else of all of them.

PS3.3 C.7.6.16. A group is a sequence of one item, in the frame's own item or in the shared one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.geometry import checked_axes, checked_place
from hounsfield.formats.dicom.marks import Marks, clock

_POSITION, _ORIENTATION, _MEASURES = 0x00209113, 0x00209116, 0x00289110
_CONTENT, _TRANSFORM, _ECHO, _DIFFUSION = 0x00209111, 0x00289145, 0x00189114, 0x00189117
_DIRECTION, _CARDIAC = 0x00189076, 0x00189118
_KINDS = (0x00189226, 0x00189329, 0x00189751, 0x00189504)  # MR, CT, PET, X-ray 3D frame type
_TYPE, _COMPONENT = 0x00089007, 0x00089208  # magnitude and phase may share a type

Place = tuple[tuple[float, float, float], tuple[float, ...], tuple[float, float], float | None]


@dataclass(frozen=True, eq=False)
class Groups:
    """The functional groups of one frame."""

    own: Elements
    shared: Elements | None
    path: Path

    def item(self, tag: int) -> Elements | None:
        """The item of a group, the frame's own first."""
        for groups in (self.own, self.shared):
            if groups is not None and (items := groups.items(tag)):
                return items[0]
        return None

    def numbers(self, group: int, tag: int, vr: str) -> list[float]:
        item = self.item(group)
        try:
            return item.numbers(tag, vr) if item is not None else []
        except ValueError:
            return []

    def number(self, group: int, tag: int, vr: str) -> float | None:
        values = self.numbers(group, tag, vr)
        return values[0] if values else None


def place_of(groups: Groups) -> Place | None:
    """Position (LPS mm), cosines, spacing (x, y) and thickness; None where the frame has none.

    Raises:
        GeometryError: values that are no place.
    """
    position = groups.numbers(_POSITION, 0x00200032, "DS")
    cosines = groups.numbers(_ORIENTATION, 0x00200037, "DS")
    spacing = groups.numbers(_MEASURES, 0x00280030, "DS")
    if not position or not cosines or not spacing:
        return None
    finite = all(map(isfinite, (*cosines, *spacing)))
    if not finite or len(spacing) != 2 or min(spacing) <= 0:
        raise GeometryError(
            f"a frame with spacing {spacing} and direction cosines {cosines}",
            file=groups.path,
            expected="two positive mm and six numbers",
        )
    thickness = groups.number(_MEASURES, 0x00180050, "DS") or groups.number(
        _MEASURES, 0x00180088, "DS"
    )
    return (
        checked_place(position, groups.path), checked_axes(cosines, groups.path),
        (spacing[1], spacing[0]), abs(thickness) if thickness else None,
    )  # fmt: skip


def line_of(groups: Groups) -> tuple[float, float] | None:
    """Slope and intercept of the frame's values (C.7.6.16.2.9)."""
    slope = groups.number(_TRANSFORM, 0x00281053, "DS")
    intercept = groups.number(_TRANSFORM, 0x00281052, "DS")
    if slope is None:
        return None
    if slope == 0 or not isfinite(slope) or not isfinite(intercept or 0.0):
        raise FormatError(
            f"a frame with RescaleSlope {slope} and RescaleIntercept {intercept}",
            file=groups.path,
            remedy="correct the header",
        )
    return slope, intercept or 0.0


def marks_of(groups: Groups, number: float, frame: float) -> Marks:
    """What tells the frame's volume apart; its file's number, and its own within the file."""
    diffusion = groups.item(_DIFFUSION)
    towards = diffusion.items(_DIRECTION) if diffusion is not None else []
    content = groups.item(_CONTENT)
    moment = content.text(0x00189074) if content is not None else None
    return Marks(
        acquisition=groups.number(_CONTENT, 0x00209156, "US"),
        temporal=groups.number(_CONTENT, 0x00209128, "UL"),
        trigger=groups.number(_CARDIAC, 0x00209153, "FD"),
        echo=groups.number(_ECHO, 0x00189082, "FD"),
        b_value=groups.number(_DIFFUSION, 0x00189087, "FD"),
        direction=tuple(towards[0].numbers(0x00189089, "FD")) if towards else None,
        time=clock((moment or "")[8:]),
        number=number,
        frame=frame,
    )


def part_of(groups: Groups) -> str:
    """The stack and kind of a frame: frames of different ones are different images."""
    content = groups.item(_CONTENT)
    stack = content.text(0x00209056) if content is not None else None
    kinds = [item for tag in _KINDS if (item := groups.item(tag)) is not None]
    words = [*kinds[0].texts(_TYPE), *kinds[0].texts(_COMPONENT)] if kinds else []
    return "\\".join([stack or "", *words])
