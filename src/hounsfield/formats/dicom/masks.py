"""Segmentations and structure sets as masks on the grid of a given image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError, UsageError, did_you_mean
from hounsfield.formats.contract import Header, Source
from hounsfield.formats.dicom import contours, rtstruct, seg
from hounsfield.formats.guard import check_promise, refusing
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.spatial import Grid, resample

_ON_GRID = 0.01  # of a voxel: grids that agree this well have the same voxels
_UNKNOWN = "the image tells no frame of reference; it is taken to be the one of the {}"


@dataclass(frozen=True)
class Named:
    """A mask's value in a label map, and its name."""

    number: int
    name: str


def masks(
    path: str | Path, like: Image | Header, *, only: Sequence[str] = (), labels: bool | None = None
) -> Image:
    """The regions of a DICOM SEG or RTSTRUCT file on the grid of an image.

    `only` chooses regions by name or number. Regions that do not overlap become one label map,
    whose values are their numbers; others a channel of 0 and 1 each, and fractions stay fractions.
    `labels` asks for the one (True) or the other (False). `stored["notes"]` says in words what is
    not exact.

    Raises:
        FormatError: neither a SEG nor an RTSTRUCT, or damaged.
        GeometryError: another frame of reference, no overlap, contours across the slices.
        UsageError: no region of that name; a label map of regions that overlap.
    """
    from hounsfield import formats

    path, grid = _file(path), grid_of(like)
    if formats.sniff(path) != "dicom":
        raise FormatError("this is no DICOM file", file=path, expected="an RTSTRUCT or SEG file")
    with refusing(path, "the masks"):
        if not seg.is_segmentation(path):
            return _formed(_of_structures(path, grid, only), labels, path)
        image = seg.read(Source.of(path), None)
        named = [Named(one.number, one.label) for one in seg.segments(path)]
        image = _chosen(image, named, _picked(named, only, path)) if only else image
        return onto(_formed(image, labels, path), like)


def _file(path: str | Path) -> Path:
    """The file itself; of `scans#2`, as `hounsfield info` numbers them, the file it stands for."""
    from hounsfield import formats

    if "#" not in str(path) or Path(path).exists():
        return Path(path)
    source = formats.named(path)
    head = formats.header(source)
    if head.format == "dicom" and len(source.paths) == 1 and seg.is_segmentation(source.file):
        return source.file
    raise FormatError(
        f"this is an image ({head.modality or head.format}), no structures",
        file=path,
        expected="an RTSTRUCT or SEG file",
    )


def onto(segmentation: Image, like: Image | Header) -> Image:
    """A segmentation on another image's grid: the nearest voxel of it, 0 where it has none.

    Exact where both grids have the same voxels but for a shift by whole ones, turns and mirrors of
    the axes; `stored["notes"]` says so where it is not.

    Raises:
        GeometryError: no place in a patient, another frame of reference, no overlap.
    """
    here, there = Grid.of(segmentation), grid_of(like)
    moved = resample(segmentation, grid=there, order=0, fill=0)
    notes = []
    if there.geometry.frame_uid is None and here.geometry.frame_uid is not None:
        notes.append(_UNKNOWN.format("segmentation"))
    if not _same_voxels(here, there):
        one, other = (f"{grid.geometry}" for grid in (here, there))
        notes.append(f"resampled to the nearest voxel, from {one} to {other}")
    elif lost := np.count_nonzero(segmentation.array) - np.count_nonzero(moved.array):
        notes.append(f"{lost:,} voxels of the segmentation lie outside of the image")
    return replace(moved, stored={**segmentation.stored, "notes": notes})


def grid_of(like: Image | Header) -> Grid:
    """The grid that masks are wanted on.

    Raises:
        GeometryError: the image has no place in a patient.
    """
    if isinstance(like, Image):
        return Grid.of(like)
    if not isinstance(like.geometry, Patient):
        raise GeometryError(
            f"the image has no place in a patient ({like.geometry or 'no geometry'})",
            expected="the volume that the regions were drawn on",
        )
    return Grid(like.shape[1:], like.geometry)


def _same_voxels(here: Grid, there: Grid) -> bool:
    """Whether each voxel centre of one grid is one of the other's, beyond its ends too."""
    turned = np.linalg.solve(here.geometry.affine[:3, :3], there.geometry.affine[:3, :3])
    if not np.array_equal(np.sort(np.abs(np.rint(turned)), 0), [[0] * 3, [0] * 3, [1] * 3]):
        return False
    ends = np.array(list(np.ndindex(2, 2, 2))) * (np.array(there.shape[::-1]) - 1)
    ras = ends @ there.geometry.affine[:3, :3].T + there.geometry.affine[:3, 3]
    away = (ras - here.geometry.affine[:3, 3]).T
    voxels = np.linalg.solve(here.geometry.affine[:3, :3], away)
    return bool(np.abs(voxels - np.rint(voxels)).max() <= _ON_GRID)


