"""NIfTI against nibabel: values, affines, units; and headers that lie."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Source
from hounsfield.formats.nifti.fields import DATATYPES
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image

DATA = Path(nib.__file__).parent / "tests/data"
FILES = sorted(DATA.glob("*.nii*"))


def flat(values: np.ndarray) -> np.ndarray:
    """nibabel's (x, y, z, t, u, …) as our (C, Z, Y, X)."""
    values = values.reshape(values.shape + (1,) * (3 - values.ndim))
    return np.moveaxis(
        values.reshape((*values.shape[:3], -1), order="F"), (0, 1, 2, 3), (3, 2, 1, 0)
    )


def assert_as_nibabel(path: Path) -> None:
    theirs = nib.load(path)
    image, head = formats.read(path), formats.header(path)
    assert (head.shape, head.dtype) == (image.shape, image.array.dtype)
    np.testing.assert_allclose(image.array, flat(np.asarray(theirs.dataobj)), rtol=1e-6)
    if isinstance(image.geometry, Patient):
        np.testing.assert_allclose(image.geometry.affine, theirs.affine, atol=1e-12)
    else:  # one slice without orientation has no affine of its own
        assert theirs.header["sform_code"] == theirs.header["qform_code"] == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nibabels_own_files(path: Path) -> None:
    if ".dconn." in path.name:  # surface points, which have no grid
        with pytest.raises(FormatError, match="CIFTI"):
            formats.header(path)
        return
    assert_as_nibabel(path)


def test_the_files_are_there() -> None:
    assert len(FILES) >= 8


def test_real_volumes(real_data: Path) -> None:
    references = sorted((real_data / "dicom-mr-nih/Ref").glob("*.nii.gz"))[:2]
    for path in [*references, *sorted((real_data / "hippocampus").rglob("hipp*.nii.gz"))[:6]]:
        assert_as_nibabel(path)


@pytest.mark.parametrize("name", ["nifti1.hdr", "nifti2.hdr"])
def test_the_header_of_a_pair_without_its_voxels_is_refused(name: str) -> None:
    with pytest.raises(FormatError, match=r"voxels are not beside it\n.*nifti[12]\.img"):
        formats.read(DATA / name)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", DATATYPES)
def test_every_type_in_both_orders(tmp_path: Path, version: int, order: str, code: int) -> None:
    path = tmp_path / "x.nii"
    kind = nib.nifti1.data_type_codes.dtype[code]
    values = np.zeros((5, 4, 3), kind)
    raw = np.random.default_rng(code).integers(0, 100, values.size * DATATYPES[code][1])
    values[:] = raw.astype(DATATYPES[code][0]).view(kind).reshape(values.shape)
    image_type = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = image_type.header_class(endianness=order)
    header.set_data_dtype(kind)
    image_type(values, np.diag([2, 3, 4, 1]), header).to_filename(path)
    image = formats.read(path)
    numbers = np.asarray(nib.load(path).dataobj)
    if numbers.dtype.names:
        expected = np.stack([numbers[name].T for name in "RGB"])
    elif numbers.dtype.kind == "c":
        expected = np.stack([numbers.real.T, numbers.imag.T])
    else:
        expected = numbers.T[None]
    np.testing.assert_array_equal(image.array, expected)
    assert formats.header(path).shape == image.shape


