"""Every file that pydicom, nibabel and SimpleITK bring for their own tests.

Each is read as the reference library reads it, or refused with the reason that stands here. A
file of a new version of theirs without a line fails. (The values of pydicom's files:
`dicom/test_files.py`. SimpleITK's package brings none.)
"""

from __future__ import annotations

import gzip
from fnmatch import fnmatch
from itertools import permutations
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

from hounsfield import formats, interop
from hounsfield.errors import InputError
from hounsfield.geometry import Patient
from hounsfield.image import Image

NIBABEL, PYDICOM = (Path(package.__file__).parent for package in (nibabel, pydicom))
UNKNOWN = "no known image format"
PIXELS = "without pixels"
REFUSED = {  # nibabel's file -> why
    "*.gii": UNKNOWN,  # surfaces
    "*.gii.bz2": UNKNOWN,
    "*.gii.gz": UNKNOWN,
    "gifti/tests/data/external.dat": UNKNOWN,
    "*.trk": UNKNOWN,  # fibre tracts
    "*.tck": UNKNOWN,
    "*.PAR": UNKNOWN,  # Philips PAR/REC
    "*.REC": UNKNOWN,
    "*.HEAD": UNKNOWN,  # AFNI
    "*.BRIK": UNKNOWN,
    "*.BRIK.gz": UNKNOWN,
    "*/tinypet.v": UNKNOWN,  # ECAT
    "*.nc": "no MINC image in this file",  # netCDF of another kind
    "*.bin": UNKNOWN,  # pieces of Siemens headers
    "*.bin.gz": UNKNOWN,
    "*.dcm.gz": UNKNOWN,
    "*.m": UNKNOWN,
    "*.txt": UNKNOWN,
    "*.rst": UNKNOWN,
    "*/.gitignore": UNKNOWN,
    "*/analyze.hdr": "voxels are not beside it",
    "*/nifti1.hdr": "voxels are not beside it",
    "*/nifti2.hdr": "voxels are not beside it",
    "*/row_major.dconn.nii": "CIFTI",  # a matrix of connections in NIfTI's clothes
    "*/minc2_baddim.mnc": "says that it has 642 samples",
    "*/[01].dcm": "a mosaic of 256×256 pixels that says it has 48 slices",  # cut to a corner
    "nicom/tests/data/csa_slice_norm.dcm": PIXELS,
}
REFUSED_DICOM = {  # pydicom's file -> why; the last line that fits holds
    "*.txt": UNKNOWN,
    "*.md": UNKNOWN,
    "*.json": UNKNOWN,
    "*.icc": UNKNOWN,
    "*.dump": UNKNOWN,
    "*.gz": UNKNOWN,
    "*/README": UNKNOWN,
    "*/DICOMDIR*": "a DICOMDIR, a list of files",
    "*/IM0000*": PIXELS,
    "palettes/*.dcm": "without pixels: Color Palette Storage",
    "charset_files/chrJapMulti*": PIXELS,
    "charset_files/chrKoreanMulti.dcm": PIXELS,
    "charset_files/chrSQ*": PIXELS,
    "*/ExplVR_*NoMeta.dcm": "without pixels: RT Ion Plan Storage",
    "*/JPEG2000-embedded-sequence-delimiter.dcm": "compressed frame is 1024×3722445056",
    "*/MR_truncated.dcm": "promises 1×1×64×64 int16 = 8,192 bytes, the file has 8,130",
    "*/UN_sequence.dcm": PIXELS,
    "*/badVR.dcm": "NumberOfFrames is not a number",
    "*/empty_charset_LEI.dcm": PIXELS,
    "*/meta_missing_tsyntax.dcm": "Rows is missing",
    "*/nested_priv_SQ.dcm": "Rows is missing",
    "*/no_meta.dcm": UNKNOWN,  # its first byte is lost
    "*/no_meta_group_length.dcm": PIXELS,
    "*/priv_SQ.dcm": PIXELS,
    "*/reportsi*.dcm": "without pixels: Basic Text SR Storage",
    "*/rtplan.dcm": "without pixels: RT Plan Storage",
    "*/rtplan_truncated.dcm": "ends inside an element",
    "*/rtstruct.dcm": "without pixels: RT Structure Set Storage",
    "*/test-SR.dcm": "without pixels: Comprehensive SR Storage",
    "*/waveform_ecg.dcm": "without pixels: 12-lead ECG Waveform Storage",
}
WITHOUT_AFFINE = "*-no-att.mnc"  # nibabel makes one up


def files(root: Path, below: str) -> list[Path]:
    found = (path for path in sorted(root.glob(below)) if path.is_file())
    return [path for path in found if path.suffix not in (".py", ".pyc")]


NIBABELS = files(NIBABEL, "**/tests/data/**/*")
PYDICOMS = files(PYDICOM, "data/**/*")


def reason(path: Path, root: Path, table: dict[str, str]) -> str | None:
    """Why a file is refused, or None."""
    name = str(path.relative_to(root))
    fits = [why for pattern, why in table.items() if fnmatch(name, pattern)]
    return fits[-1] if fits else None


def test_the_files_are_there() -> None:
    assert len(NIBABELS) > 110
    assert len(PYDICOMS) > 200
    assert files(Path(sitk.__file__).parent, "**/*.[mn]*") == []