def _of_structures(path: Path, grid: Grid, only: Sequence[str]) -> Image:
    some = rtstruct.structures(path)
    named = [Named(one.roi.number, one.roi.name) for one in some]
    picked = _picked(named, only, path)
    some, named = [some[i] for i in picked], [named[i] for i in picked]
    rtstruct.in_frame(some, grid.geometry.frame_uid, path)
    shape = (len(some), *grid.shape)
    check_promise(path, shape, np.dtype(np.uint8), 1 << 62)
    array, remarks = np.zeros(shape, np.uint8), contours.Remarks()
    for one, out in zip(some, array, strict=True):
        try:
            contours.draw(one, grid, out, remarks)
        except GeometryError as error:
            raise error.of(path) from error
    if not array.any() and any(one.contours for one in some):
        raise GeometryError(
            "no contour encloses a voxel of the image",
            file=path,
            expected="the image that the structures were drawn on",
            remedy="compare the frame of reference and the extent of both: `hounsfield info`",
        )
    notes = remarks.sentences()
    if grid.geometry.frame_uid is None:
        notes.append(_UNKNOWN.format("structures"))
    regions = [{"number": one.number, "label": one.name} for one in named]
    stored = {"format": "dicom", "values": "masks", "segments": regions, "notes": notes}
    return Image(array, grid.geometry, tuple(Channel(one.name) for one in named), stored)


def _picked(named: Sequence[Named], only: Sequence[str], path: Path) -> list[int]:
    """Which regions: by name, else by number, in the order asked for; all by default.

    Capitals count only where two names differ by nothing else.
    """
    if not only:
        return list(range(len(named)))
    found: list[int] = []
    for asked in only:
        here = [i for i, one in enumerate(named) if one.name == asked]
        here = here or [i for i, one in enumerate(named) if one.name.lower() == asked.lower()]
        here = here or [i for i, one in enumerate(named) if str(one.number) == asked]
        if len({named[i].name for i in here}) > 1:
            raise UsageError(
                f"{len(here)} regions are called {asked!r} but for capitals",
                file=path,
                expected=" or ".join(named[i].name for i in here),
            )
        if not here:
            raise UsageError(
                f"no region is called {asked!r}",
                file=path,
                remedy=did_you_mean(asked, [one.name for one in named]),
            )
        found += [i for i in here if i not in found]
    return found


def _chosen(image: Image, named: Sequence[Named], picked: Sequence[int]) -> Image:
    """Some segments: their channels, or a label map of them alone."""
    regions = image.stored["segments"]
    stored = {**image.stored, "segments": [regions[i] for i in picked]}
    if image.stored["values"] != "labels":
        channels = tuple(image.channels[i] for i in picked)
        return replace(image, array=image.array[list(picked)], channels=channels, stored=stored)
    keep = np.isin(image.array, [named[i].number for i in picked])
    return replace(image, array=np.where(keep, image.array, 0), stored=stored)


def _formed(image: Image, labels: bool | None, path: Path) -> Image:
    """A label map or channels, as asked for; a label map, where nothing is and it can be one."""
    if labels is False:
        return _apart(image, path)
    try:
        return _joined(image, path)
    except UsageError:
        if labels:
            raise
        return image


def _apart(image: Image, path: Path) -> Image:
    """A label map as channels of 0 and 1."""
    if image.stored["values"] != "labels":
        return image
    regions = image.stored["segments"]
    check_promise(path, (len(regions), *image.shape[1:]), np.dtype(np.uint8), 1 << 62)
    array = np.stack([image.array[0] == one["number"] for one in regions]).astype(np.uint8)
    channels = tuple(Channel(one["label"] or f"segment {one['number']}") for one in regions)
    return replace(
        image, array=array, channels=channels, stored={**image.stored, "values": "masks"}
    )


def _joined(image: Image, path: Path) -> Image:
    """Channels of 0 and 1 as one label map.

    Raises:
        UsageError: two overlap, are fractions, or have numbers beyond 16 bits.
    """
    if image.stored["values"] == "labels":
        return image
    if image.stored["values"] == "fractions":
        raise UsageError(
            "fractions make no label map",
            file=path,
            remedy="leave --labels away, and decide above 0.5",
        )
    numbers = [int(one["number"]) for one in image.stored["segments"]]
    if not 0 < min(numbers) <= max(numbers) <= 65_535:
        raise UsageError("region numbers beyond 1 to 65535 fit no label map", file=path)
    made: NDArray[Any] = np.zeros(image.shape[1:], np.uint8 if max(numbers) <= 255 else np.uint16)
    for mask, number, channel in zip(image.array, numbers, image.channels, strict=True):
        if clash := np.count_nonzero(mask & (made > 0)):
            raise UsageError(
                f"{channel.name!r} shares {clash:,} voxels with regions before it",
                file=path,
                remedy="choose regions that do not overlap, or leave --labels away: a channel each",
            )
        made |= mask * made.dtype.type(number)
    stored = {**image.stored, "values": "labels"}
    return replace(image, array=made[None], channels=(Channel("segments"),), stored=stored)
