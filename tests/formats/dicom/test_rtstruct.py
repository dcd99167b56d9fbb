"""Contours become masks: against matplotlib's paths, areas known by formula, and sums by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_segmentations import (
    FRAME_UID,
    NORMAL,
    lps,
    made_ct,
    made_seg,
    made_structures,
    saved,
    write_ct,
)
from matplotlib.path import Path as Outline
from pydicom import Dataset

import hounsfield as hf
from hounsfield import formats
from hounsfield.cli import main
from hounsfield.errors import FormatError, GeometryError, HounsfieldError, UsageError
from hounsfield.formats.dicom.masks import masks, onto
from hounsfield.formats.dicom.polygons import filled
from hounsfield.formats.dicom.rtstruct import rois, structures
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.spatial import crop, flip, reorient

SHAPE, STEP = (6, 30, 40), 2.5
CLOSED = "CLOSED_PLANAR"


def grid(shape: tuple[int, int, int] = SHAPE, step: float = STEP) -> Image:
    """An oblique image whose voxels are summed by hand."""
    affine = np.eye(4)
    corner = lps(0, 0, 0)
    for axis, (x, y, mm) in enumerate(((1, 0, 0), (0, 1, 0), (0, 0, step))):
        affine[:3, axis] = lps(x, y, mm) - corner
    affine[:3, 3] = corner
    affine[:2] *= -1
    return Image(np.zeros((1, *shape), np.int16), Patient(affine, FRAME_UID))


def ring(x: float, y: float, radius: float, k: float, points: int = 60) -> np.ndarray:
    """A circle in voxels of slice k, in LPS mm; an ellipse in the world."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return lps(x + radius * np.cos(turn), y + radius * np.sin(turn), k * STEP)


def polygon(corners: list[tuple[float, float]], k: float) -> np.ndarray:
    x, y = np.array(corners, float).T
    return lps(x, y, k * STEP)


def box(x0: float, y0: float, x1: float, y1: float, k: float) -> np.ndarray:
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], k)


def drawn(tmp_path: Path, like: Image | None = None, **contours: Any) -> Image:
    regions = {
        name: [one if isinstance(one, tuple) else (CLOSED, one) for one in some]
        for name, some in contours.items()
    }
    path = saved(made_structures(regions), tmp_path / "structures.dcm")
    return masks(path, like or grid(), labels=False)


def notes(image: Image) -> str:
    return "; ".join(image.stored["notes"])


