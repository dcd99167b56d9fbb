"""Series of files become volumes: order, geometry, faults, and what lies on C.

Truth comes from ImagePositionPatient and ImageOrientationPatient alone, summed here by hand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import RLELossless

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Like, Source
from hounsfield.geometry import Patient, Plane

ROW = np.array([np.cos(0.3), np.sin(0.3), 0.0])
COLUMN = np.array([-np.sin(0.3) * np.cos(0.5), np.cos(0.3) * np.cos(0.5), np.sin(0.5)])
NORMAL = np.cross(ROW, COLUMN)
START = np.array([-40.5, 12.25, 88.0])
SPACING = (0.8, 0.5)  # between rows (y), between columns (x), as DICOM has it
SHAPE = (3, 4)  # as conftest.py makes them
MakeSeries = Callable[..., Path]


def values(i: int) -> np.ndarray:
    """A slice with one bright corner, told from the others by its numbers."""
    array = np.arange(12, dtype=np.int16).reshape(SHAPE) + 100 * i
    array[0, 3] = 3000
    return array


def world(i: float, j: float, mm: float, shear: np.ndarray | None = None) -> np.ndarray:
    """Column i, row j of the slice at some mm, in RAS mm."""
    lps = START + mm * (NORMAL + (0 if shear is None else shear))
    lps = lps + i * SPACING[1] * ROW + j * SPACING[0] * COLUMN
    return lps * (-1, -1, 1)


def assert_placed(image: Any, along: list[float], shear: np.ndarray | None = None) -> None:
    affine = image.geometry.affine
    for k, mm in enumerate(along):
        for i, j in ((0, 0), (3, 0), (0, 2), (3, 2)):
            np.testing.assert_allclose(
                (affine @ [i, j, k, 1])[:3], world(i, j, mm, shear), atol=1e-5
            )


def test_files_are_sorted_by_position(make_series: MakeSeries) -> None:
    order = [4.0, 0.0, 6.0, 2.0]
    image = formats.read(make_series(order))
    assert image.array.dtype == np.int16
    assert image.channels[0].unit == "HU"
    expected = np.stack([values(i) - 1024 for i in (1, 3, 0, 2)])[None]
    np.testing.assert_array_equal(image.array, expected)
    assert_placed(image, [0.0, 2.0, 4.0, 6.0])


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-3, 3), st.floats(-1.2, 1.2), st.floats(0.5, 7), st.floats(-0.4, 0.4),
    st.integers(2, 5),
)  # fmt: skip
def test_any_pose_and_tilt(turn: float, lean: float, step: float, tilt: float, count: int) -> None:
    from hounsfield.formats.dicom.frames import Frame
    from hounsfield.formats.dicom.geometry import normal_of
    from hounsfield.formats.dicom.marks import Marks
    from hounsfield.formats.dicom.stack import Stack

    row = np.array([np.cos(turn), np.sin(turn), 0.0])
    column = np.array([-np.sin(turn) * np.cos(lean), np.cos(turn) * np.cos(lean), np.sin(lean)])
    way = np.array(normal_of((*row, *column))) + tilt * column
    sheet: Any = type(
        "S", (), {"kind": (None,) * 5, "fault": None, "file": type("F", (), {"path": Path("x")})}
    )
    corners = [START + k * step * way for k in range(count)]
    frames = [
        Frame(sheet, 0, tuple(c), (*row, *column), (0.5, 0.8), 1.0, (1, 0), Marks(number=k))
        for k, c in enumerate(corners)
    ]
    geometry = Stack(tuple(reversed(frames))).geometry
    assert isinstance(geometry, Patient)
    for k, corner in enumerate(corners):
        expected = (corner + 3 * 0.5 * row + 2 * 0.8 * column) * (-1, -1, 1)
        np.testing.assert_allclose((geometry.affine @ [3, 2, k, 1])[:3], expected, atol=1e-9)


def test_a_tilted_gantry_shears_the_affine(make_series: MakeSeries) -> None:
    shear = 0.33 * COLUMN
    image = formats.read(make_series([0, 3, 6], shear=shear))
    assert_placed(image, [0, 3, 6], shear)
    axes = image.geometry.affine[:3, :3]  # type: ignore[union-attr]
    assert abs(axes[:, 1] @ axes[:, 2]) > 0.1


@pytest.mark.parametrize(
    ("along", "words"),
    [
        ([0, 2, 4, 8, 10], r"1 slice is missing between .* and .* mm .*step 2\.000"),
        ([0, 2, 8, 10, 12], "2 slices are missing"),
        ([0, 2, 4, 4, 6], r"doubled slices: 1 at each place, but 2 at"),
        ([0, 2, 4.3, 6, 8], r"uneven slices: 1\.700 to 2\.300 mm apart"),
    ],
)
def test_faults_are_told_with_their_places(
    make_series: MakeSeries, along: list[float], words: str
) -> None:
    folder = make_series(along)
    for way in (formats.header, formats.read):
        with pytest.raises(GeometryError, match=words) as caught:
            way(folder)
        assert caught.value.remedy is not None
        assert "fill-gaps" in caught.value.remedy


def test_the_positions_in_a_message_are_those_of_the_gap(make_series: MakeSeries) -> None:
    offset = float(START @ NORMAL)
    with pytest.raises(GeometryError, match=f"between {offset + 4:.2f} and {offset + 8:.2f} mm"):
        formats.read(make_series([0, 2, 4, 8, 10]))


def test_gaps_are_filled_when_asked_for(make_series: MakeSeries) -> None:
    stored = [np.full(SHAPE, 100 * i, np.int16) for i in (0, 2, 4, 8, 10)]
    folder = make_series([0, 2, 4, 8, 10], stored=lambda i: stored[i])
    image = formats.read(folder, like=Like(fill_gaps=True))
    np.testing.assert_allclose(
        image.array[0, :, 0, 0] + 1024, [0, 200, 400, 600, 800, 1000], rtol=1e-6
    )
    assert_placed(image, [0, 2, 4, 6, 8, 10])
    np.testing.assert_allclose(image.stored["filled"].uneven_mm, [0, 2, 4, 8, 10], atol=1e-5)


def test_the_first_of_doubled_slices_fills(make_series: MakeSeries) -> None:
    image = formats.read(make_series([0, 2, 2, 4]), like=Like(fill_gaps=True))
    assert image.shape == (1, 3, *SHAPE)
    np.testing.assert_array_equal(image.array[0, 1], values(1) - 1024)


def test_scouts_are_split_off(make_series: MakeSeries) -> None:
    make_series([0, 2, 4])
    turned = [*map(float, COLUMN), *map(float, NORMAL)]  # whose normal is ROW
    folder = make_series(
        [50, 52],
        each=lambda i: {
            "ImageOrientationPatient": turned,
            "ImagePositionPatient": [float(v) for v in START + 3 * i * ROW],
        },
        folder="scouts",
    )
    for file in folder.iterdir():
        shutil.move(file, folder.parent / "series" / f"scout-{file.name}")
    found = formats.find(folder.parent / "series")
    assert sorted(len(one.paths) for one in found) == [2, 3]
    with pytest.raises(FormatError, match="holds 2 images"):
        formats.read(folder.parent / "series")
    assert {formats.read(f"{folder.parent / 'series'}#{n}").shape[1] for n in (1, 2)} == {2, 3}


def test_pictures_side_by_side_are_no_volume(make_series: MakeSeries) -> None:
    places = [START, START + 30 * COLUMN]
    folder = make_series(
        [0, 0], each=lambda i: {"ImagePositionPatient": [float(v) for v in places[i]]}
    )
    with pytest.raises(GeometryError, match="side by side"):
        formats.header(folder)


def test_acquisitions_of_a_ct_are_told_apart(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4, 0, 2, 4], each=lambda i: {"AcquisitionNumber": 1 + i // 3})
    found = formats.find(folder)
    assert [len(one.paths) for one in found] == [3, 3]
    first, second = (formats.read(one).array for one in found)
    np.testing.assert_array_equal(second[0, 1] - first[0, 1], np.where(values(0) < 3000, 300, 0))


def test_two_ranges_of_one_series_are_two_images(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4, 50, 53, 56], each=lambda i: {"AcquisitionNumber": 1 + i // 3})
    images = [formats.read(one) for one in formats.find(folder)]
    assert [round(image.spacing[2], 6) for image in images] == [2, 3]


def fourth(name: str) -> Callable[[int], dict[str, Any]]:
    """Three volumes of two slices each, told apart in one way; slices come slice by slice."""
    marks: dict[str, Callable[[int], dict[str, Any]]] = {
        "time": lambda v: {
            "AcquisitionTime": f"1200{10 + 2 * v:02d}.5",
            "AcquisitionNumber": v + 1,
        },
        "echo": lambda v: {"EchoTime": 5.0 * (v + 1)},
        "diffusion": lambda v: {"DiffusionBValue": [0.0, 1000.0, 500.0][v]},
        "trigger": lambda v: {"TriggerTime": 40.0 * v},
        "temporal": lambda v: {"TemporalPositionIdentifier": v + 1},
    }
    return lambda i: marks[name](i % 3)


@pytest.mark.parametrize("name", ["time", "echo", "diffusion", "trigger", "temporal"])
def test_the_fourth_axis_lies_on_c(make_series: MakeSeries, name: str) -> None:
    image = formats.read(
        make_series([0, 0, 0, 2, 2, 2], each=fourth(name), Modality="MR", RescaleIntercept=0)
    )
    assert image.shape == (3, 2, *SHAPE)
    np.testing.assert_array_equal(image.array[:, :, 0, 0], [[0, 300], [100, 400], [200, 500]])
    said = image.channels
    if name == "time":
        assert [channel.time for channel in said] == [0, 2, 4]
    if name == "trigger":
        np.testing.assert_allclose([channel.time for channel in said], [0, 0.04, 0.08])  # type: ignore[arg-type]
    if name == "echo":
        assert [channel.name for channel in said] == ["echo 5 ms", "echo 10 ms", "echo 15 ms"]
    if name == "diffusion":
        assert [channel.b_value for channel in said] == [0, 1000, 500]


def test_volumes_agree_in_their_marks_where_numbers_mislead(make_series: MakeSeries) -> None:
    """Instance numbers run the other way in the second slice; the echo says what is what."""
    numbers = [1, 2, 3, 6, 5, 4]
    image = formats.read(
        make_series(
            [0, 0, 0, 2, 2, 2],
            each=lambda i: {"EchoTime": 5.0 * (i % 3 + 1), "InstanceNumber": numbers[i]},
            Modality="MR",
            RescaleIntercept=0,
        )
    )
    np.testing.assert_array_equal(image.array[:, :, 0, 0], [[0, 300], [100, 400], [200, 500]])


def test_an_incomplete_volume_is_refused(make_series: MakeSeries) -> None:
    folder = make_series([0, 0, 2, 2, 4], each=fourth("echo"), Modality="MR")
    with pytest.raises(GeometryError, match=r"incomplete volumes: 2 at each place, but 1 at"):
        formats.read(folder)


def test_each_slice_has_its_own_slope(make_series: MakeSeries) -> None:
    folder = make_series(
        [0, 2, 4], each=lambda i: {"RescaleSlope": 0.5 * (i + 1)}, Modality="PT",
        RescaleIntercept=0, Units="BQML",
    )  # fmt: skip
    image = formats.read(folder)
    assert image.array.dtype == np.float32
    assert image.channels[0].unit == "Bq/ml"
    expected = np.stack([values(i) * 0.5 * (i + 1) for i in range(3)])[None]
    np.testing.assert_allclose(image.array, expected, rtol=1e-7)
    assert image.stored["lines"][0][2] == (1.5, 0.0)


def test_values_beyond_int16_become_float(make_series: MakeSeries) -> None:
    stored = [np.array([[0, 65535]] * 3, np.uint16)] * 2
    image = formats.read(make_series([0, 2], stored=lambda i: stored[i]))
    assert image.array.dtype == np.float32
    assert (image.array.min(), image.array.max()) == (-1024, 64511)


def test_bits_that_do_not_count_are_left_out(make_series: MakeSeries) -> None:
    overlay = [values(i).astype(np.uint16) | 0x8000 for i in range(2)]
    image = formats.read(
        make_series([0, 2], stored=lambda i: overlay[i], BitsStored=12, HighBit=11)
    )
    np.testing.assert_array_equal(image.array[0, 1], values(1) - 1024)


@pytest.mark.parametrize("like", [None, Like(dtype=np.dtype(np.float32)), Like(window=(0, 400))])
def test_every_way_of_reading_gives_the_same_values(
    make_series: MakeSeries, like: Like | None
) -> None:
    """Straight into place, as floats, and through a codec."""
    plain = formats.read(make_series([0, 2, 4]), like=like)
    folder = make_series([0, 2, 4], folder="rle")
    for file in folder.iterdir():
        data = dcmread(file)
        data.compress(RLELossless, generate_instance_uid=False)
        data.save_as(file)
    rle = formats.read(folder, like=like)
    np.testing.assert_array_equal(plain.array, rle.array)
    assert plain.array.dtype == rle.array.dtype == (np.int16 if like is None else np.float32)


def test_a_slab_is_a_part_of_the_whole(make_series: MakeSeries) -> None:
    opened = formats.open(make_series([0, 2, 4, 6]))
    part, whole = opened.slab(1, 3), opened.read()
    np.testing.assert_array_equal(part.array, whole.array[:, 1:3])
    assert_placed(part, [2, 4])
    assert opened.header.shape == whole.shape
    assert opened.header.dtype == whole.array.dtype


def test_a_source_is_read_again_without_what_is_known(make_series: MakeSeries) -> None:
    (found,) = formats.find(make_series([0, 2, 4]))
    again = Source(found.root, tuple(reversed(found.paths)))
    assert again.known is None
    np.testing.assert_array_equal(formats.read(again).array, formats.read(found).array)


def test_one_slice_of_a_series_is_as_thick_as_it_says(make_series: MakeSeries) -> None:
    image = formats.read(make_series([0], SliceThickness=2.5))
    np.testing.assert_allclose(image.spacing, (0.5, 0.8, 2.5), rtol=1e-12)
    thin = formats.header(make_series([0], folder="thin", SliceThickness=None))
    assert isinstance(thin.geometry, Plane)


def test_a_truncated_slice_refuses_its_volume(make_series: MakeSeries) -> None:
    """Left out, the middle one of three would double the spacing without a word."""
    folder = make_series([0, 2, 4])
    file = next(path for path in folder.iterdir() if path.stem.endswith("-1"))
    file.write_bytes(file.read_bytes()[:-5])
    for way in (formats.header, formats.read):
        with pytest.raises(FormatError, match="promises") as caught:
            way(folder)
        assert caught.value.file == folder  # the file's name may be a person's
    filled = formats.read(folder, like=Like(fill_gaps=True))
    assert filled.shape[1] == 3
    np.testing.assert_allclose(filled.array[0, 1, 1], (values(0)[1] + values(2)[1]) / 2 - 1024)
    assert len(filled.stored["filled"].damaged_mm) == 1
    last = next(path for path in folder.iterdir() if path.stem.endswith("-2"))
    last.write_bytes(last.read_bytes()[:-5])
    with pytest.raises(FormatError, match="promises"):  # beyond it lies nothing to fill from
        formats.read(folder, like=Like(fill_gaps=True))


@pytest.mark.parametrize("cut", ["before the pixels", "behind the position"])
def test_a_file_cut_between_two_elements_is_damaged(make_series: MakeSeries, cut: str) -> None:
    """What is left is sound DICOM without pixels; so is a report, but this is none."""
    folder = make_series([0, 2, 4])
    file = next(path for path in folder.iterdir() if path.stem.endswith("-1"))
    data = file.read_bytes()
    end = b"\xe0\x7f\x10\x00" if cut == "before the pixels" else b"\x28\x00\x02\x00"
    file.write_bytes(data[: data.rindex(end)])
    with pytest.raises(FormatError, match=r"without pixels|damaged file"):
        formats.read(folder)
    if cut == "before the pixels":
        with pytest.raises(FormatError, match=r"the slice at .* mm: DICOM without pixels"):
            formats.header(formats.find(folder)[0])


def test_a_damaged_file_in_a_folder_is_not_passed_over(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4])
    file = next(path for path in folder.iterdir() if path.stem.endswith("-1"))
    file.write_bytes(file.read_bytes()[:400])
    with pytest.raises(FormatError, match="1 damaged file in the folder"):
        formats.read(folder)
    assert formats.read(f"{folder}#1").shape[1] == 2


def test_files_of_two_images_are_no_one_source(make_series: MakeSeries) -> None:
    one = make_series([0, 2], folder="one")
    other = make_series([0, 2], folder="other", SeriesInstanceUID="1.9")
    paths = tuple(str(p.relative_to(one.parent)) for p in (*one.iterdir(), *other.iterdir()))
    with pytest.raises(FormatError, match="4 files hold 2 images"):
        formats.read(Source(str(one.parent), paths))


def test_a_dose_grid_has_its_offsets(make_dicom: Any) -> None:
    planes = np.arange(24, dtype=np.uint16).reshape(2, *SHAPE)
    common = {
        "Modality": "RTDOSE", "PixelSpacing": list(SPACING), "DoseGridScaling": 0.5,
        "DoseUnits": "GY", "ImagePositionPatient": [float(v) for v in START],
        "ImageOrientationPatient": [*map(float, ROW), *map(float, COLUMN)],
        "SeriesInstanceUID": "1.2", "StudyInstanceUID": "1.1",
    }  # fmt: skip
    image = formats.read(make_dicom(planes, **common, GridFrameOffsetVector=[0.0, 2.5]))
    assert_placed(image, [0, 2.5])
    assert image.channels[0].unit == "Gy"
    np.testing.assert_allclose(image.array, planes[None] * 0.5)
    uneven = make_dicom(np.concatenate([planes, planes]), **common,
                        GridFrameOffsetVector=[0.0, 2.5, 5.0, 9.0])  # fmt: skip
    with pytest.raises(GeometryError, match=r"uneven|missing"):
        formats.read(uneven)


def test_films_lie_on_c_with_their_times(make_dicom: Any) -> None:
    frames = np.arange(3 * 12, dtype=np.uint8).reshape(3, *SHAPE)
    path = make_dicom(frames, Modality="XA", FrameTime=40.0, FrameIncrementPointer=0x00181063)
    image = formats.read(path)
    assert image.shape == (3, 1, *SHAPE)
    np.testing.assert_array_equal(image.array[:, 0], frames)
    assert [channel.time for channel in image.channels] == [0, 0.04, 0.08]
    one = formats.read(Source(str(path.parent), (path.name,), frames=(2, 3)))
    np.testing.assert_array_equal(one.array[0, 0], frames[2])
    assert one.channels[0].time == 0.08


def test_positions_rounded_to_a_decimal_are_even(make_series: MakeSeries) -> None:
    """Steps of 0.625 mm that a scanner wrote as 0.6 and 0.7 are no gaps."""
    upright = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    folder = make_series(
        [0] * 9,
        each=lambda i: {"ImagePositionPatient": [0.0, 0.0, round(0.625 * i, 1)]},
        ImageOrientationPatient=upright,
    )
    assert abs(formats.header(folder).geometry.spacing[2] - 0.625) < 1e-9  # type: ignore[union-attr]


def test_slices_of_a_few_micrometres_are_slices(make_series: MakeSeries) -> None:
    image = formats.read(make_series([0, 0.005, 0.010], SliceThickness=0.005))
    assert image.shape[1] == 3
    assert abs(image.spacing[2] - 0.005) < 1e-6


def test_a_wanted_type_that_does_not_fit_is_refused(make_series: MakeSeries) -> None:
    folder = make_series([0, 2], each=lambda i: {"RescaleSlope": 0.5})
    as_int = formats.read(folder, like=Like(dtype=np.dtype(np.int16)))
    np.testing.assert_array_equal(as_int.array[0, 0], (values(0) * 0.5 - 1024).astype(np.int16))
    with pytest.raises(FormatError, match="do not fit uint16"):
        formats.read(make_series([0, 2], folder="other"), like=Like(dtype=np.dtype(np.uint16)))
