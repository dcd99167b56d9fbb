"""Segmentations, written and judged by highdicom; positions are sums done by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from made_segmentations import lps, made_ct, made_seg, saved, write_ct
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError, HounsfieldError
from hounsfield.formats.contract import Like, Source
from hounsfield.formats.dicom.seg import segments
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image

pytestmark = pytest.mark.filterwarnings("ignore")  # highdicom's own, about its inputs
SHAPE = (6, 5, 7)


def parts(*, overlap: bool = False) -> np.ndarray:
    """Two bodies (6, 5, 7, 2) with empty slices between and at the ends, none symmetric."""
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1, 1:3, 2:5, 0] = 1
    masks[4, 0, 0, 0] = 1
    masks[4, 2, 5:, 1] = 1
    if overlap:
        masks[1, 2, 4:6, 1] = 1
    return masks


def by_highdicom(path: Path, ours: Image, **how: Any) -> np.ndarray:
    """Their volume looked up at our voxels' places: (C, Z, Y, X)."""
    theirs = highdicom.seg.segread(path).get_volume(**how)
    assert isinstance(ours.geometry, Patient)
    _, z, y, x = ours.shape
    places = np.indices((z, y, x)).reshape(3, -1)[::-1]
    ras = ours.geometry.affine[:3, :3] @ places + ours.geometry.affine[:3, 3:]
    theirs_from_lps = np.linalg.inv(theirs.affine)
    index = theirs_from_lps[:3, :3] @ (ras * [[-1], [-1], [1]]) + theirs_from_lps[:3, 3:]
    assert np.abs(index - np.rint(index)).max() < 1e-3
    found = theirs.array[tuple(np.rint(index).astype(int))]
    return np.moveaxis(found.reshape(z, y, x, -1), 3, 0)


@pytest.mark.parametrize("omit", [True, False])
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_label_maps_equal_highdicom(kind: str, omit: bool, tmp_path: Path) -> None:
    path = saved(made_seg(made_ct(), parts(), kind, omit_empty_frames=omit), tmp_path / "seg.dcm")
    image, head = formats.read(path), formats.header(path)
    first, last = (1, 5) if omit else (0, 6)
    expected = (parts() * [1, 2]).sum(-1)[first:last]
    np.testing.assert_array_equal(image.array[0], expected)
    np.testing.assert_array_equal(image.array, by_highdicom(path, image, combine_segments=True))
    assert (head.shape, head.dtype, head.modality) == (image.shape, np.uint8, "SEG")
    assert image.array.dtype == np.uint8
    assert [c.name for c in image.channels] == ["segments"]
    assert_lies(image, first * 2.5, 2.5)


def assert_lies(image: Image, mm: float, step: float) -> None:
    assert isinstance(image.geometry, Patient)
    assert image.geometry.spacing[2] == pytest.approx(step)
    _, z, y, x = image.shape
    for i, j, k in ((0, 0, 0), (x - 1, 0, 0), (0, y - 1, z - 1)):
        there = lps(i, j, mm + k * step) * (-1, -1, 1)
        np.testing.assert_allclose((image.geometry.affine @ [i, j, k, 1])[:3], there, atol=1e-5)


@pytest.mark.parametrize("omit", [True, False])
def test_overlapping_segments_are_channels(omit: bool, tmp_path: Path) -> None:
    data = made_seg(made_ct(), parts(overlap=True), "BINARY", omit_empty_frames=omit)
    image = formats.read(path := saved(data, tmp_path / "seg.dcm"))
    first, last = (1, 5) if omit else (0, 6)
    np.testing.assert_array_equal(np.moveaxis(image.array, 0, 3), parts(overlap=True)[first:last])
    np.testing.assert_array_equal(image.array, by_highdicom(path, image))
    assert formats.header(path).shape == image.shape
    assert [c.name for c in image.channels] == ["part 1", "part 2"]


