"""Contours as masks on a grid.

A voxel belongs to a region when its centre lies inside of the contours in its slice, by the
even-odd rule: a contour in another one is a hole, whether it says CLOSED_PLANAR or
CLOSEDPLANAR_XOR; keyholes need no rule of their own. Contours are brought into voxel coordinates,
so that the grid may be oblique, mirrored, or have its axes in another order; they must lie flat in
planes of the grid. Those between two slices go to the nearer one. A POINT marks the voxel that
holds it, and what is open encloses nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.formats.dicom.polygons import Patch, filled
from hounsfield.formats.dicom.rtstruct import Contour, Structure
from hounsfield.spatial import Grid

EXACT = 0.01  # of a slice: contours nearer to their slice than this lie in it
_ONE_PLANE = 0.05  # of a slice: contours nearer to each other are of one plane
_TILTED = 0.5  # of a slice: how far a point may lie from its contour's middle
_NAMES = 4  # that a note lists
_COMPARED = 40  # contours of one slice that are looked at for crossings


@dataclass
class Remarks:
    """What was not exact, each with the regions that it happened to."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, what: str, name: str) -> None:
        self.found[what].append(name)

    def sentences(self) -> list[str]:
        return [
            f"{what}: {', '.join(names[:_NAMES])}{', …' if len(names) > _NAMES else ''}"
            for what, names in self.found.items()
        ]


@dataclass(frozen=True, eq=False)
class _Flat:
    """A closed contour in a plane of the grid: which, in slices, and (column, row) in it."""

    along: float  # its middle
    span: float  # from there to its farthest point
    points: NDArray[np.float64]
    xor: bool


def draw(structure: Structure, grid: Grid, out: NDArray[np.uint8], remarks: Remarks) -> None:
    """Set the voxels (Z, Y, X) of a region to 1, where `out` is 0.

    Raises:
        GeometryError: contours that do not lie flat in planes of the grid.
    """
    name = structure.roi.name
    closed = [one for one in structure.contours if one.kind.startswith("CLOSED")]
    dots = [one for one in structure.contours if one.kind == "POINT"]
    if len(closed) + len(dots) < len(structure.contours):
        remarks.add("open contours enclose nothing and are left out", name)
    if closed:
        _draw_closed(name, [_voxels(one, grid) for one in closed], closed, out, remarks)
    marked = [_mark(voxels, out) for one in dots for voxels in _voxels(one, grid)]
    if not all(marked):
        remarks.add("points outside of the image are left out", name)
    if not out.any():
        remarks.add("no voxel is inside, the mask is empty", name)


def _voxels(contour: Contour, grid: Grid) -> NDArray[np.float64]:
    """Points (N, 3) as voxels (x, y, z)."""
    affine = grid.geometry.affine
    voxels = np.linalg.solve(affine[:3, :3], (contour.points - affine[:3, 3]).T).T
    return np.asarray(voxels, np.float64)


def _mark(voxel: NDArray[np.float64], out: NDArray[np.uint8]) -> bool:
    place = np.floor(voxel[::-1] + 0.5)
    inside = bool((place >= 0).all() and (place < out.shape).all())
    if inside:
        out[tuple(place.astype(int))] = 1
    return inside


def _draw_closed(
    name: str,
    voxels: Sequence[NDArray[np.float64]],
    closed: Sequence[Contour],
    out: NDArray[np.uint8],
    remarks: Remarks,
) -> None:
    axis = _flat_axis(name, voxels)
    across = [i for i in range(3) if i != axis]
    flat = [
        _Flat(
            float(v[:, axis].min() + v[:, axis].max()) / 2,
            float(np.ptp(v[:, axis])) / 2,
            v[:, across],
            "XOR" in one.kind,
        )
        for v, one in zip(voxels, closed, strict=True)
    ]
    slices = np.moveaxis(out, 2 - axis, 0)
    within = [one for one in flat if -0.5 <= one.along < len(slices) - 0.5]
    if len(within) < len(flat):
        remarks.add("contours beyond the first or last slice are left out", name)
    off = max((abs(one.along - round(one.along)) + one.span for one in within), default=0.0)
    if off > EXACT:
        remarks.add(f"contours up to {off:.2f} of a slice away are drawn on the nearest one", name)
    drawn = []
    for number, some in _by_slice(within, name, remarks):
        drawn.append(number)
        if _fill(slices[number], some):
            remarks.add("contours cross each other; what lies in both is left out", name)
    if drawn and drawn[-1] - drawn[0] + 1 > len(drawn):
        missing = drawn[-1] - drawn[0] + 1 - len(drawn)
        remarks.add(f"{missing} slices between contours have none and stay empty", name)


def _flat_axis(name: str, voxels: Sequence[NDArray[np.float64]]) -> int:
    """The voxel axis (0 is x) across whose slices all contours lie; the last one where it fits."""
    spans = np.max([np.ptp(one, axis=0) for one in voxels], axis=0)
    axis = 2 if spans[2] <= spans.min() + EXACT else int(np.argmin(spans))
    if spans[axis] > 2 * _TILTED:
        raise GeometryError(
            f"the contours of {name!r} cross up to {spans[axis]:.1f} slices of the image",
            expected="contours in planes of the image's grid",
            remedy="give the image that they were drawn on, and resample the masks afterwards",
        )
    return axis


def _by_slice(
    flat: Sequence[_Flat], name: str, remarks: Remarks
) -> Iterator[tuple[int, list[_Flat]]]:
    """The contours of each slice. Of several planes that are nearest to one slice, the nearest
    counts: combined, they would cancel each other."""
    at: dict[int, list[_Flat]] = defaultdict(list)
    for one in flat:
        at[int(np.floor(one.along + 0.5))].append(one)
    for number in sorted(at):
        nearest = min(at[number], key=lambda one: abs(one.along - number)).along
        some = [one for one in at[number] if abs(one.along - nearest) <= _ONE_PLANE]
        if len(some) < len(at[number]):
            remarks.add("planes of contours closer than the slices: the nearest ones count", name)
        yield number, some


def _fill(target: NDArray[np.uint8], contours: Sequence[_Flat]) -> bool:
    """Draw the contours of one slice; whether two of them cross."""
    rows, columns = target.shape
    patches = []
    for one in contours:
        patch = filled(one.points, (rows, columns))
        if patch is None:
            continue
        height, width = patch.mask.shape
        part = target[patch.row : patch.row + height, patch.column : patch.column + width]
        part ^= patch.mask
        if not one.xor:
            patches.append(patch)
    pairs = combinations(patches[:_COMPARED], 2)
    return any(_cross(one, other) for one, other in pairs)


def _cross(one: Patch, other: Patch) -> bool:
    """Whether two contours share some pixels, and neither holds the other."""
    top, left = max(one.row, other.row), max(one.column, other.column)
    ends = [(p.row + p.mask.shape[0], p.column + p.mask.shape[1]) for p in (one, other)]
    bottom, right = min(ends[0][0], ends[1][0]), min(ends[0][1], ends[1][1])
    if top >= bottom or left >= right:
        return False
    parts = [
        p.mask[top - p.row : bottom - p.row, left - p.column : right - p.column]
        for p in (one, other)
    ]
    shared = np.count_nonzero(parts[0] & parts[1])
    return bool(0 < shared < min(np.count_nonzero(one.mask), np.count_nonzero(other.mask)))