@given(
    quatern=st.tuples(*[st.floats(-1, 1)] * 3),
    sizes=st.tuples(*[st.floats(0.1, 5)] * 3),
    shift=st.tuples(*[st.floats(-200, 200)] * 3),
    handed=st.sampled_from([-1.0, 1.0, 0.0]),
    codes=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_affine_is_nibabels(
    tmp_path: Path, quatern: Any, sizes: Any, shift: Any, handed: float, codes: tuple[int, int]
) -> None:
    length = max(1.0, float(np.linalg.norm(quatern)))
    header = nib.Nifti1Header()
    header.set_data_shape((5, 4, 3))
    header.set_data_dtype(np.uint8)
    header["pixdim"][:4] = (handed, *sizes)
    for name, value in zip("bcd", quatern, strict=True):
        header[f"quatern_{name}"] = value / length
    for name, value in zip("xyz", shift, strict=True):
        header[f"qoffset_{name}"] = value
    sheared = np.array([[1, 0.2, 0, 5], [0, 2, 0.1, 6], [0.3, 0, -3, 7]], np.float32)
    for name, row in zip("xyz", sheared, strict=True):
        header[f"srow_{name}"] = row
    header["sform_code"], header["qform_code"] = codes
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = tmp_path / "x.nii"
    path.write_bytes(header.binaryblock + b"\0\0\0\0" + bytes(60))
    geometry = formats.header(path).geometry
    assert isinstance(geometry, Patient)
    np.testing.assert_allclose(geometry.affine, nib.load(path).affine, atol=1e-4)


def test_units_become_millimetres_and_seconds(tmp_path: Path) -> None:
    other = nib.Nifti1Image(np.zeros((5, 4, 3, 2), np.int16), np.diag([200.0, 300, 400, 1]))
    other.header.set_xyzt_units("micron", "msec")
    other.header["pixdim"][4] = 2500
    other.to_filename(tmp_path / "x.nii")
    image = formats.read(tmp_path / "x.nii")
    assert image.spacing == pytest.approx((0.2, 0.3, 0.4))
    assert [channel.time for channel in image.channels] == [0, 2.5]


def test_volumes_without_a_unit_of_time_have_no_times(tmp_path: Path) -> None:
    """Contrasts and directions along the fourth axis: most writers leave a step of 1 there."""
    other = nib.Nifti1Image(np.zeros((5, 4, 3, 4), np.int16), np.eye(4))
    assert other.header["pixdim"][4] == 1
    other.to_filename(tmp_path / "x.nii")
    assert {channel.time for channel in formats.read(tmp_path / "x.nii").channels} == {None}


def test_forms_that_disagree_are_told(tmp_path: Path) -> None:
    other = nib.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.diag([2.0, 3, 4, 1]))
    moved = np.diag([2.0, 3, 4, 1])
    moved[:3, 3] = (0, 6, 8)
    other.set_qform(moved, 1)
    other.to_filename(tmp_path / "x.nii")
    assert formats.read(tmp_path / "x.nii").stored["sform_qform_apart_mm"] == pytest.approx(10)
    assert "10 mm apart" in (formats.header(tmp_path / "x.nii").facts.stored or "")


