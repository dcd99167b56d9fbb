"""Files that look like one volume and are not: copies, mixed contrasts, unnamed series."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Like
from hounsfield.formats.folder import contents

MakeSeries = Callable[..., Path]
MR = {"Modality": "MR", "RescaleIntercept": 0}


def firsts(folder: Path) -> list[list[list[float]]]:
    """The first voxel of each slice of each volume, of all images; slice i holds 100 × i."""
    return [formats.read(one).array[:, :, 0, 0].tolist() for one in formats.find(folder)]


def test_a_second_copy_of_a_series_is_no_second_time(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4], **MR)
    shutil.copytree(folder, folder / "copy")
    assert firsts(folder) == [[[0, 100, 200]]]
    told = [error.problem for _, error in contents(folder).others]
    assert told == ["a second copy of a slice in another file"] * 3


def test_one_uid_for_all_slices_makes_no_copies(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4, 4], each=lambda i: {"SOPInstanceUID": "1.2.77"}, **MR)
    assert sum(len(one.paths) for one in formats.find(folder)) == 4


@pytest.mark.parametrize("changed", ["pixels", "coding"])
def test_copies_that_differ_are_refused(make_series: MakeSeries, changed: str) -> None:
    folder = make_series([0, 2], **MR)
    for path in list(folder.iterdir()):
        data = dcmread(path)
        if changed == "pixels":
            data.PixelData = bytes(len(data.PixelData))
        else:
            data.compress(RLELossless, generate_instance_uid=False)
        data.save_as(path.with_name(f"copy-{path.name}"))
    with pytest.raises(GeometryError, match="2 pictures at one place"):
        formats.read(folder)


def test_nothing_that_orders_volumes_is_refused(make_series: MakeSeries) -> None:
    folder = make_series([0, 0, 2, 2], each=lambda i: {"InstanceNumber": None}, **MR)
    with pytest.raises(GeometryError, match="tell them apart"):
        formats.read(folder)


@pytest.mark.parametrize("name", ["TemporalPositionIdentifier", "TriggerTime", "EchoTime"])
def test_volumes_whose_numbers_begin_anew(make_series: MakeSeries, name: str) -> None:
    """Numbers say which slice; the order of the volumes is that of their marks."""
    folder = make_series(
        [0, 0, 0, 2, 2, 2],
        each=lambda i: {"InstanceNumber": 1 + i // 3, name: [30, 10, 20][i % 3]},
        **MR,
    )
    assert firsts(folder) == [[[100, 400], [200, 500], [0, 300]]]


@pytest.mark.parametrize("name", ["TemporalPositionIdentifier", "DiffusionBValue", "EchoTime"])
def test_contrasts_between_each_other_are_two_volumes(make_series: MakeSeries, name: str) -> None:
    """Half a step beside each other, together they would look like one volume of half the step."""
    folder = make_series([0, 2, 4, 1, 3, 5], each=lambda i: {name: 10 * (1 + i // 3)}, **MR)
    assert firsts(folder) == [[[0, 100, 200]], [[300, 400, 500]]]


@pytest.mark.parametrize("name", ["DiffusionBValue", "EchoTime"])
def test_a_volume_of_two_contrasts_is_refused(make_series: MakeSeries, name: str) -> None:
    folder = make_series([0, 2, 4, 6], each=lambda i: {name: 80 if i == 3 else 10}, **MR)
    with pytest.raises(GeometryError, match="slices of different"):
        formats.read(folder)


def test_a_mark_that_counts_slices_does_not_split(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4], each=lambda i: {"TemporalPositionIdentifier": i + 1}, **MR)
    assert firsts(folder) == [[[0, 100, 200]]]


def test_files_without_a_series_stay_in_their_folder(make_series: MakeSeries) -> None:
    unnamed = {"SeriesInstanceUID": None, "StudyInstanceUID": None, "FrameOfReferenceUID": None}
    one = make_series([0, 2], folder="scans", **unnamed, **MR)
    shutil.move(make_series([0, 2], folder="other", **unnamed, **MR), one / "other")
    assert firsts(one) == [[[0, 100]], [[0, 100]]]


def test_a_damaged_slice_of_two_acquisitions_refuses_its_own(make_series: MakeSeries) -> None:
    folder = make_series([0, 2, 4, 0, 2, 4], each=lambda i: {"AcquisitionNumber": 1 + i // 3})
    torn = folder / "000-0.dcm"
    torn.write_bytes(torn.read_bytes()[:-8])
    first, second = formats.find(folder)
    with pytest.raises(FormatError, match="promises"):
        formats.read(first)
    assert formats.read(second).shape == (1, 3, 3, 4)


def item(**elements: Any) -> Sequence:
    one = Dataset()
    for name, value in elements.items():
        setattr(one, name, value)
    return Sequence([one])


def enhanced(path: Path, stored: list[int], **elements: Any) -> None:
    """A classic slice as an enhanced file of so many frames, 2 mm apart, each of one value."""
    data = dcmread(path)
    start, cosines = np.array(data.ImagePositionPatient), data.ImageOrientationPatient
    normal = np.cross(cosines[:3], cosines[3:])
    frames = []
    for number in range(len(stored)):
        place = [float(round(v, 6)) for v in start + 2 * number * normal]
        one = Dataset()
        one.PlanePositionSequence = item(ImagePositionPatient=place)
        one.PlaneOrientationSequence = item(ImageOrientationPatient=cosines)
        one.PixelMeasuresSequence = item(PixelSpacing=data.PixelSpacing, SliceThickness=2)
        one.PixelValueTransformationSequence = item(
            RescaleSlope=1, RescaleIntercept=-1000, RescaleType="HU"
        )
        for name, value in elements.get("each", lambda n: {})(number).items():
            setattr(one, name, value)
        frames.append(one)
    for name in ("ImagePositionPatient", "RescaleSlope", "RescaleIntercept"):
        delattr(data, name)
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    data.NumberOfFrames = len(stored)
    data.PixelData = np.repeat(np.array(stored, np.int16), 12).tobytes()
    for name, value in elements.items():
        if name != "each":
            setattr(data, name, value)
    data.save_as(path)


def test_enhanced_ct_is_in_hu(make_series: MakeSeries) -> None:
    folder = make_series([0])
    enhanced(folder / "000-0.dcm", [5, 6])
    header = formats.header(folder)
    assert (header.channels[0].unit, header.dtype) == ("HU", np.int16)
    assert firsts(folder) == [[[-995, -994]]]


def test_an_enhanced_file_for_each_time_is_in_the_order_of_numbers(make_series: MakeSeries) -> None:
    folder = make_series([0, 0], each=lambda i: {"InstanceNumber": 2 - i}, **MR)
    for i, path in enumerate(sorted(folder.iterdir())):
        enhanced(path, [10 * i, 10 * i + 1])
    assert firsts(folder) == [[[-990, -989], [-1000, -999]]]


def test_a_concatenation_is_put_together(make_series: MakeSeries) -> None:
    """One object cut in two files (PS3.3 C.7.6.16.2.2.4): frames 2 and 3 lie over 0 and 1."""
    folder = make_series([0, 0], each=lambda i: {"InstanceNumber": 1}, **MR)
    for i, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        enhanced(path, [10 * i, 10 * i + 1], ConcatenationFrameOffsetNumber=2 * i)
    assert firsts(folder) == [[[-1000, -999], [-990, -989]]]


def test_magnitude_and_phase_of_an_enhanced_file_are_two_images(make_series: MakeSeries) -> None:
    folder = make_series([0, 0], **MR)
    for path, component in zip(sorted(folder.iterdir()), ("MAGNITUDE", "PHASE"), strict=True):
        enhanced(
            path, [1, 2],
            each=lambda n, said=component: {
                "MRImageFrameTypeSequence": item(
                    FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"], ComplexImageComponent=said
                )
            },
        )  # fmt: skip
    assert firsts(folder) == [[[-999, -998]]] * 2


def nuclear(make_dicom: Any, spacing: float, **said: Any) -> Path:
    """Two time slots of three slices, as a gamma camera's workstation stores them."""
    stored = np.repeat(np.arange(6, dtype=np.int16), 12).reshape(6, 3, 4)
    detector = item(ImagePositionPatient=[-10, 5, 80], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    elements = {
        "Modality": "NM", "ImageType": ["DERIVED", "PRIMARY", "RECON GATED TOMO", "EMISSION"],
        "PixelSpacing": [4, 3], "SpacingBetweenSlices": spacing, "SliceVector": [1, 2, 3] * 2,
        "TimeSlotVector": [1] * 3 + [2] * 3, "DetectorInformationSequence": detector,
    }  # fmt: skip
    told = {name: value for name, value in (elements | said).items() if value is not None}
    return Path(make_dicom(stored, **told))


@pytest.mark.parametrize("spacing", [2.5, -2.5])
def test_nuclear_slices_lie_on_the_side_that_the_sign_says(make_dicom: Any, spacing: float) -> None:
    """PS3.3 C.8.4.15: behind the first slice is along rows × columns, here to the head."""
    image = formats.read(nuclear(make_dicom, spacing))
    assert image.shape == (2, 3, 3, 4)
    affine, values = image.geometry.affine, image.array[:, :, 0, 0]
    for number in range(3):
        z = int(np.flatnonzero(values[0] == number)[0])
        np.testing.assert_allclose(affine @ [0, 0, z, 1], [10, -5, 80 + number * spacing, 1])
        assert values[1, z] == number + 3


def test_nuclear_vectors_that_do_not_fit_are_refused(make_dicom: Any) -> None:
    with pytest.raises(GeometryError, match="5 numbers for 6 frames"):
        formats.read(nuclear(make_dicom, 2.0, SliceVector=[1, 2, 3, 1, 2]))


def test_energy_windows_are_images_of_their_own(make_dicom: Any) -> None:
    path = nuclear(make_dicom, 2.0, TimeSlotVector=None, EnergyWindowVector=[1] * 3 + [2] * 3)
    assert [formats.read(one).array[0, :, 0, 0].tolist() for one in formats.find(path)] == [
        [0, 1, 2],
        [3, 4, 5],
    ]


def test_signed_and_unsigned_slices_are_one_volume(make_series: MakeSeries) -> None:
    """Apart, every second slice would make a volume of twice the step."""
    folder = make_series([0, 2, 4, 6], each=lambda i: {"PixelRepresentation": i % 2}, **MR)
    assert firsts(folder) == [[[0, 100, 200, 300]]]


@pytest.mark.parametrize(
    "said", [{"ImagePositionPatient": [0, 0, 1e300]}, {"PixelSpacing": [1e300, 1e300]}]
)
def test_nothing_lies_so_far_away(make_series: MakeSeries, said: dict[str, Any]) -> None:
    path = make_series([0], **MR) / "000-0.dcm"
    data = dcmread(path)
    for name, value in said.items():
        setattr(data, name, value)
    data.save_as(path)
    with pytest.raises(GeometryError, match=r"mm|Position"):
        formats.read(path)


def test_temporal_positions_order_the_frames_of_a_file(make_series: MakeSeries) -> None:
    folder = make_series([0], **MR)
    enhanced(
        folder / "000-0.dcm", [1, 2, 3],
        each=lambda n: {
            "FrameContentSequence": item(TemporalPositionIndex=3 - n),
            "PlanePositionSequence": item(ImagePositionPatient=[0, 0, 0]),
        },
    )  # fmt: skip
    assert firsts(folder) == [[[-997], [-998], [-999]]]


def test_a_slice_beside_the_others_is_no_gap(make_series: MakeSeries) -> None:
    """Filling gaps moves nothing sideways: that would be another body."""
    folder = make_series(
        [0, 2, 4],
        each=lambda i: {
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "ImagePositionPatient": [3 * (i == 1), 0, 2 * i],
        },
        **MR,
    )
    with pytest.raises(GeometryError, match="one line"):
        formats.read(folder)
    with pytest.raises(GeometryError, match=r"3\.00 mm beside"):
        formats.read(folder, like=Like(fill_gaps=True))


def test_filling_gaps_drops_no_volume(make_series: MakeSeries) -> None:
    folder = make_series([0, 0, 2, 2, 4, 4, 4], **MR)
    for like in (None, Like(fill_gaps=True)):
        with pytest.raises(GeometryError, match="2 at each place, but 3 at"):
            formats.read(folder, like=like)


def test_marks_that_contradict_each_other_do_not_shuffle(make_series: MakeSeries) -> None:
    """The second slice has echo and trigger crossed: the echo, which says more, decides."""
    echoes, triggers, numbers = [5, 10, 10, 5], [0, 40, 0, 40], [1, 2, 3, 4]
    folder = make_series(
        [0, 0, 2, 2],
        each=lambda i: {
            "EchoTime": echoes[i], "TriggerTime": triggers[i], "InstanceNumber": numbers[i],
        },
        **MR,
    )  # fmt: skip
    assert firsts(folder) == [[[0, 300], [100, 200]]]
