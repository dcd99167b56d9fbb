"""MetaImage against ITK: values, places, files of voxels; and headers that lie."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from bent import assert_bent_files_end_well, assert_cuts_are_refused

from hounsfield import formats, interop
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image

VALUES = np.arange(60, dtype="<i2").reshape(3, 4, 5) - 30  # (Z, Y, X)
PLACE = {
    "TransformMatrix": "0.8 0.6 0 -0.6 0.8 0 0 0 1", "Offset": "-11.5 7.25 40",
    "CenterOfRotation": "3 4 5", "ElementSpacing": "0.5 0.8 1.2", "AnatomicalOrientation": "RAI",
}  # fmt: skip


def meta(path: Path, data: bytes | None = None, **changed: str | None) -> Path:
    """A file of VALUES, or with other tags or data; a tag of None is left out."""
    tags: dict[str, str | None] = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", **PLACE,
        "DimSize": "5 4 3", "ElementType": "MET_SHORT",
    }  # fmt: skip
    tags |= {"ElementDataFile": "LOCAL"} | changed
    tags["ElementDataFile"] = tags.pop("ElementDataFile")  # always the last
    text = "".join(f"{key} = {value}\n" for key, value in tags.items() if value is not None)
    path.write_bytes(text.encode() + (VALUES.tobytes() if data is None else data))
    return path


def itk_affine(image: sitk.Image) -> np.ndarray:
    """ITK's (L, P, S) as voxel (x, y, z) to RAS; a fourth axis is left out."""
    n = image.GetDimension()
    affine = np.eye(4)
    steps = np.reshape(image.GetDirection(), (n, n)) * image.GetSpacing()
    affine[:3, :3], affine[:3, 3] = steps[:3, :3], image.GetOrigin()[:3]
    return np.diag([-1, -1, 1, 1]) @ affine


def assert_as_itk(path: Path) -> Image:
    theirs, ours, head = sitk.ReadImage(str(path)), formats.read(path), formats.header(path)
    values = sitk.GetArrayFromImage(theirs)
    if theirs.GetNumberOfComponentsPerPixel() > 1:
        values = np.moveaxis(values, -1, 0)
    np.testing.assert_array_equal(ours.array.reshape(values.shape), values)
    assert ours.array.dtype == values.dtype
    assert (head.shape, head.dtype) == (ours.shape, ours.array.dtype)
    assert isinstance(ours.geometry, Patient)
    np.testing.assert_allclose(ours.geometry.affine, itk_affine(theirs), atol=1e-12)
    return ours


@pytest.mark.parametrize("pixel", range(10))
@pytest.mark.parametrize("compressed", [False, True])
def test_what_itk_writes(tmp_path: Path, pixel: int, compressed: bool) -> None:
    kinds = "i1 u1 i2 u2 i4 u4 i8 u8 f4 f8".split()
    theirs = sitk.GetImageFromArray(VALUES.astype(kinds[pixel]))
    theirs.SetSpacing((0.5, 0.8, 1.2))
    theirs.SetOrigin((-11.5, 7.25, 40))
    theirs.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    for name in ("x.mha", "x.mhd"):
        sitk.WriteImage(theirs, str(tmp_path / name), useCompression=compressed)
        assert_as_itk(tmp_path / name)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"TransformMatrix": None, "Offset": None},
        {"ElementSpacing": None, "ElementSize": "0.5 0.8 1.2"},
        {"ElementSpacing": "-0.5 0.8 1.2"},
        {"Offset": None, "Position": "1 2 3"},
        {"TransformMatrix": None, "Orientation": "0 1 0 1 0 0 0 0 1"},
        {"BinaryDataByteOrderMSB": "True"},
        {"ElementByteOrderMSB": "True"},
        {"ElementType": "MET_USHORT"},
        {"ElementType": "MET_UCHAR", "DimSize": "5 4 6"},
        {"ElementType": "MET_LONG", "DimSize": "5 2 3"},
        {"ElementNumberOfChannels": "2", "DimSize": "5 2 3"},
    ],
)
def test_tags_as_itk(tmp_path: Path, changed: dict[str, str | None]) -> None:
    assert_as_itk(meta(tmp_path / "x.mha", **changed))


