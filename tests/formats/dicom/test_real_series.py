"""Real series against dcm2niix, and enhanced files against the classic ones they were made of."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from hounsfield import formats
from hounsfield.errors import GeometryError
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.spatial import Grid, resample, straight


def to_canonical(image: Image) -> nib.Nifti1Image:
    """(x, y, z[, c]) in RAS+ order, as nibabel turns it."""
    assert isinstance(image.geometry, Patient)
    voxels = np.moveaxis(image.array, (3, 2, 1, 0), (0, 1, 2, 3)).astype(np.float64)
    return nib.as_closest_canonical(nib.Nifti1Image(voxels, image.geometry.affine))


def corners(one: nib.Nifti1Image) -> np.ndarray:
    ends = np.array(np.meshgrid(*((0, n - 1) for n in one.shape[:3]))).reshape(3, -1)
    return (one.affine[:3, :3] @ ends).T + one.affine[:3, 3]


# our series' folder -> dcm2niix's volume of it
NIH = {
    "20180918GE/mr_0004": "DCM2NIIX_regression_test_4",
    "20180918GE/mr_0005": "DCM2NIIX_regression_test_5",
    "20180918GE/mr_0006": "DCM2NIIX_regression_test_6",
    "20180918GE/mr_0007": "DCM2NIIX_regression_test_7",
    "20180918Si/mr_0003": "EPI_PE=AP_3",
    "20180918Si/mr_0004": "EPI_PE=PA_4",
    "20180918Si/mr_0005": "EPI_PE=RL_5",
    "20180918Si/mr_0006": "EPI_PE=LR_6",
}


@pytest.mark.parametrize("folder", NIH)
def test_equals_dcm2niix(real_data: Path, folder: str) -> None:
    root = real_data / "dicom-mr-nih"
    ours = to_canonical(formats.read(root / "In" / folder))
    theirs = nib.as_closest_canonical(nib.load(root / "Ref" / f"{NIH[folder]}.nii.gz"))
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    np.testing.assert_allclose(corners(ours), corners(theirs), atol=1e-3)


def test_a_repeated_volume_has_the_repetition_time(real_data: Path) -> None:
    """GE writes one clock time into all 150 files; dcm2niix says 5 s, too."""
    head = formats.header(formats.find(real_data / "dicom-mr-nih/In/20180918GE/mr_0004")[0])
    assert [channel.time for channel in head.channels][:3] == [0, 5, 10]


def test_series_are_told_apart_in_one_folder(real_data: Path) -> None:
    found = formats.find(real_data / "dicom-mr-nih")
    dicom = [one for one in found if formats.header(one).format == "dicom"]
    assert sorted(len(one.paths) for one in dicom) == [2] * 4 + [150] * 4


@pytest.fixture
def tilted(real_data: Path) -> Path:
    return real_data / "dicom-ct-tilt" / "In"


def test_a_tilted_ct_lies_where_its_slices_say(tilted: Path) -> None:
    image = formats.read(tilted)
    assert isinstance(image.geometry, Patient)
    slices = []
    for file in tilted.rglob("I*[0-9]"):
        data = pydicom.dcmread(file, stop_before_pixels=True)
        slices.append((float(data.ImagePositionPatient[2]), data))
    slices.sort(key=lambda pair: pair[0])
    assert image.shape[1] == len(slices) == 54
    normal = np.cross(
        slices[0][1].ImageOrientationPatient[:3], slices[0][1].ImageOrientationPatient[3:]
    )
    if normal[2] < 0:
        slices.reverse()
    for k, (_, data) in enumerate(slices):
        row, column = np.reshape(data.ImageOrientationPatient, (2, 3))
        dy, dx = data.PixelSpacing
        lps = np.array(data.ImagePositionPatient) + 500 * dx * row + 300 * dy * column
        np.testing.assert_allclose(
            (image.geometry.affine @ [500, 300, k, 1])[:3], lps * (-1, -1, 1), atol=0.02
        )
    axes = image.geometry.affine[:3, :3] / image.spacing
    angle = 90 - np.degrees(np.arccos(axes[:, 1] @ axes[:, 2]))
    assert abs(abs(angle) - 18.5) < 0.1


def test_straightened_equals_dcm2niix(tilted: Path, tmp_path: Path) -> None:
    """Its volume is sheared back slice by slice; ours is resampled onto its grid."""
    import dcm2niix

    command = [dcm2niix.bin, "-z", "n", "-f", "x", "-o", str(tmp_path), str(tilted)]
    subprocess.run(command, check=True, capture_output=True)
    theirs = nib.load(next(tmp_path.glob("*Tilt*.nii")))
    voxels = np.moveaxis(np.asanyarray(theirs.dataobj), (0, 1, 2), (2, 1, 0))
    grid = Grid(voxels.shape, Patient(theirs.affine))
    ours = resample(formats.read(tilted), grid=grid, order=1, fill=-1024)
    inside = (slice(4, -4), slice(60, -60), slice(20, -20))
    ours_in, theirs_in = ours.array[0][inside], voxels[inside].astype(np.float32)
    # It rounds positions to a part of a pixel and values to whole numbers
    assert np.median(np.abs(ours_in - theirs_in)) < 1
    assert np.corrcoef(ours_in.ravel()[::7], theirs_in.ravel()[::7])[0, 1] > 0.999
    axes = straight(formats.read(tilted)).geometry.affine[:3, :3]  # type: ignore[union-attr]
    assert abs(axes[:, 1] @ axes[:, 2]) < 1e-6


@pytest.fixture
def classic(tmp_path: Path) -> list[pydicom.Dataset]:
    """A small MR series, oblique, as highdicom's converter wants it."""
    source = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small.dcm"))
    row, column = np.array([0.8, 0.6, 0.0]), np.array([-0.36, 0.48, 0.8])
    series, study, frame = (generate_uid() for _ in range(3))
    slices = []
    for k in range(4):
        data = pydicom.Dataset()
        data.update(source)
        data.file_meta = source.file_meta
        data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = (
            series,
            study,
            frame,
        )
        data.SOPInstanceUID, data.InstanceNumber = generate_uid(), k + 1
        corner = np.array([10.0, -20.5, 3.25]) + 2.5 * k * np.cross(row, column)
        data.ImagePositionPatient = [round(float(v), 6) for v in corner]
        data.ImageOrientationPatient = [*row, *column]
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
        data.SliceThickness, data.RescaleSlope, data.RescaleIntercept = 2.5, 1 + k, -k
        pixels = np.roll(source.pixel_array, 5 * k, axis=1)
        pixels[0, -1] = 900 + k
        data.PixelData = pixels.tobytes()
        path = tmp_path / "classic" / f"{k}.dcm"
        path.parent.mkdir(exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        slices.append(pydicom.dcmread(path))
    return slices


def enhanced_of(classic: list[pydicom.Dataset]) -> pydicom.Dataset:
    """The same slices in one enhanced file, by highdicom."""
    from highdicom.legacy import LegacyConvertedEnhancedMRImage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what the old files lack
        return LegacyConvertedEnhancedMRImage(
            classic, series_instance_uid=generate_uid(), series_number=2,
            sop_instance_uid=generate_uid(), instance_number=1,
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # the converter's, about what the old file lacks
def test_an_enhanced_file_equals_the_series_it_was_made_of(
    classic: list[pydicom.Dataset], tmp_path: Path
) -> None:
    enhanced = enhanced_of(classic)
    enhanced.save_as(tmp_path / "enhanced.dcm")
    ours, theirs = formats.read(tmp_path / "enhanced.dcm"), formats.read(tmp_path / "classic")
    assert ours.shape == theirs.shape == (1, 4, 64, 64)
    np.testing.assert_array_equal(ours.array, theirs.array)
    assert isinstance(ours.geometry, Patient)
    assert isinstance(theirs.geometry, Patient)
    np.testing.assert_allclose(ours.geometry.affine, theirs.geometry.affine, atol=1e-6)
    part = formats.open(tmp_path / "enhanced.dcm").slab(1, 3)
    np.testing.assert_array_equal(part.array, theirs.array[:, 1:3])


@pytest.mark.filterwarnings("ignore")
def test_two_stacks_of_an_enhanced_file_are_two_images(
    classic: list[pydicom.Dataset], tmp_path: Path
) -> None:
    enhanced = enhanced_of(classic)
    lower = [list(data.ImagePositionPatient) for data in classic[:2]]
    for item in enhanced.PerFrameFunctionalGroupsSequence:
        below = list(item.PlanePositionSequence[0].ImagePositionPatient) in lower
        item.FrameContentSequence[0].StackID = "1" if below else "2"
    path = tmp_path / "enhanced.dcm"
    enhanced.save_as(path)
    found = formats.find(path)
    assert [one.member for one in found] == ["0", "1"]
    whole = formats.read(tmp_path / "classic").array
    read = [formats.read(one).array for one in found]
    halves = [whole[:, :2], whole[:, 2:]]
    halves = halves if read[0][0, 0, 0, 0] == whole[0, 0, 0, 0] else halves[::-1]
    np.testing.assert_array_equal(read, halves)
    again = Source(str(tmp_path), (path.name,), "1")
    np.testing.assert_array_equal(formats.read(again).array, halves[1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lost", ["group", "place"])
def test_an_enhanced_file_that_lacks_a_place_is_refused(
    classic: list[pydicom.Dataset], tmp_path: Path, lost: str
) -> None:
    enhanced = enhanced_of(classic)
    if lost == "group":
        del enhanced.PerFrameFunctionalGroupsSequence[2]
    else:
        del enhanced.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    enhanced.save_as(tmp_path / "enhanced.dcm")
    with pytest.raises(GeometryError, match="3 places"):
        formats.read(tmp_path / "enhanced.dcm")
