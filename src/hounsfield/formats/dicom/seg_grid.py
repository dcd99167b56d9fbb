"""The grid of a segmentation, from the places of the frames that were stored.

Frames that hold nothing are often left out, so neighbours in the file need not be neighbours in
the patient. Positions must be whole multiples of one step: the declared SpacingBetweenSlices, or
else the smallest one where it is beyond doubt. The grid runs from the first stored place to the
last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.dicom.elements import Elements
from hounsfield.formats.dicom.geometry import affine_of, checked_axes, normal_of
from hounsfield.formats.dicom.stack import SAME, UNEVEN
from hounsfield.formats.dicom.tags import Tags
from hounsfield.geometry import Geometry, Patient, Plane

# What the groups say: name -> (group, element, VR); PS3.3 C.7.6.16.2 and C.8.20.3.1
_SAID = {
    "position": (0x00209113, 0x00200032, "DS"),
    "cosines": (0x00209116, 0x00200037, "DS"),
    "pixel": (0x00289110, 0x00280030, "DS"),
    "thickness": (0x00289110, 0x00180050, "DS"),
    "between": (0x00289110, 0x00180088, "DS"),
    "segment": (0x0062000A, 0x0062000B, "US"),
}
_SLIDE = 0x0048021A  # Plane Position (Slide) Sequence
_FAR = 1e7  # mm
_WHOLE = 0.05  # of a step: how far a gap may be from a whole number of steps, as declared
_NAMED = 6  # positions that a message lists


class Said(NamedTuple):
    """What the file says of one frame; empty where it says nothing."""

    position: tuple[float, ...]
    cosines: tuple[float, ...]
    pixel: tuple[float, ...]
    thickness: tuple[float, ...]
    between: tuple[float, ...]
    segment: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class SegGrid:
    """Where each frame lies: its plane, of so many, and the grid of those."""

    planes: tuple[int, ...]
    slices: int
    geometry: Geometry


def frames_said(tags: Tags, frames: int) -> list[Said]:
    """What the functional groups say of each frame, its own word before the shared one.

    Raises:
        FormatError: fewer groups than frames.
    """
    shared = tags.items("SharedFunctionalGroupsSequence")
    common = dict(_read(shared[0])) if shared else {}
    each = tags.items("PerFrameFunctionalGroupsSequence")
    if not each and frames == 1:
        return [_said(common)]
    if len(each) < frames:
        raise FormatError(
            f"{frames} frames, and {len(each)} of them are described",
            file=tags.path,
            expected="one item of the per-frame functional groups for each frame",
            remedy="the file is damaged; export the segmentation again",
        )
    if _SLIDE in each[0]:
        raise GeometryError(
            "a segmentation of a microscope slide, which has no place in a patient",
            file=tags.path,
            expected="frames with ImagePositionPatient",
        )
    return [_said(common | dict(_read(own))) for own in each[:frames]]


def _read(item: Elements) -> Iterator[tuple[str, tuple[float, ...]]]:
    items = {group: item.items(group) for group, _, _ in _SAID.values() if group in item}
    for name, (group, tag, vr) in _SAID.items():
        if items.get(group) and (values := items[group][0].numbers(tag, vr)):
            yield name, tuple(values)


def _said(words: dict[str, tuple[float, ...]]) -> Said:
    return Said(*(words.get(name, ()) for name in Said._fields))


def grid_of(said: Sequence[Said], tags: Tags) -> SegGrid:
    """The even grid on which all frames lie.

    Raises:
        GeometryError: several orientations, positions that are no multiples of one step, or a
            step that cannot be told; the message lists the positions.
    """
    one = said[0]
    if not any(frame.position or frame.cosines for frame in said):
        return SegGrid((0,) * len(said), 1, _flat(one, tags))
    cosines, spacing = _pose(said, tags)
    positions = np.array([frame.position for frame in said])
    mm = positions @ np.array(normal_of(cosines))
    places, planes = _places(mm)
    corners = np.array([positions[np.argmax(planes == i)] for i in range(len(places))])
    declared = abs(one.between[0]) if one.between else 0.0
    thickness = abs(one.thickness[0]) if one.thickness else 0.0
    uid = tags.text("FrameOfReferenceUID")
    if len(places) == 1:
        _check_line(positions, corners[planes], declared or thickness, tags)
        size = declared or thickness
        if not 0 < size < _FAR:
            return SegGrid((0,) * len(said), 1, Plane(spacing, "object"))
        step = np.multiply(normal_of(cosines), size)
        affine = affine_of(cosines, spacing, step.tolist(), tuple(corners[0]))
        return SegGrid((0,) * len(said), 1, Patient(affine, uid))
    steps = _steps(places, declared, thickness, tags)
    step = (corners[-1] - corners[0]) / steps[-1]
    _check_line(
        positions, corners[0] + steps[planes][:, None] * step, float(np.hypot.reduce(step)), tags
    )
    affine = affine_of(cosines, spacing, step.tolist(), tuple(corners[0]))
    return SegGrid(tuple(map(int, steps[planes])), int(steps[-1]) + 1, Patient(affine, uid))


def _flat(one: Said, tags: Tags) -> Geometry:
    """The plane of a segmented picture without a place: a radiograph's."""
    if not one.pixel:
        return None
    return Plane(_spacing(one, tags), "unknown")