@pytest.mark.parametrize("table", [REFUSED, REFUSED_DICOM], ids=["nibabel", "pydicom"])
def test_no_line_is_of_no_file(table: dict[str, str]) -> None:
    root, paths = (NIBABEL, NIBABELS) if table is REFUSED else (PYDICOM / "data", PYDICOMS)
    names = [str(path.relative_to(root)) for path in paths]
    assert [line for line in table if not any(fnmatch(name, line) for name in names)] == []


@pytest.mark.filterwarnings("ignore")  # the references', about the faults these files have
@pytest.mark.parametrize("path", NIBABELS, ids=lambda path: str(path.relative_to(NIBABEL)))
def test_nibabels_file(path: Path) -> None:
    why = reason(path, NIBABEL, REFUSED)
    if why is not None:
        with pytest.raises(InputError, match=why):
            formats.read(path)
        return
    image = formats.read(path)
    if path.suffix == ".dcm":
        assert_in_plane_as_itk(path, image)
        return
    theirs = nibabel.load(path)
    values = np.asanyarray(theirs.dataobj)
    if path.suffix == ".mnc":
        assert_as_minc(image, values, theirs.affine, path)
        return
    voxels = values.reshape(*values.shape[:3], -1, order="F")
    np.testing.assert_allclose(image.array, np.transpose(voxels, (3, 2, 1, 0)), rtol=1e-6)
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, theirs.affine, atol=1e-6)


def assert_as_minc(image: Image, values: np.ndarray, affine: np.ndarray, path: Path) -> None:
    """The same voxels at the same places; nibabel keeps the axes in the order of the file."""
    volumes = values.reshape(-1, *values.shape[-3:])
    if fnmatch(path.name, WITHOUT_AFFINE):
        np.testing.assert_allclose(image.array, volumes, rtol=1e-6)
        return
    assert isinstance(image.geometry, Patient)
    for order in permutations(range(3)):  # ours (x, y, z) are their axes
        columns = affine[:, [*order, 3]]
        if np.allclose(image.geometry.affine, columns, atol=1e-6):
            theirs = np.transpose(volumes, [0, *(1 + axis for axis in order[::-1])])
            np.testing.assert_allclose(image.array, theirs, rtol=1e-6)
            return
    raise AssertionError(f"{image.geometry.affine}\n{affine}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", PYDICOMS, ids=lambda path: str(path.relative_to(PYDICOM)))
def test_pydicoms_file_lies_where_itk_puts_it(path: Path) -> None:
    why = reason(path, PYDICOM / "data", REFUSED_DICOM)
    if why is not None:
        with pytest.raises(InputError, match=why):
            formats.read(path)
        return
    head = formats.header(path)
    if isinstance(head.geometry, Patient):
        assert_in_plane_as_itk(path, formats.read(path))


def assert_in_plane_as_itk(path: Path, image: Image) -> None:
    """First voxel, rows, columns and normal; ITK takes 1 mm for a slice of unsaid thickness."""
    if not isinstance(image.geometry, Patient):
        return
    theirs = sitk.ReadImage(str(path))
    other = interop.from_sitk(theirs).geometry
    assert isinstance(other, Patient)
    ours, itks = image.geometry.affine, other.affine
    # ITK makes the directions of a header of few digits orthogonal.
    np.testing.assert_allclose(ours[:3, [0, 1, 3]], itks[:3, [0, 1, 3]], atol=2e-5)
    across = [affine[:3, 2] / np.linalg.norm(affine[:3, 2]) for affine in (ours, itks)]
    np.testing.assert_allclose(*across, atol=1e-4)
    if theirs.GetDepth() > 1:
        np.testing.assert_allclose(ours, itks, atol=1e-4)


@pytest.mark.parametrize("name", ["siemens_dwi_0", "siemens_dwi_1000", "philips_mprage"])
@pytest.mark.filterwarnings("ignore")
def test_nibabels_zipped_dicom(name: str, tmp_path: Path) -> None:
    """Mosaics and an enhanced file, against nibabel's own DICOM reader."""
    path = tmp_path / "x.dcm"
    path.write_bytes(gzip.decompress((NIBABEL / f"nicom/tests/data/{name}.dcm.gz").read_bytes()))
    from nibabel.nicom.dicomwrappers import wrapper_from_file  # warns that it is experimental

    image, theirs = formats.read(path), wrapper_from_file(path)
    assert isinstance(image.geometry, Patient)
    # nibabel's voxels are (row, column, slice) in DICOM's LPS
    affine = np.diag([-1, -1, 1, 1]) @ theirs.affine[:, [1, 0, 2, 3]]
    values = np.transpose(theirs.get_data(), (2, 0, 1))
    if affine[:3, 2] @ image.geometry.affine[:3, 2] < 0:  # it counts the slices from the other end
        affine[:3, 3] += affine[:3, 2] * (len(values) - 1)
        affine[:3, 2] *= -1
        values = values[::-1]
    np.testing.assert_allclose(image.array[0], values, rtol=1e-6)
    corner = np.array([0, 0, len(values) - 1, 1])
    np.testing.assert_allclose(image.geometry.affine @ corner, affine @ corner, atol=2e-3)
    np.testing.assert_allclose(image.geometry.affine, affine, atol=2e-3)