@pytest.mark.parametrize("overlap", [True, False])
def test_without_the_file_s_word_its_pixels_say_whether_they_overlap(
    overlap: bool, tmp_path: Path
) -> None:
    data = made_seg(made_ct(), parts(overlap=overlap), "BINARY")
    del data.SegmentsOverlap
    path = saved(data, tmp_path / "seg.dcm")
    assert formats.header(path).shape[0] == formats.read(path).shape[0] == 1 + overlap


def test_a_lie_about_overlap_is_refused(tmp_path: Path) -> None:
    data = made_seg(made_ct(), parts(overlap=True), "BINARY")
    data.SegmentsOverlap = "NO"
    with pytest.raises(FormatError, match="shares voxels"):
        formats.read(saved(data, tmp_path / "seg.dcm"))


@pytest.mark.parametrize("most", [255, 100])
def test_fractions_equal_highdicom(most: int, tmp_path: Path) -> None:
    shares = np.random.default_rng(3).random((*SHAPE, 2)) * parts(overlap=True)
    data = made_seg(made_ct(), shares, "FRACTIONAL", max_fractional_value=most)
    image = formats.read(path := saved(data, tmp_path / "seg.dcm"))
    assert image.array.dtype == np.float32
    np.testing.assert_allclose(image.array, by_highdicom(path, image), atol=1e-6)
    np.testing.assert_allclose(np.moveaxis(image.array, 0, 3), shares[1:5], atol=0.51 / most)
    assert image.stored["fractional"] == "PROBABILITY"


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_compressed(kind: str, tmp_path: Path) -> None:
    shape = (6, 40, 48)
    masks = (np.random.default_rng(5).random((*shape, 1)) > 0.7).astype(np.uint8)
    masks = masks if kind == "LABELMAP" else masks.astype(float)
    ct = made_ct(shape)
    path = saved(made_seg(ct, masks, kind, transfer_syntax_uid=RLELossless), tmp_path / "seg.dcm")
    np.testing.assert_array_equal(formats.read(path).array[0], masks[..., 0])


def test_a_deflated_file(tmp_path: Path) -> None:
    data = made_seg(made_ct(), parts(), "BINARY")
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image = formats.read(saved(data, tmp_path / "seg.dcm"))
    np.testing.assert_array_equal(image.array[0], (parts() * [1, 2]).sum(-1)[1:5])


def test_numbers_beyond_a_byte(tmp_path: Path) -> None:
    data = made_seg(made_ct(), parts()[..., :1], "BINARY")
    data.SegmentSequence[0].SegmentNumber = 300
    for group in (*data.PerFrameFunctionalGroupsSequence, data.SharedFunctionalGroupsSequence[0]):
        if "SegmentIdentificationSequence" in group:
            group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 300
    path = saved(data, tmp_path / "seg.dcm")
    image = formats.read(path)
    assert image.array.dtype == formats.header(path).dtype == np.uint16
    assert set(np.unique(image.array)) == {0, 300}
    assert image.channels[0].name == "part 1"


def test_a_slab_reads_its_own_frames_alone(tmp_path: Path) -> None:
    path = saved(made_seg(made_ct(), parts(), "BINARY"), tmp_path / "seg.dcm")
    opened = formats.open(path)
    part = opened.slab(2, 4)
    np.testing.assert_array_equal(part.array, opened.read().array[:, 2:4])
    assert_lies(part, 3 * 2.5, 2.5)
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[:-2])  # the last frame is of the second segment
    with pytest.raises(FormatError, match="promises"):
        formats.read(path)


def test_what_the_segments_are(tmp_path: Path) -> None:
    data = made_seg(made_ct(), parts(), "BINARY")
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SegmentSequence[1].SegmentLabel = "Rückenmark"
    found = segments(saved(data, tmp_path / "seg.dcm"))
    assert [(one.number, one.label) for one in found] == [(1, "part 1"), (2, "Rückenmark")]
    assert (found[0].category, found[0].type, found[0].algorithm) == ("Organ", "Liver", "MANUAL")
    with pytest.raises(FormatError, match="no DICOM segmentation"):
        segments(write_ct(made_ct()[:1], tmp_path / "ct") / "0.dcm")