def _pose(said: Sequence[Said], tags: Tags) -> tuple[tuple[float, ...], tuple[float, float]]:
    """The cosines and spacing (x, y) that all frames share."""
    for frame in said:
        if len(frame.position) != 3 or not np.abs(frame.position).max() < _FAR:
            raise GeometryError(
                f"a frame at {list(frame.position)} mm", file=tags.path, expected="x, y, z in mm"
            )
    cosines, spacing = checked_axes(said[0].cosines, tags.path), _spacing(said[0], tags)
    kinds = {(frame.cosines, frame.pixel) for frame in said}
    for others, pixel in kinds:
        turned = np.abs(np.subtract(checked_axes(others, tags.path), cosines)).max()
        if turned > 1e-4 or pixel != said[0].pixel:
            raise GeometryError(
                "its frames have several orientations or pixel sizes",
                file=tags.path,
                expected="frames of one volume",
                remedy="export each of them as a segmentation of its own",
            )
    return cosines, spacing


def _spacing(one: Said, tags: Tags) -> tuple[float, float]:
    if len(one.pixel) != 2 or not 0 < min(one.pixel) <= max(one.pixel) < _FAR:
        raise GeometryError(
            f"PixelSpacing is {list(one.pixel)}", file=tags.path, expected="two positive mm"
        )
    return one.pixel[1], one.pixel[0]


def _places(mm: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The distinct places along the normal, from 0 on, and the one of each frame."""
    order = np.argsort(mm, kind="stable")
    new = np.diff(mm[order], prepend=-np.inf) > SAME
    planes = np.empty(len(mm), np.int64)
    planes[order] = np.cumsum(new) - 1
    places = mm[order][new]
    return places - places[0], planes


def _steps(
    places: NDArray[Any], declared: float, thickness: float, tags: Tags
) -> NDArray[np.int64]:
    """How many steps each place lies from the first."""
    gaps = np.diff(places)
    least = float(gaps.min())
    alike = int((gaps < least * (1 + UNEVEN)).sum())
    sure = (alike >= 2 and 2 * alike > len(gaps)) or abs(least - thickness) < UNEVEN * least
    for size in (declared, least if sure else 0.0):
        if not 0 < size < _FAR:
            continue
        counts = np.rint(gaps / size)
        if counts.min() >= 1 and np.abs(gaps / size - counts).max() <= _WHOLE:
            return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    raise _unclear(places, declared, tags)


def _check_line(positions: NDArray[Any], expected: NDArray[Any], step: float, tags: Tags) -> None:
    apart = np.linalg.norm(positions - expected, axis=1)
    worst = int(np.argmax(apart))
    if apart[worst] > max(UNEVEN * step, SAME):
        raise GeometryError(
            f"a frame lies at {positions[worst].round(3).tolist()} mm, and the grid of the others "
            f"has its plane at {expected[worst].round(3).tolist()} mm",
            file=tags.path,
            expected="frames on one even grid",
            remedy="export the segmentation again; a geometry is never guessed",
        )


def _unclear(places: NDArray[Any], declared: float, tags: Tags) -> GeometryError:
    named = ", ".join(f"{mm:.3f}" for mm in places[:_NAMED])
    more = ", …" if len(places) > _NAMED else ""
    said = f"multiples of {declared:g} mm" if declared else "SpacingBetweenSlices, which is missing"
    return GeometryError(
        f"the step of the grid cannot be told: frames at {named}{more} mm along the normal",
        file=tags.path,
        expected=f"{said} (frames without a voxel may be left out)",
        remedy="export it with all frames, or with its SpacingBetweenSlices",
    )