@pytest.mark.parametrize(
    ("kind", "slope", "inter", "expected"),
    [
        ("u1", 2, -10, "int16"),
        ("i2", 0.5, 0, "float32"),
        ("i2", 0, 7, "int16"),
        ("i2", float("nan"), 0, "int16"),
        ("i4", 0.5, 0, "float64"),
    ],
)
def test_scaling(tmp_path: Path, kind: str, slope: float, inter: float, expected: str) -> None:
    values = np.arange(60).reshape(5, 4, 3).astype(kind)
    nib.Nifti1Image(values, np.eye(4)).to_filename(tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()
    (tmp_path / "x.nii").write_bytes(data)
    image = formats.read(tmp_path / "x.nii")
    assert image.array.dtype == expected
    np.testing.assert_array_equal(
        image.array, flat(np.asarray(nib.load(tmp_path / "x.nii").dataobj))
    )


def test_one_slice_without_orientation_is_a_plane(tmp_path: Path) -> None:
    other = nib.Nifti1Image(np.zeros((5, 4), np.uint8), None)
    other.header.set_zooms((0.3, 0.4))
    other.to_filename(tmp_path / "x.nii")
    geometry = formats.read(tmp_path / "x.nii").geometry
    assert isinstance(geometry, Plane)
    assert geometry.spacing == pytest.approx((0.3, 0.4))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((0.3, 0.4, 0), Plane((0.3, 0.4))), ((0, 0, 0), None), ((0, 0.4, 1.2), None)],
)
def test_no_millimetres_are_made_up(tmp_path: Path, sizes: Any, expected: Plane | None) -> None:
    other = nib.Nifti1Image(np.zeros((5, 4, 3), np.uint8), None)
    other.to_filename(tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    data[80:92] = np.array(sizes, "<f4").tobytes()
    data[252:256] = bytes(4)
    (tmp_path / "x.nii").write_bytes(data)
    assert formats.header(tmp_path / "x.nii").geometry == expected


@pytest.mark.parametrize("geometry", [None, Plane((0.3, 0.4), "detector")])
def test_slices_without_a_place_come_back_so(tmp_path: Path, geometry: Plane | None) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(1, 3, 4, 5)
    formats.write(Image(array, geometry), tmp_path / "x.nii")
    back = formats.read(tmp_path / "x.nii")
    assert back.geometry == geometry
    np.testing.assert_array_equal(back.array, array)


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 1.0), (float("nan"), 0.0, 0.0)])
def test_a_bad_qform_that_is_not_used_does_not_matter(
    tmp_path: Path, oblique: Image, wrong: tuple[float, ...]
) -> None:
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    data[256:268] = np.array(wrong, "<f4").tobytes()
    path.write_bytes(data)
    image = formats.read(path)
    assert isinstance(image.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, oblique.geometry.affine, atol=1e-5)
    assert image.stored["sform_qform_apart_mm"] is None


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_slab_keeps_its_place(tmp_path: Path, oblique: Image, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    formats.write(oblique, path)
    part = formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array, oblique.array[:, 1:3])
    assert isinstance(part.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(
        part.geometry.affine @ [1, 2, 0, 1], oblique.geometry.affine @ [1, 2, 1, 1], atol=1e-5
    )
    framed = formats.read(Source(str(path.parent), (path.name,), None, (1, 3)))
    np.testing.assert_array_equal(framed.array, part.array)


def test_a_slab_of_a_huge_file_reads_little(tmp_path: Path) -> None:
    """Eight gigabytes, sparse: only the slab's pages are touched."""
    path = tmp_path / "huge.nii"
    header = nib.Nifti1Header()
    header.set_data_shape((2048, 2048, 1024))
    header.set_data_dtype(np.int16)
    header["magic"], header["vox_offset"], header["sform_code"] = b"n+1", 352, 1
    header["srow_x"], header["srow_y"], header["srow_z"] = np.eye(4)[:3]
    with path.open("wb") as file:
        file.write(header.binaryblock)
        file.truncate(352 + 2048 * 2048 * 1024 * 2)
    assert formats.open(path).slab(1000, 1001).shape == (1, 1, 2048, 2048)


def test_nibabel_reads_what_we_write(tmp_path: Path, oblique: Image) -> None:
    path = tmp_path / "x.nii.gz"
    formats.write(oblique, path)
    theirs = nib.load(path)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_array_equal(np.asarray(theirs.dataobj), oblique.array[0].T)
    np.testing.assert_allclose(theirs.get_sform(), oblique.geometry.affine, atol=1e-5)
    np.testing.assert_allclose(theirs.get_qform(), oblique.geometry.affine, atol=1e-4)
    assert theirs.get_data_dtype() == np.int16


def test_a_mirrored_and_a_sheared_affine_are_written(tmp_path: Path, oblique: Image) -> None:
    assert isinstance(oblique.geometry, Patient)
    for change, qform in ((np.diag([1.0, 1, -1, 1]), 1), (np.eye(4) + np.eye(4, k=1) * 0.3, 0)):
        change[:3, 3] = 0
        affine = oblique.geometry.affine @ change
        formats.write(Image(oblique.array, Patient(affine)), tmp_path / "x.nii")
        theirs = nib.load(tmp_path / "x.nii")
        np.testing.assert_allclose(theirs.affine, affine, atol=1e-5)
        assert theirs.header["qform_code"] == qform
        if qform:
            np.testing.assert_allclose(theirs.get_qform(), affine, atol=1e-4)


def test_long_axes_become_nifti_2(tmp_path: Path) -> None:
    formats.write(Image.from_numpy(np.zeros((1, 40000), np.uint8)), tmp_path / "x.nii")
    assert isinstance(nib.load(tmp_path / "x.nii"), nib.Nifti2Image)
    assert formats.read(tmp_path / "x.nii").shape == (1, 1, 1, 40000)


def test_the_same_image_gives_the_same_bytes(tmp_path: Path, oblique: Image) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        formats.write(oblique, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("start", "value", "message"),
    [
        (40, (9).to_bytes(2, "little"), "dim"),
        (42, (-3).to_bytes(2, "little", signed=True), "dim"),
        (42, (32000).to_bytes(2, "little"), "promises"),
        (70, (1234).to_bytes(2, "little"), "datatype"),
        (108, np.float32(12).tobytes(), "vox_offset"),
        (108, np.float32("nan").tobytes(), "vox_offset"),
    ],
)
def test_lying_fields_are_refused(
    tmp_path: Path, oblique: Image, start: int, value: bytes, message: str
) -> None:
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    data[start : start + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        formats.read(path)


@pytest.mark.parametrize("size", [1e-20, 1e30])
def test_a_place_beyond_all_bounds_is_refused(tmp_path: Path, oblique: Image, size: float) -> None:
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    srow = np.zeros((3, 4), "<f4")
    np.fill_diagonal(srow, size)
    data[280:328] = srow.tobytes()
    path.write_bytes(data)
    with pytest.raises(GeometryError) as caught:
        formats.header(path)
    assert caught.value.file == path


@pytest.mark.parametrize("bits", [0x7F800001, 0x7FC00000, 0x7F800000])
def test_an_affine_that_is_not_finite_is_refused_alone(
    tmp_path: Path, oblique: Image, bits: int
) -> None:
    """A signalling NaN, a quiet one and infinity: no warning comes with the error."""
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    data[280:284] = bits.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(GeometryError, match="finite"):
        formats.read(path)


def test_a_singular_affine_is_refused(tmp_path: Path, oblique: Image) -> None:
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    data[280:296] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(GeometryError, match="singular"):
        formats.read(path)


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nii.gz"
    noise = np.random.default_rng(0).integers(0, 256, (30, 256, 256)).astype(np.uint8)
    formats.write(Image.from_numpy(noise), path)
    whole = gzip.decompress(path.read_bytes())
    zipped = bytearray(gzip.compress(whole, 1))
    zipped[-5] ^= 1  # the check sum
    path.write_bytes(zipped)
    with pytest.raises(FormatError):
        formats.read(path)


@pytest.mark.parametrize(
    ("code", "why"), [(0, "not said"), (1, "one bit"), (1536, "128-bit"), (2048, "256-bit")]
)
def test_types_that_are_not_read_say_why(
    tmp_path: Path, oblique: Image, code: int, why: str
) -> None:
    path = tmp_path / "x.nii"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes())
    data[70:72] = code.to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(FormatError, match=why):
        formats.header(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8", "i8"])
def test_scaled_values_are_exact_in_one_buffer(tmp_path: Path, kind: str, order: str) -> None:
    """More than one block of numbers, scaled where they lie: slope × stored + intercept."""
    stored = np.random.default_rng(3).integers(0, 250, (3, 250, 301)).astype(order + kind)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_shape(stored.T.shape)
    header.set_data_dtype(stored.dtype)
    header.set_slope_inter(0.5, -3)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = tmp_path / "x.nii"
    path.write_bytes(header.binaryblock + bytes(4) + stored.tobytes())
    image = formats.read(path)
    np.testing.assert_array_equal(image.array[0], stored.astype(np.float64) * 0.5 - 3)
    part = formats.open(path).slab(1, 2)
    np.testing.assert_array_equal(part.array, image.array[:, 1:2])


def test_a_value_too_large_for_its_type_is_refused(tmp_path: Path) -> None:
    nib.Nifti1Image(np.full((5, 4, 3), 1e30, np.float32), np.eye(4)).to_filename(tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    data[112:116] = np.float32(1e30).tobytes()
    (tmp_path / "x.nii").write_bytes(data)
    with pytest.raises(FormatError, match="overflow"):
        formats.read(tmp_path / "x.nii")