def test_beside_its_ct_in_one_folder(tmp_path: Path) -> None:
    folder = write_ct(made_ct(), tmp_path / "scan")
    saved(made_seg(made_ct(), parts(), "BINARY"), folder / "seg.dcm")
    found = formats.find(folder)
    assert [formats.header(one).modality for one in found] == ["CT", "SEG"]
    assert formats.read(found[1]).shape == (1, 4, 5, 7)


def test_choices(tmp_path: Path) -> None:
    path = saved(made_seg(made_ct(), parts(), "BINARY"), tmp_path / "seg.dcm")
    assert formats.read(path, like=Like(dtype=np.dtype(np.int32))).array.dtype == np.int32
    with pytest.raises(FormatError, match="SUV"):
        formats.read(path, like=Like(suv="bw"))


# --- the grid from positions


def placed(mm: list[float], **measures: Any) -> Dataset:
    """One segment whose frames are filled, in an order that says nothing, at some mm."""
    ct = made_ct((len(mm), 5, 7))
    for one, far in zip(ct, mm, strict=True):
        one.ImagePositionPatient = [round(float(v), 6) for v in lps(0, 0, far)]
    data = made_seg(made_ct((len(mm), 5, 7)), np.ones((len(mm), 5, 7, 1), np.uint8), "BINARY")
    for group, one in zip(data.PerFrameFunctionalGroupsSequence, ct, strict=True):
        group.PlanePositionSequence[0].ImagePositionPatient = one.ImagePositionPatient
    said = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    for name, value in ({"SpacingBetweenSlices": None, "SliceThickness": None} | measures).items():
        if value is None:
            delattr(said, name)
        else:
            setattr(said, name, value)
    return data


@pytest.mark.parametrize(
    ("mm", "measures", "filled", "step"),
    [
        ([6, 0, 2], {"SpacingBetweenSlices": 2}, [1, 1, 0, 1], 2.0),
        ([0, 9], {"SpacingBetweenSlices": 3}, [1, 0, 0, 1], 3.0),
        ([0, 9.003], {"SpacingBetweenSlices": 3.0}, [1, 0, 0, 1], 3.001),
        ([0, 2, 4, 10, 12], {}, [1, 1, 1, 0, 0, 1, 1], 2.0),
        ([0, 2.5, 5], {"SpacingBetweenSlices": 1}, [1, 1, 1], 2.5),  # what is stored counts
        ([0, 2, 6], {"SliceThickness": 2}, [1, 1, 0, 1], 2.0),
        ([4], {"SpacingBetweenSlices": 1.5, "SliceThickness": 9}, [1], 1.5),
    ],
)
def test_places_are_multiples_of_a_step(
    mm: list[float], measures: Any, filled: list[int], step: float, tmp_path: Path
) -> None:
    image = formats.read(saved(placed(mm, **measures), tmp_path / "seg.dcm"))
    assert image.array[0, :, 0, 0].tolist() == filled
    assert_lies(image, min(mm), step)


@pytest.mark.parametrize(
    ("mm", "measures", "why"),
    [
        ([0, 9], {}, "cannot be told: frames at 0.000, 9.000 mm"),
        ([0, 2, 5], {}, "cannot be told"),
        ([0, 2, 5], {"SpacingBetweenSlices": 2}, "cannot be told"),
        ([0, 9.5], {"SpacingBetweenSlices": 3}, "multiples of 3 mm"),
        ([0, 2, 4.3, 6], {"SpacingBetweenSlices": 2}, "cannot be told"),
        ([0, 2, 4.06, 6], {"SpacingBetweenSlices": 2}, "on one even grid|even grid|of the others"),
    ],
)
def test_a_step_in_doubt_is_refused_with_the_positions(
    mm: list[float], measures: Any, why: str, tmp_path: Path
) -> None:
    with pytest.raises(GeometryError, match=why):
        formats.read(saved(placed(mm, **measures), tmp_path / "seg.dcm"))