def test_four_axes(tmp_path: Path) -> None:
    data = np.arange(120, dtype="<i2")
    turn = "0.8 0.6 0 0 -0.6 0.8 0 0 0 0 1 0 0 0 0 1"
    path = meta(tmp_path / "x.mha", data.tobytes(), NDims="4", DimSize="5 4 3 2",
                TransformMatrix=turn, Offset="1 2 3 4", CenterOfRotation="0 0 0 0",
                ElementSpacing="0.5 0.8 1.2 2")  # fmt: skip
    np.testing.assert_array_equal(assert_as_itk(path).array, data.reshape(2, 3, 4, 5))
    turned = turn.replace("0 0 0 0 1", "0 0 0 1 0")
    with pytest.raises(GeometryError):
        formats.read(
            meta(tmp_path / "y.mha", data.tobytes(), NDims="4", DimSize="5 4 3 2",
                 TransformMatrix=turned, Offset="1 2 3 4", ElementSpacing="1 1 1 1")
        )  # fmt: skip


def test_a_flat_picture_is_a_plane(tmp_path: Path) -> None:
    bare = dict.fromkeys(PLACE)
    flat = bare | {"NDims": "2", "DimSize": "5 12"}
    path = meta(tmp_path / "x.mha", **(flat | {"ElementSpacing": "0.3 0.4"}))
    assert formats.read(path).geometry == Plane((0.3, 0.4))
    assert sitk.ReadImage(str(path)).GetSpacing() == (0.3, 0.4)
    assert formats.read(meta(tmp_path / "y.mha", **flat)).geometry is None
    assert formats.read(meta(tmp_path / "z.mha", **bare)).geometry is None


def test_numbers_in_words(tmp_path: Path) -> None:
    words = " ".join(map(str, VALUES.reshape(-1))).encode() + b"\n"
    path = meta(tmp_path / "x.mha", words, BinaryData="False")
    assert_as_itk(path)
    meta(path, words[:-4], BinaryData="False")
    with pytest.raises(FormatError, match="numbers"):
        formats.read(path)


def test_centimetres_intensities_and_modality(tmp_path: Path) -> None:
    scaling = {"ElementToIntensityFunctionSlope": "0.5", "ElementToIntensityFunctionOffset": "-3"}
    path = meta(tmp_path / "x.mha", DistanceUnits="cm", Modality="MET_MOD_CT", **scaling)
    image, head = formats.read(path), formats.header(path)
    assert image.spacing == pytest.approx((5, 8, 12))
    assert image.array.dtype == head.dtype == np.float32
    np.testing.assert_array_equal(image.array[0], VALUES * 0.5 - 3)
    assert head.modality == "CT"


def test_compressed_without_its_size(tmp_path: Path) -> None:
    path = meta(tmp_path / "x.mha", zlib.compress(VALUES.tobytes()), CompressedData="True")
    np.testing.assert_array_equal(formats.read(path).array[0], VALUES)


# ---- voxels in other files


@pytest.mark.parametrize("before", ["4", "-1"])
def test_detached_voxels_behind_a_head(tmp_path: Path, before: str) -> None:
    (tmp_path / "x.raw").write_bytes(b"head" + VALUES.tobytes())
    assert_as_itk(meta(tmp_path / "x.mhd", b"", HeaderSize=before, ElementDataFile="x.raw"))


@pytest.mark.parametrize("files", ["s%02d.raw 1 3 1", "LIST\ns01.raw\ns02.raw\ns03.raw",
                                   "LIST 2\ns01.raw\ns02.raw\ns03.raw", "s%02d.raw"])  # fmt: skip