def within(corners: list[tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
    """Pixel centres in a polygon by matplotlib."""
    y, x = np.indices(shape)
    centres = np.stack([x.ravel(), y.ravel()], 1)
    return Outline([*corners, corners[0]], closed=True).contains_points(centres).reshape(shape)


coordinate = st.floats(-6, 24, allow_nan=False).map(lambda v: round(v * 64) / 64 + 1 / 128)
corners_strategy = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8, unique=True)


@settings(max_examples=200)
@given(corners_strategy)
def test_simple_polygons_are_what_matplotlib_fills(corners: list[tuple[float, float]]) -> None:
    """Sorted around a centre, so that no edge crosses another and all fill rules agree."""
    centre = np.mean(corners, 0)
    around = sorted(corners, key=lambda p: np.arctan2(p[1] - centre[1], p[0] - centre[0]))
    patch, ours = filled(np.array(around), (17, 19)), np.zeros((17, 19), np.uint8)
    if patch is not None:
        rows, columns = patch.mask.shape
        ours[patch.row : patch.row + rows, patch.column : patch.column + columns] = patch.mask
    theirs = within(around, (17, 19))
    near_an_edge = _distance(around, (17, 19)) < 1e-3
    np.testing.assert_array_equal(ours[~near_an_edge], theirs[~near_an_edge])


def _distance(corners: list[tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
    """How far each pixel's centre is from the nearest edge."""
    y, x = np.indices(shape)
    points = np.stack([x, y], -1).astype(float)
    best = np.full(shape, np.inf)
    for a, b in zip(np.array(corners), np.array([*corners[1:], corners[0]]), strict=True):
        length = max(float((b - a) @ (b - a)), 1e-12)
        along = np.clip(((points - a) @ (b - a)) / length, 0, 1)
        best = np.minimum(best, np.linalg.norm(points - (a + along[..., None] * (b - a)), axis=-1))
    return best


def test_polygons_that_share_edges_share_no_pixel() -> None:
    """A square of whole numbers cut in four: every centre belongs to one part, once."""
    total = np.zeros((9, 9), int)
    for x, y in ((0, 0), (4, 0), (0, 4), (4, 4)):
        patch = filled(np.array([(x, y), (x + 4, y), (x + 4, y + 4), (x, y + 4)], float), (9, 9))
        assert patch is not None
        rows, columns = patch.mask.shape
        total[patch.row : patch.row + rows, patch.column : patch.column + columns] += patch.mask
    assert total[:8, :8].min() == total.max() == 1
    assert total.sum() == 64


def test_a_circle_has_its_area() -> None:
    turn = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    for radius in (40.3, 77.7):
        points = np.stack([100.2 + radius * np.cos(turn), 90.7 + radius * np.sin(turn)], 1)
        patch = filled(points, (200, 210))
        assert patch is not None
        assert patch.mask.sum() == pytest.approx(np.pi * radius**2, rel=0.002)


def test_contours_lie_where_they_were_drawn(tmp_path: Path) -> None:
    """On an oblique grid: each voxel's world position is inside of the ellipse, or not."""
    image = drawn(tmp_path, one=[ring(20.3, 11.6, 7.4, 1), ring(12.1, 9.2, 5.3, 2)])
    expected = np.zeros(SHAPE, bool)
    y, x = np.indices(SHAPE[1:])
    expected[1] = np.hypot(x - 20.3, y - 11.6) < 7.4
    expected[2] = np.hypot(x - 12.1, y - 9.2) < 5.3
    assert image.array.shape == (1, *SHAPE)
    differ = np.count_nonzero(image.array[0] != expected)
    assert differ <= 4  # a ring of 60 points is a bit less than a circle
    assert image.channels[0].name == "one"
    assert notes(image) == ""
    assert isinstance(image.geometry, Patient)
    np.testing.assert_array_equal(image.geometry.affine, grid().geometry.affine)


def test_a_contour_in_another_is_a_hole(tmp_path: Path) -> None:
    kinds = {"plain": CLOSED, "xor": "CLOSEDPLANAR_XOR"}
    outer, inner, island = (
        box(4.5, 4.5, 24.5, 20.5, 2), box(8.5, 8.5, 18.5, 16.5, 2), box(10.5, 10.5, 12.5, 12.5, 2),
    )  # fmt: skip
    image = drawn(tmp_path, **{n: [(k, inner), (k, outer), (k, island)] for n, k in kinds.items()})
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[5:21, 5:25] = 1
    expected[9:17, 9:19] = 0
    expected[11:13, 11:13] = 1
    for mask in image.array:
        np.testing.assert_array_equal(mask[2], expected)
        assert mask.sum() == expected.sum()
    assert notes(image) == ""


def test_a_keyhole_leaves_no_trace(tmp_path: Path) -> None:
    """The way in and out runs through centres of pixels."""
    keyhole = [
        (4.5, 4.5), (24.5, 4.5), (24.5, 20.5), (14, 20.5), (14, 16.5), (18.5, 16.5),
        (18.5, 8.5), (8.5, 8.5), (8.5, 16.5), (14, 16.5), (14, 20.5), (4.5, 20.5),
    ]  # fmt: skip
    image = drawn(tmp_path, keyhole=[polygon(keyhole, 3)])
    expected = np.zeros(SHAPE[1:], np.uint8)
    expected[5:21, 5:25] = 1
    expected[9:17, 9:19] = 0
    np.testing.assert_array_equal(image.array[0, 3], expected)


def test_contours_that_cross_are_told(tmp_path: Path) -> None:
    image = drawn(tmp_path, two=[box(2.5, 2.5, 9.5, 9.5, 1), box(6.5, 6.5, 13.5, 13.5, 1)])
    assert image.array.sum() == 49 + 49 - 2 * 9
    assert "cross" in notes(image)
    apart = drawn(tmp_path, two=[box(2.5, 2.5, 9.5, 9.5, 1), box(12.5, 6.5, 15.5, 13.5, 1)])
    assert notes(apart) == ""


def test_points_mark_their_voxel_and_open_lines_enclose_nothing(tmp_path: Path) -> None:
    image = drawn(
        tmp_path,
        marker=[("POINT", lps(7.3, 11.6, 2 * STEP)[None])],
        line=[("OPEN_PLANAR", box(2.5, 2.5, 9.5, 9.5, 1))],
        away=[("POINT", lps(99, 11, 2 * STEP)[None])],
    )
    assert np.argwhere(image.array[0]).tolist() == [[2, 12, 7]]
    assert image.array[1:].sum() == 0
    assert "open contours enclose nothing and are left out: line" in notes(image)
    assert "points outside of the image are left out: away" in notes(image)


def test_contours_between_slices_go_to_the_nearest_and_are_told(tmp_path: Path) -> None:
    image = drawn(tmp_path, off=[box(2.5, 2.5, 9.5, 9.5, 1.3), box(2.5, 2.5, 6.5, 6.5, 1.8)])
    assert image.array.sum((0, 2, 3)).tolist() == [0, 49, 16, 0, 0, 0]
    assert "up to 0.30 of a slice away" in notes(image)
    exact = drawn(tmp_path, on=[box(2.5, 2.5, 9.5, 9.5, 1.004)])
    assert notes(exact) == ""


def test_planes_closer_than_slices_do_not_cancel_each_other(tmp_path: Path) -> None:
    image = drawn(tmp_path, dense=[box(2.5, 2.5, 9.5, 9.5, 1.4), box(2.5, 2.5, 8.5, 9.5, 1.1)])
    assert image.array.sum((0, 2, 3)).tolist() == [0, 42, 0, 0, 0, 0]
    assert "closer than the slices" in notes(image)


def test_slices_left_empty_and_left_out_are_told(tmp_path: Path) -> None:
    image = drawn(tmp_path, gaps=[box(2.5, 2.5, 9.5, 9.5, k) for k in (1, 4, 9)])
    assert image.array.sum((0, 2, 3)).tolist() == [0, 49, 0, 0, 49, 0]
    assert "2 slices between contours" in notes(image)
    assert "beyond the first or last slice" in notes(image)


def test_partly_outside_is_cut(tmp_path: Path) -> None:
    image = drawn(tmp_path, edge=[box(-50.5, -3.5, 2.5, 900.5, 0)])
    assert image.array.sum() == 3 * SHAPE[1]


def test_other_orders_of_the_axes_hold_the_same_masks(tmp_path: Path) -> None:
    """The same body in a volume whose slices are sagittal, mirrored, or a part of it."""
    contours = {"one": [ring(20.3, 11.6, 7.4, 1), ring(12.1, 9.2, 5.3, 2)]}
    straight = drawn(tmp_path, **contours)
    for moved in (
        reorient(grid(), "PSL"), reorient(grid(), "SRA"), flip(grid(), "z"), flip(grid(), "x"),
        crop(grid(), (9, 2, 1), (30, 28, 3)),
    ):  # fmt: skip
        image = drawn(tmp_path, moved, **contours)
        np.testing.assert_array_equal(image.array, _at(straight, image))
        assert notes(image) == ""


def _at(image: Image, like: Image) -> np.ndarray:
    """An image's voxels at the places of another's."""
    assert isinstance(image.geometry, Patient)
    assert isinstance(like.geometry, Patient)
    own = np.linalg.inv(image.geometry.affine) @ like.geometry.affine
    x, y, z = np.rint(
        own[:3, :3] @ np.indices(like.shape[1:]).reshape(3, -1)[::-1] + own[:3, 3:]
    ).astype(int)
    return image.array[:, z, y, x].reshape(-1, *like.shape[1:])


def test_contours_across_the_slices_are_refused(tmp_path: Path) -> None:
    tilted = box(2.5, 2.5, 9.5, 9.5, 1) + np.linspace(0, 20, 4)[:, None] * NORMAL
    tilted[:, 0] += [0, 9, 3, 1]
    with pytest.raises(GeometryError, match="cross up to"):
        drawn(tmp_path, tilted=[tilted])


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    path = saved(
        made_structures({"liver": [(CLOSED, box(2, 2, 9, 9, 1))]}, "9.9.9"), tmp_path / "s.dcm"
    )
    with pytest.raises(GeometryError, match="another frame of reference"):
        masks(path, grid())
    geometry = grid().geometry
    assert isinstance(geometry, Patient)
    unknown = replace(grid(), geometry=Patient(geometry.affine))
    assert "tells no frame of reference" in notes(masks(path, unknown))


def test_nothing_of_it_in_the_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="no contour encloses a voxel"):
        drawn(tmp_path, far=[box(2.5, 2.5, 9.5, 9.5, 50)])


def test_regions_are_chosen_and_joined(tmp_path: Path) -> None:
    regions = {
        "left": [(CLOSED, box(2.5, 2.5, 9.5, 9.5, 1))],
        "right": [(CLOSED, box(12.5, 2.5, 19.5, 9.5, 1))],
        "both": [(CLOSED, box(2.5, 2.5, 19.5, 9.5, 1))],
        "empty": [],
    }
    path = saved(made_structures(regions), tmp_path / "s.dcm")
    assert [(one.number, one.name, one.type, one.contours) for one in rois(path)] == [
        (1, "left", "ORGAN", 1), (2, "right", "ORGAN", 1), (3, "both", "ORGAN", 1),
        (4, "empty", "ORGAN", 0),
    ]  # fmt: skip
    whole = masks(path, grid())
    assert [c.name for c in whole.channels] == list(regions)
    assert "the mask is empty: empty" in notes(whole)
    some = masks(path, grid(), only=["3", "left"])
    np.testing.assert_array_equal(some.array, whole.array[[2, 0]])
    joined = masks(path, grid(), only=["right", "left"], labels=True)
    np.testing.assert_array_equal(joined.array[0], whole.array[0] + 2 * whole.array[1])
    with pytest.raises(UsageError, match="'both' shares 98 voxels"):
        masks(path, grid(), labels=True)
    with pytest.raises(UsageError, match="did you mean 'left'"):
        masks(path, grid(), only=["lefd"])
    assert masks(path, grid(), only=["LEFT"], labels=False).channels[0].name == "left"


def test_capitals_count_where_nothing_else_differs(tmp_path: Path) -> None:
    regions = {name: [(CLOSED, box(2.5, 2.5, 9.5, 9.5, 1))] for name in ("GTV", "gtv", "Spleen")}
    path = saved(made_structures(regions), tmp_path / "s.dcm")
    assert masks(path, grid(), only=["gtv", "spleen"]).channels[1].name == "Spleen"
    assert masks(path, grid(), only=["gtv"]).array.max() == 2
    with pytest.raises(UsageError, match="2 regions are called 'Gtv'") as caught:
        masks(path, grid(), only=["Gtv"])
    assert caught.value.expected == "GTV or gtv"


@pytest.mark.filterwarnings("ignore")
def test_a_label_map_where_it_can_be_one(tmp_path: Path) -> None:
    regions = {
        "left": [(CLOSED, box(2.5, 2.5, 9.5, 9.5, 1))],
        "right": [(CLOSED, box(12.5, 2.5, 19.5, 9.5, 1))],
    }
    path = saved(made_structures(regions), tmp_path / "s.dcm")
    apart = masks(path, grid(), labels=False)
    both = masks(path, grid())
    assert (apart.stored["values"], both.stored["values"]) == ("masks", "labels")
    np.testing.assert_array_equal(both.array[0], apart.array[0] + 2 * apart.array[1])
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:9, 4:20] = 1
    labels[3, 12:, 30:] = 2
    path = saved(made_seg(made_ct(SHAPE, STEP), labels, "BINARY"), tmp_path / "seg.dcm")
    apart = masks(path, grid(), only=["part 2"], labels=False)
    assert [c.name for c in apart.channels] == ["part 2"]
    np.testing.assert_array_equal(apart.array[0], labels == 2)
    apart = masks(path, grid(), labels=False)
    np.testing.assert_array_equal(apart.array, [labels == 1, labels == 2])
    assert apart.stored["values"] == "masks"


def test_a_bare_read_says_what_is_needed(tmp_path: Path) -> None:
    path = saved(made_structures({"a": []}), tmp_path / "s.dcm")
    with pytest.raises(FormatError, match=r"hf\.masks\(structures, image\)"):
        hf.read(path)
    assert hf.masks is masks


@pytest.mark.filterwarnings("ignore")
def test_pydicom_s_own_file() -> None:
    path = Path(pydicom.__file__).parent / "data/test_files/rtstruct.dcm"
    found = structures(path)
    data = pydicom.dcmread(path, force=True)
    assert [one.roi.name for one in found] == [str(r.ROIName) for r in data.StructureSetROISequence]
    for one, theirs in zip(found, data.ROIContourSequence, strict=True):
        for contour, other in zip(one.contours, theirs.ContourSequence, strict=True):
            assert contour.kind == other.ContourGeometricType
            lps_points = np.array(other.ContourData, float).reshape(-1, 3)
            np.testing.assert_allclose(contour.points * (-1, -1, 1), lps_points)


# --- hostile


def _first(data: Dataset) -> Dataset:
    return data.ROIContourSequence[0].ContourSequence[0]


def _not_threes(data: Dataset) -> None:
    _first(data).ContourData = ["1", "2", "3", "4"]


def _count(data: Dataset) -> None:
    _first(data).NumberOfContourPoints = 17


def _raw(text: bytes) -> Callable[[Dataset], None]:
    def harm(data: Dataset) -> None:
        one = _first(data)
        del one.NumberOfContourPoints
        one.add(pydicom.DataElement(0x30060050, "UN", text))

    return harm


def _kind(data: Dataset) -> None:
    _first(data).ContourGeometricType = "BEZIER"


def _unknown(data: Dataset) -> None:
    data.ROIContourSequence[0].ReferencedROINumber = 99


def _twice(data: Dataset) -> None:
    data.StructureSetROISequence[1].ROINumber = 1


def _none(data: Dataset) -> None:
    data.StructureSetROISequence, data.ROIContourSequence = [], []


def _offset(data: Dataset) -> None:
    _first(data).add(pydicom.DataElement(0x30060045, "DS", ["0", "0", "3"]))


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_not_threes, "4 coordinates"),
        (_count, "says that it has 17"),
        (_raw(b"1\\2\\nan "), "not finite"),
        (_raw(b"1\\2\\1e400"), "not finite"),
        (_raw(b"1\\2\\1e30 "), "beyond 10 km"),
        (_raw(b""), "0 coordinates"),
        (_kind, "BEZIER"),
        (_unknown, "region 99"),
        (_twice, "number 1"),
        (_none, "no region"),
        (_offset, "ContourOffsetVector"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
def test_refusals(harm: Callable[[Dataset], None], why: str, tmp_path: Path) -> None:
    data = made_structures({n: [(CLOSED, box(2, 2, 9, 9, 1))] for n in ("a", "b")})
    harm(data)
    path = saved(data, tmp_path / "s.dcm")
    with pytest.raises(HounsfieldError, match=why) as caught:
        masks(path, grid())
    assert caught.value.file == path


def test_a_coordinate_that_is_no_number_is_refused(tmp_path: Path) -> None:
    path = saved(made_structures({"a": [(CLOSED, box(2, 2, 9, 9, 1))]}), tmp_path / "s.dcm")
    first = f"{box(2, 2, 9, 9, 1)[0, 0]:.6f}".encode()
    path.write_bytes(path.read_bytes().replace(first, b"x" * len(first)))
    with pytest.raises(FormatError, match="coordinate is no number"):
        masks(path, grid())


@pytest.mark.filterwarnings("ignore:.*64 kByte")
def test_long_contours_come_without_their_type(tmp_path: Path) -> None:
    """More than 64 kB fit no DS of explicit files; pydicom writes them as UN."""
    around = ring(20.3, 15.4, 10, 1, points=4000)
    image = drawn(tmp_path, long=[around])
    assert b"UN" in (tmp_path / "structures.dcm").read_bytes()
    assert image.array.sum() == pytest.approx(np.pi * 100, rel=0.02)


def test_more_regions_than_memory_holds_are_refused(tmp_path: Path) -> None:
    path = saved(
        made_structures({f"r{i}": [(CLOSED, box(2, 2, 9, 9, 1))] for i in range(300)}),
        tmp_path / "s.dcm",
    )
    header = formats.header(write_ct(made_ct((2, 4, 4)), tmp_path / "ct"))
    large = replace(header, shape=(1, 400, 512, 512))
    with pytest.raises(FormatError, match="300×400×512×512"):
        masks(path, large)
    assert len(rois(path)) == 300


def test_mutated_files_end_in_masks_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = saved(
        made_structures({n: [(CLOSED, ring(9, 9, 4, k)) for k in (1, 2)] for n in "ab"}),
        tmp_path / "s.dcm",
    )
    whole = path.read_bytes()
    ends = {"masks": 0, "refused": 0}
    for _ in range(200):
        raw = bytearray(whole)
        digits = [i for i in rng.integers(132, len(raw), 60) if chr(raw[i]).isdigit()]
        for at in [*digits[:3], *rng.integers(132, len(raw), rng.integers(0, 3))]:
            raw[at] = ord("3") if at in digits else rng.integers(256)
        path.write_bytes(raw[: len(raw) if rng.random() < 0.8 else rng.integers(len(raw))])
        try:
            masks(path, grid())
            ends["masks"] += 1
        except HounsfieldError:
            ends["refused"] += 1
    assert min(ends.values()) > 20


# --- segmentations on another grid


@pytest.mark.filterwarnings("ignore")
def test_a_segmentation_on_its_image_is_exact(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:9, 4:20] = 1
    labels[3, 12:, 30:] = 2
    path = saved(made_seg(made_ct(SHAPE, STEP), labels, "BINARY"), tmp_path / "seg.dcm")
    assert formats.read(path).shape[1] == 2
    image = masks(path, grid())
    np.testing.assert_array_equal(image.array[0], labels)
    assert image.stored["notes"] == []
    only = masks(path, grid(), only=["part 2"])
    np.testing.assert_array_equal(only.array[0], labels * (labels == 2))
    turned = masks(path, reorient(grid(), "PSL"))
    np.testing.assert_array_equal(turned.array, _at(image, turned))
    assert turned.stored["notes"] == []
    part = masks(path, crop(grid(), (0, 0, 0), (32, 30, 6)))
    assert part.stored["notes"] == [f"{18 * 8} voxels of the segmentation lie outside of the image"]


@pytest.mark.filterwarnings("ignore")
def test_a_segmentation_on_another_grid_says_so(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 3:9, 4:20] = 1
    path = saved(made_seg(made_ct(SHAPE, STEP), labels, "BINARY"), tmp_path / "seg.dcm")
    fine = grid((12, 30, 40), STEP / 2)
    image = onto(formats.read(path), fine)
    assert image.array.sum((0, 2, 3))[4:7].tolist() == [96] * 3
    assert "resampled to the nearest voxel" in notes(image)
    geometry = grid().geometry
    assert isinstance(geometry, Patient)
    with pytest.raises(GeometryError, match="different frames"):
        onto(formats.read(path), replace(grid(), geometry=Patient(geometry.affine, "9.9")))


@pytest.mark.filterwarnings("ignore")
def test_overlapping_and_fractional_segments_make_no_label_map(tmp_path: Path) -> None:
    parts = np.zeros((*SHAPE, 2), np.uint8)
    parts[2, 3:9, 4:20] = 1
    parts[2, 20, 20, 0] = 1
    path = saved(made_seg(made_ct(SHAPE, STEP), parts, "BINARY"), tmp_path / "seg.dcm")
    assert masks(path, grid()).shape[0] == 2
    with pytest.raises(UsageError, match="'part 2' shares 96 voxels"):
        masks(path, grid(), labels=True)
    second = masks(path, grid(), only=["part 2"], labels=True)
    np.testing.assert_array_equal(second.array[0], parts[..., 1] * 2)
    path = saved(made_seg(made_ct(SHAPE, STEP), parts * 0.5, "FRACTIONAL"), tmp_path / "f.dcm")
    with pytest.raises(UsageError, match="fractions"):
        masks(path, grid(), labels=True)


# --- the command line


def test_the_command_writes_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ct = write_ct(made_ct(SHAPE, STEP), tmp_path / "ct")
    regions = {"liver": [(CLOSED, ring(20.3, 11.6, 7.4, k)) for k in (1, 2.2)]}
    path = saved(made_structures(regions), tmp_path / "s.dcm")
    out = tmp_path / "masks.nii.gz"
    command = ["masks", str(path), str(out), "--like", str(ct)]
    assert main(command) == 0
    image, expected = formats.read(out), masks(path, formats.read(ct))
    np.testing.assert_array_equal(image.array, expected.array)
    assert isinstance(image.geometry, Patient)
    assert isinstance(expected.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, expected.geometry.affine, atol=1e-4)
    said = capsys.readouterr().out
    assert "value 1: liver" in said
    assert "Note: contours up to 0.20 of a slice away" in said
    assert main(command) == 2
    assert main([*command, "--overwrite", "--only", "heart"]) == 2
    assert "exists already" in capsys.readouterr().err
    more = ["--overwrite", "--only", "LIVER", "--channels"]
    assert main([*command, *more]) == 0
    assert "channel 1: liver" in capsys.readouterr().out
    assert formats.read(out).channels[0].name == "liver"
    assert main([*command, *more, "--labels"]) == 2


@pytest.mark.filterwarnings("ignore")
def test_the_command_says_what_is_no_structures_and_no_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ct(made_ct(SHAPE, STEP), tmp_path / "ct")
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:9, 4:20] = 1
    path = saved(made_seg(made_ct(SHAPE, STEP), labels, "BINARY"), tmp_path / "ct" / "9.dcm")
    ct, seg, out = f"{tmp_path}/ct#1", f"{tmp_path}/ct#2", tmp_path / "out.nii.gz"
    assert main(["masks", ct, str(out), "--like", ct]) == 3
    assert "ct#1: this is an image (CT), no structures" in capsys.readouterr().err
    assert main(["masks", seg, str(out), "--like", ct]) == 0
    assert main(["masks", str(path), str(tmp_path / "out.png"), "--like", ct]) == 2
    assert "out.png: .png does not hold a volume" in capsys.readouterr().err
    flat = tmp_path / "flat.png"
    formats.write(Image(np.zeros((1, 1, 5, 4), np.uint8)), flat)
    assert main(["masks", str(path), str(tmp_path / "o.nii.gz"), "--like", str(flat)]) == 3
    told = "flat.png: the image has no place in a patient (no geometry)"
    assert told in capsys.readouterr().err