def test_one_frame_without_a_thickness_is_a_plane(tmp_path: Path) -> None:
    image = formats.read(saved(placed([4]), tmp_path / "seg.dcm"))
    assert image.geometry == Plane((0.5, 0.8), "object")


# --- hostile


def _no_segments(data: Dataset) -> None:
    data.SegmentSequence = []


def _twice(data: Dataset) -> None:
    data.SegmentSequence[1].SegmentNumber = 1


def _unknown(data: Dataset) -> None:
    own = data.PerFrameFunctionalGroupsSequence[0]
    own.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 77


def _doubled(data: Dataset) -> None:
    each = data.PerFrameFunctionalGroupsSequence
    each[1].PlanePositionSequence = each[0].PlanePositionSequence


def _fewer(data: Dataset) -> None:
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:1]


def _far(data: Dataset) -> None:
    place = data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    place.ImagePositionPatient = [-40.5, 1e300, 88.0]


def _beyond_memory(data: Dataset) -> None:
    place = data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    place.ImagePositionPatient = [round(float(v), 4) for v in lps(0, 0, 2.5e6)]


def _nan(data: Dataset) -> None:
    said = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    said.PixelSpacing = [0.0, 0.5]


def _kind(data: Dataset) -> None:
    data.SegmentationType = "SOMETHING"


def _turned(data: Dataset) -> None:
    own = data.PerFrameFunctionalGroupsSequence[0]
    own.PlaneOrientationSequence = [Dataset()]
    own.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def _unplaced(data: Dataset) -> None:
    del data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_no_segments, "describes no segment"),
        (_twice, "one number"),
        (_unknown, "segment 77"),
        (_doubled, "segment 1 has two frames"),
        (_fewer, "1 of them are described"),
        (_far, "x, y, z in mm"),
        (_beyond_memory, "promises"),
        (_nan, "PixelSpacing"),
        (_kind, "SOMETHING"),
        (_turned, "several orientations"),
        (_unplaced, "x, y, z in mm"),
    ],
)
def test_refusals(harm: Callable[[Dataset], None], why: str, tmp_path: Path) -> None:
    data = made_seg(
        made_ct((6, 32, 32)), np.pad(parts(), ((0, 0), (0, 27), (0, 25), (0, 0))), "BINARY"
    )
    harm(data)
    path = saved(data, tmp_path / "seg.dcm")
    with pytest.raises(HounsfieldError, match=why):
        formats.read(path)
    with pytest.raises(HounsfieldError, match=why):
        formats.header(Source.of(path))


def test_mutated_headers_end_in_an_image_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    path = saved(made_seg(made_ct(), parts(), "BINARY"), tmp_path / "seg.dcm")
    whole = path.read_bytes()
    for _ in range(150):
        raw = bytearray(whole)
        for at in rng.integers(132, len(raw), rng.integers(1, 4)):
            raw[at] = rng.integers(256)
        path.write_bytes(raw[: len(raw) if rng.random() < 0.8 else rng.integers(len(raw))])
        with suppress(HounsfieldError):
            formats.read(path)


def test_a_radiograph_s_segmentation_is_flat(tmp_path: Path) -> None:
    data = made_seg(made_ct((1, 5, 7)), parts()[1:2, ..., :1], "BINARY")
    for group in (*data.PerFrameFunctionalGroupsSequence, data.SharedFunctionalGroupsSequence[0]):
        for name in ("PlanePositionSequence", "PlaneOrientationSequence"):
            if name in group:
                delattr(group, name)
    image = formats.read(saved(data, tmp_path / "seg.dcm"))
    assert image.geometry == Plane((0.5, 0.8), "unknown")
    np.testing.assert_array_equal(image.array[0, 0], parts()[1, ..., 0])