def test_one_file_a_slice(tmp_path: Path, files: str) -> None:
    for z, plane in enumerate(VALUES):
        (tmp_path / f"s{z + 1:02d}.raw").write_bytes(plane.tobytes())
    path = meta(tmp_path / "x.mhd", b"", ElementDataFile=files)
    assert_as_itk(path)
    np.testing.assert_array_equal(formats.open(path).slab(1, 3).array[0], VALUES[1:])


@pytest.mark.parametrize(
    "name",
    ["../x.raw", "/etc/passwd", "a/x.raw", "..", "C:\\x.raw", "gone.raw", "LIST", "%s.raw 1 3 1",
     "s%d.raw 1 9999999999 1", "s%d.raw 1 3 0", ""],
)  # fmt: skip
def test_no_path_from_a_header_is_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "x.raw").write_bytes(VALUES.tobytes())
    path = meta(tmp_path / "in/x.mhd", b"", ElementDataFile=name)
    for ask in (formats.header, formats.read):
        with pytest.raises(FormatError) as caught:
            ask(path)
        assert caught.value.file == path


# ---- slabs and writing


def test_a_slab_of_a_huge_file_reads_little(tmp_path: Path) -> None:
    """Eight gigabytes, sparse: only the slab's pages are touched."""
    path = meta(tmp_path / "x.mha", b"", DimSize="2048 2048 1024")
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size + 2048 * 2048 * 1024 * 2)
    assert formats.open(path).slab(1000, 1001).shape == (1, 1, 2048, 2048)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_slab_keeps_its_place(tmp_path: Path, zipped: bool) -> None:
    data = zlib.compress(VALUES.tobytes()) if zipped else None
    path = meta(tmp_path / "x.mha", data, CompressedData=str(zipped))
    whole, part = formats.read(path), formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array, whole.array[:, 1:3])
    assert isinstance(part.geometry, Patient)
    assert isinstance(whole.geometry, Patient)
    np.testing.assert_allclose(
        part.geometry.affine @ [1, 2, 0, 1], whole.geometry.affine @ [1, 2, 1, 1]
    )
    framed = formats.read(Source(str(tmp_path), ("x.mha",), None, (1, 3)))
    np.testing.assert_array_equal(framed.array, part.array)


@pytest.mark.parametrize("dtype", "?bBhHiIqQfde")
def test_itk_reads_every_type_that_we_write(tmp_path: Path, oblique: Image, dtype: str) -> None:
    values = (oblique.array.astype(np.int64) % 100).astype(dtype)
    formats.write(Image(values, oblique.geometry), tmp_path / "x.mha")
    again = assert_as_itk(tmp_path / "x.mha")
    np.testing.assert_array_equal(again.array, values)
    assert isinstance(again.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, oblique.geometry.affine, atol=1e-14)


def test_channels_keep_their_meaning(tmp_path: Path, oblique: Image) -> None:
    channels = tuple(Channel(f"a long name {i}", "HU", time=i / 3) for i in range(40))
    array = np.concatenate([oblique.array + i for i in range(40)])
    formats.write(Image(array, oblique.geometry, channels), tmp_path / "x.mha")
    assert assert_as_itk(tmp_path / "x.mha").channels == channels
    picture = Image(oblique.array[:, :1], Plane((0.3, 0.4), "detector"))
    formats.write(picture, tmp_path / "y.mha")
    assert formats.read(tmp_path / "y.mha").geometry == picture.geometry
    colours = Image(np.repeat(oblique.array.astype(np.uint8), 3, 0), oblique.geometry, RGB)
    formats.write(colours, tmp_path / "z.mha")
    assert assert_as_itk(tmp_path / "z.mha").channels == RGB
    stack = Image(oblique.array, Plane((0.3, 0.4)))
    formats.write(stack, tmp_path / "w.mha")
    assert formats.read(tmp_path / "w.mha").geometry == stack.geometry


