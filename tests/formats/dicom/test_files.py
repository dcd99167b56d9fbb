"""Real DICOM files, judged by pydicom's own pixel pipeline and by SimpleITK (GDCM)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)
from pydicom.pixels import apply_rescale
from pydicom.pixels.processing import apply_color_lut

from hounsfield import formats, interop
from hounsfield.errors import FormatError
from hounsfield.geometry import Patient
from hounsfield.image import Image

DATA = Path(pydicom.__file__).parent / "data"
FILES = sorted(
    path
    for folder in ("test_files", "charset_files", "palettes")
    for path in (DATA / folder).rglob("*")
    if path.is_file()
    and path.suffix not in (".py", ".pyc", ".json", ".md", ".icc", ".dump", ".txt", ".gz")
    and "README" not in path.name
    and not path.name.startswith("IM0000")  # 50 copies without pixels
)

# name -> why it is refused
REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "compressed frame is",
    "MR_truncated.dcm": "promises",
    "badVR.dcm": "NumberOfFrames is not a number",
    "meta_missing_tsyntax.dcm": "Rows is missing",
    "nested_priv_SQ.dcm": "Rows is missing",
    "no_meta.dcm": "no known image format",  # its first byte is lost
    "rtplan_truncated.dcm": "ends inside an element",
}
# Codecs that pydicom has only with plug-ins: SimpleITK judges these alone.
NO_CODEC = ("JPEGLS", "_jls_", "jpeg_ls", "JPEG-lossy", "JPGExtended", "jpeg_gdcm", "TextGBR")


def refusal(path: Path) -> str | None:
    """What the refusal must say, or None for a file that must be read."""
    if path.name in REFUSED:
        return REFUSED[path.name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path, force=True)
    if "DirectoryRecordSequence" in data or path.name.startswith("DICOMDIR"):
        return "DICOMDIR"
    return None if "PixelData" in data else "without pixels"


def by_pydicom(path: Path) -> np.ndarray | None:
    """Physical values (C, Z, Y, X) by pydicom, or None where it has no decoder."""
    data = pydicom.dcmread(path, force=True)
    if any(part in path.name for part in NO_CODEC):
        return None
    pixels = data.pixel_array
    rows, columns = data.Rows, data.Columns
    if data.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(pixels, data) >> 8
        return np.moveaxis(colours.reshape(-1, rows, columns, 3), 3, 0)
    if data.get("SamplesPerPixel", 1) == 3:
        return np.moveaxis(pixels.reshape(-1, rows, columns, 3), 3, 0)
    if data.PhotometricInterpretation == "MONOCHROME1":
        pixels = (1 << data.BitsStored) - 1 - pixels
    if "DoseGridScaling" in data:
        pixels = pixels * float(data.DoseGridScaling)
    return apply_rescale(pixels, data).reshape(1, -1, rows, columns)


def by_itk(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    colour = shape[0] == 3
    return (np.moveaxis(pixels, -1, 0) if colour else pixels).reshape(shape)


@pytest.mark.filterwarnings("ignore")  # pydicom's, about the very faults these files have
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_equals_pydicom_or_is_refused_for_a_reason(path: Path) -> None:
    reason = refusal(path)
    if reason is not None:
        with pytest.raises(FormatError, match=reason) as caught:
            formats.read(path)
        assert caught.value.file == path
        return
    image, head = formats.read(path), formats.header(path)
    assert (head.shape, head.dtype) == (image.shape, image.array.dtype)
    theirs = by_pydicom(path)
    if theirs is None:
        theirs = by_itk(path, image.shape)
    if image.array.dtype.kind == "f":
        np.testing.assert_allclose(image.array, theirs, rtol=1e-6)
    else:
        np.testing.assert_array_equal(image.array, as_film(theirs, image))


def as_film(theirs: np.ndarray, image: Image) -> np.ndarray:
    """Frames that follow each other in time lie along C."""
    if image.channels[0].time is None or len(image.channels) == 1:
        return theirs
    return theirs.swapaxes(0, 1).reshape(image.shape)


def test_the_files_are_there() -> None:
    assert len(FILES) > 120
    assert sum(refusal(path) is None for path in FILES) > 80


def radiographs(folder: Path) -> list[Path]:
    return sorted((folder / "dicom-radiographs").glob("*.dcm"))


def test_radiographs_equal_itk(real_data: Path) -> None:
    """ITK too turns MONOCHROME1, so that bone is bright."""
    for path in radiographs(real_data)[::2]:
        assert pydicom.dcmread(path, stop_before_pixels=True).PhotometricInterpretation.endswith(
            "1"
        )
        image = formats.read(path)
        np.testing.assert_array_equal(image.array, by_itk(path, image.shape))
        assert formats.header(path).facts.view in ("PA", "AP")


def test_slices_lie_where_itk_puts_them(real_data: Path) -> None:
    """Every tenth slice of real MR and tilted CT: origin, directions and in-plane spacing."""
    files = [p for name in ("dicom-mr-nih/In", "dicom-ct-tilt/In")
             for p in sorted((real_data / name).rglob("*.dcm"))[::10]]  # fmt: skip
    seen = 0
    for path in files:
        head = formats.header(path)
        if not isinstance(head.geometry, Patient) or head.shape[1] > 1:
            continue  # ITK takes a mosaic for one slice
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        other = interop.from_sitk(reader.Execute()).geometry
        assert isinstance(other, Patient)
        ours, theirs = head.geometry.affine, other.affine
        np.testing.assert_allclose(ours[:3, [0, 1, 3]], theirs[:3, [0, 1, 3]], atol=2e-4)
        across = ours[:3, 2] / np.linalg.norm(ours[:3, 2])
        np.testing.assert_allclose(across, theirs[:3, 2] / np.linalg.norm(theirs[:3, 2]), atol=1e-4)
        seen += 1
    assert seen > 20


def test_slices_lie_in_the_volume_that_dcm2niix_made(real_data: Path) -> None:
    """At a slice's own world positions the reference volume holds the slice's values."""
    volume = formats.read(real_data / "dicom-mr-nih/Ref/DCM2NIIX_regression_test_4.nii.gz")
    files = sorted((real_data / "dicom-mr-nih/In/20180918GE/mr_0004").glob("*.dcm"))
    assert len(files) == 150
    for path in files[::11]:
        assert_lies_in(formats.read(path), volume)


def assert_lies_in(piece: Image, volume: Image) -> None:
    assert isinstance(piece.geometry, Patient)
    assert isinstance(volume.geometry, Patient)
    volume_from_piece = np.linalg.inv(volume.geometry.affine) @ piece.geometry.affine
    _, _, rows, columns = piece.shape
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    points = np.stack([x, y, np.zeros_like(x), np.ones_like(x)]).reshape(4, -1)
    exact = (volume_from_piece @ points)[:3]
    place = np.rint(exact).astype(int)
    np.testing.assert_allclose(exact, place, atol=1e-3)
    values = volume.array[:, place[2], place[1], place[0]].reshape(-1, rows, columns)
    assert any(np.array_equal(one, piece.array[0, 0]) for one in values)