# ---- damage


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"DimSize": "5 4 3000"}, "promises"),
        ({"DimSize": "99999999 99999999 99999999"}, "promises"),
        ({"DimSize": "5 4 0"}, "DimSize"),
        ({"DimSize": "5 4 -3"}, "DimSize"),
        ({"DimSize": "5 4"}, "DimSize"),
        ({"NDims": "99"}, "NDims"),
        ({"ElementType": "MET_STRING"}, "MET_STRING"),
        ({"ElementNumberOfChannels": "0"}, "channels"),
        ({"ElementNumberOfChannels": "x"}, "whole number"),
        ({"HeaderSize": "-7"}, "HeaderSize"),
        ({"HeaderSize": "99999999"}, "promises"),
        ({"": "SMITH^JOHN"}, "line 1[0-9] of the header is no tag"),
        ({"Offset": "1 2 3", "Origin": "1 2 4"}, "Offset and Origin"),
        ({"ElementDataFile": None}, "no tag|ElementDataFile"),
        ({"hounsfield0": '{"time":[1,2]}'}, "remark"),
    ],
)
def test_lying_tags_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        formats.read(meta(tmp_path / "x.mha", **changed))
    assert "SMITH" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.mha", "x.mhd"])
def test_what_itk_knows_of_dicom_is_passed_over(tmp_path: Path, name: str) -> None:
    """SimpleITK writes an image's metadata as tags, the patient's name among them."""
    theirs = sitk.GetImageFromArray(VALUES)
    theirs.SetMetaData("0010|0010", "SMITH^JOHN")
    theirs.SetMetaData("0018|1030", "T1 = fast")
    theirs.SetMetaData("My note", "SMITH")
    sitk.WriteImage(theirs, tmp_path / name)
    assert b"SMITH^JOHN" in (tmp_path / name).read_bytes()
    image = formats.read(tmp_path / name)
    np.testing.assert_array_equal(image.array[0], VALUES)
    assert "SMITH" not in repr((image.stored, image.channels, formats.header(tmp_path / name)))


@pytest.mark.parametrize(
    "changed",
    [
        {"TransformMatrix": "1 0 0 1 0 0 0 0 1"},
        {"TransformMatrix": "1 0 0 0 nan 0 0 0 1"},
        {"TransformMatrix": "1 0 0 0 1 0 0 0"},
        {"Offset": "1 2 inf"},
        {"Offset": "1 2"},
        {"ElementSpacing": "0.5 0 1.2"},
        {"ElementSpacing": "0.5 x 1.2"},
        {"DistanceUnits": "furlong"},
    ],
)
def test_a_wrong_place_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = meta(tmp_path / "x.mha", **changed)
    with pytest.raises(GeometryError) as caught:
        formats.read(path)
    assert caught.value.file == path


@pytest.mark.parametrize("zipped", [False, True])
def test_cut_and_bent_files(tmp_path: Path, zipped: bool) -> None:
    data = zlib.compress(VALUES.tobytes()) if zipped else None
    path = meta(tmp_path / "x.mha", data, CompressedData=str(zipped))
    whole = path.read_bytes()
    assert_cuts_are_refused(path, whole, range(1, len(whole), 5))
    assert_bent_files_end_well(path, whole, 200)


@pytest.mark.parametrize("name", ["x.mhd", "käse 2.mhd"])
def test_header_and_voxels_apart(oblique: Image, tmp_path: Path, name: str) -> None:
    formats.write(oblique, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {name, name.replace(".mhd", ".raw")}
    ours = formats.read(tmp_path / name)
    np.testing.assert_array_equal(ours.array, oblique.array)
    theirs = interop.from_sitk(sitk.ReadImage(str(tmp_path / name)))
    np.testing.assert_array_equal(theirs.array, oblique.array)
    assert isinstance(theirs.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(theirs.geometry.affine, oblique.geometry.affine, atol=1e-5)
