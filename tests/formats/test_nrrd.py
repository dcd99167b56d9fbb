"""NRRD against ITK: values, places, axes of every kind; and headers that lie."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from bent import assert_bent_files_end_well, assert_cuts_are_refused

from hounsfield import formats, interop
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Source
from hounsfield.formats.nrrd.fields import TYPES
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image

VALUES = np.arange(60, dtype="<i2").reshape(3, 4, 5) - 30  # (Z, Y, X)
OBLIQUE = (
    "space: {space}\nspace directions: (0.4,0.1,0.2) (-0.3,0.7,0) (0.1,-0.2,1.2)\n"
    "space origin: (-11.5,7.25,40)\n"
)
ENCODED = {
    "raw": VALUES.tobytes(),
    "gzip": gzip.compress(VALUES.tobytes()),
    "bzip2": bz2.compress(VALUES.tobytes()),
    "hex": VALUES.tobytes().hex().encode() + b"\n",
    "ascii": b"\n".join(b" ".join(b"%d" % v for v in row) for row in VALUES.reshape(-1, 5)) + b"\n",
}


def nrrd(path: Path, fields: str = "", data: bytes | None = None, **changed: str) -> Path:
    """A file of VALUES, or with other fields or data."""
    basic = {"type": "short", "dimension": "3", "sizes": "5 4 3", "endian": "little"}
    lines = [f"{key}: {value}\n" for key, value in (basic | {"encoding": "raw"} | changed).items()]
    text = "NRRD0005\n# a comment\n" + "".join(lines) + fields
    text += "" if "LIST" in fields else "\n"
    path.write_bytes(text.encode() + (ENCODED["raw"] if data is None else data))
    return path


def itk_affine(image: sitk.Image) -> np.ndarray:
    """ITK's (L, P, S) as voxel (x, y, z) to RAS."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine


def assert_as_itk(path: Path) -> Image:
    theirs, ours, head = sitk.ReadImage(str(path)), formats.read(path), formats.header(path)
    values = sitk.GetArrayFromImage(theirs)
    if theirs.GetNumberOfComponentsPerPixel() > 1:
        values = np.moveaxis(values, -1, 0)
    np.testing.assert_array_equal(ours.array.reshape(values.shape), values)
    assert (head.shape, head.dtype) == (ours.shape, ours.array.dtype)
    assert isinstance(ours.geometry, Patient)
    np.testing.assert_allclose(ours.geometry.affine, itk_affine(theirs), atol=1e-12)
    return ours


def test_real_volumes(real_data: Path) -> None:
    files = sorted((real_data / "nrrd").glob("*.nrrd"))
    assert len(files) == 4
    for path in files:
        assert_as_itk(path)


@pytest.mark.parametrize("space", ["RAS", "left-anterior-superior", "LPS"])
@pytest.mark.parametrize("encoding", ENCODED)
def test_every_space_and_encoding(tmp_path: Path, space: str, encoding: str) -> None:
    fields = OBLIQUE.format(space=space)
    path = nrrd(tmp_path / "x.nrrd", fields, ENCODED[encoding], encoding=encoding)
    if encoding in ("bzip2",):  # ITK is built without it
        np.testing.assert_array_equal(formats.read(path).array[0], VALUES)
        return
    assert_as_itk(path)


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed"])
def test_a_space_without_sides_is_told(tmp_path: Path, space: str) -> None:
    image = assert_as_itk(nrrd(tmp_path / "x.nrrd", OBLIQUE.format(space=space)))
    assert image.stored["orientation"] == "none"
    assert "taken as L, P, S" in (formats.header(tmp_path / "x.nrrd").facts.stored or "")


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("name", ["signed char", "uchar", "short", "uint16", "int", "uint",
                                  "long long int", "uint64_t", "float", "double"])  # fmt: skip
def test_every_type(tmp_path: Path, name: str, order: str) -> None:
    dtype = np.dtype((">" if order == "big" else "<") + TYPES[name])
    values = VALUES.astype(dtype)
    path = nrrd(tmp_path / "x.nrrd", OBLIQUE.format(space="LPS"), values.tobytes(),
                type=name, endian=order)  # fmt: skip
    image = assert_as_itk(path)
    assert image.array.dtype == dtype.newbyteorder("=")
    np.testing.assert_array_equal(image.array[0], values)


def test_real_numbers_in_words(tmp_path: Path) -> None:
    words = b"1.5 -inf, nan 1e-3"
    path = nrrd(tmp_path / "x.nrrd", "", words, type="double", dimension="2", sizes="2 2",
                encoding="txt")  # fmt: skip
    np.testing.assert_array_equal(formats.read(path).array[0, 0], [[1.5, -np.inf], [np.nan, 1e-3]])


def test_units_become_millimetres(tmp_path: Path) -> None:
    fields = OBLIQUE.format(space="RAS") + 'space units: "cm" "cm" "cm"\n'
    image = formats.read(nrrd(tmp_path / "x.nrrd", fields))
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine[:3, 0], [4, 1, 2])
    np.testing.assert_allclose(image.geometry.affine[:3, 3], [-115, 72.5, 400])
    with pytest.raises(GeometryError, match="furlong"):
        formats.read(nrrd(tmp_path / "y.nrrd", fields.replace('"cm"', '"furlong"')))


# ---- voxel sizes without a space


@pytest.mark.parametrize(
    "centers", ["", "centers: cell node cell\n", "centerings: node node node\n"]
)
def test_sizes_and_starts_as_itk(tmp_path: Path, centers: str) -> None:
    if centers.startswith("centerings"):
        centers = centers.replace("centerings", "centers")
    fields = "spacings: 0.5 0.8 1.2\naxis mins: 1 2 3\n" + centers
    assert assert_as_itk(nrrd(tmp_path / "x.nrrd", fields)).stored["orientation"] == "none"


def test_sizes_from_ends_need_centers(tmp_path: Path) -> None:
    ends = "axis mins: 0 0 0\naxis maxs: 5 6 6\n"
    assert formats.read(nrrd(tmp_path / "x.nrrd", ends)).geometry is None
    image = formats.read(nrrd(tmp_path / "y.nrrd", ends + "centers: cell node cell\n"))
    assert image.spacing == pytest.approx((1, 2, 2))
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine[:3, 3], [-0.5, 0, 1])


def test_no_millimetres_are_made_up(tmp_path: Path) -> None:
    assert formats.read(nrrd(tmp_path / "x.nrrd")).geometry is None
    flat = nrrd(tmp_path / "y.nrrd", "spacings: 0.3 0.4 nan\n")
    assert formats.read(flat).geometry == Plane((0.3, 0.4))


def test_a_slice_in_space_is_a_plane(tmp_path: Path) -> None:
    fields = "space: LPS\nspace directions: (0,0.3,0.4) (2,0,0)\nspace origin: (1,2,3)\n"
    path = nrrd(tmp_path / "x.nrrd", fields, dimension="2", sizes="5 12")
    assert formats.read(path).geometry == Plane((0.5, 2.0))
    skewed = fields.replace("(2,0,0)", "(2,1,0)")
    with pytest.raises(GeometryError, match="directions"):
        formats.read(nrrd(tmp_path / "y.nrrd", skewed, dimension="2", sizes="5 12"))


# ---- axes that are no place


@pytest.mark.parametrize("at", range(4))
def test_a_list_may_stand_anywhere(tmp_path: Path, at: int) -> None:
    values = np.arange(120, dtype="<i2").reshape(2, 3, 4, 5)
    steps = ["(0.4,0.1,0.2)", "(-0.3,0.7,0)", "(0.1,-0.2,1.2)"]
    kinds, sizes = ["domain"] * 3, [5, 4, 3]
    for row, one in ((steps, "none"), (kinds, "list"), (sizes, 2)):
        row.insert(at, one)  # type: ignore[attr-defined]
    fields = f"space: LPS\nspace directions: {' '.join(steps)}\nspace origin: (1,2,3)\n"
    fields += f"kinds: {' '.join(kinds)}\n"
    data = np.moveaxis(values, 0, 3 - at).tobytes()
    path = nrrd(tmp_path / "x.nrrd", fields, data, dimension="4", sizes=" ".join(map(str, sizes)))
    np.testing.assert_array_equal(assert_as_itk(path).array, values)


def test_colours_and_time(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5, dtype=np.uint8)
    fields = (
        'kinds: RGB-color domain domain time\nspacings: nan 0.5 0.8 2500\n'
        'units: "" "mm" "mm" "ms"\naxis mins: nan 0 0 100\n'
    )  # fmt: skip
    path = nrrd(tmp_path / "x.nrrd", fields, data.tobytes(), type="uchar", dimension="4",
                sizes="3 5 4 2")  # fmt: skip
    image = formats.read(path)
    assert image.shape == (6, 1, 4, 5)
    assert [c.colour for c in image.channels] == ["red", "green", "blue"] * 2
    assert [c.time for c in image.channels] == pytest.approx([0.1] * 3 + [2.6] * 3)
    np.testing.assert_array_equal(image.array[4, 0], data.reshape(2, 4, 5, 3)[1, ..., 1])
    assert image.geometry == Plane((0.5, 0.8))


def test_a_space_with_time(tmp_path: Path) -> None:
    fields = (
        "space: right-anterior-superior-time\nspace origin: (1,2,3,10)\n"
        "space directions: (1,0,0,0) (0,0,3,0) (0,2,0,0) (0,0,0,1.5)\n"
        'space units: "mm" "mm" "mm" "s"\n'
    )
    data = np.arange(120, dtype="<i2").tobytes()
    image = formats.read(nrrd(tmp_path / "x.nrrd", fields, data, dimension="4", sizes="5 4 3 2"))
    assert [c.time for c in image.channels] == [0, 1.5]
    assert isinstance(image.geometry, Patient)
    assert image.geometry.orientation == "RSA"
    assert image.spacing == (1, 3, 2)


# ---- voxels in other files


def test_detached_voxels_with_lines_and_bytes_before_them(tmp_path: Path) -> None:
    (tmp_path / "x.raw").write_bytes(b"one\ntwo\n....." + ENCODED["raw"])
    fields = OBLIQUE.format(space="LPS") + "line skip: 2\nbyte skip: 5\ndata file: x.raw\n"
    assert_as_itk(nrrd(tmp_path / "x.nhdr", fields, b""))
    assert_as_itk(nrrd(tmp_path / "y.nhdr", fields.replace("skip: 5", "skip: -1"), b""))
    (tmp_path / "x.raw").write_bytes(b"one\ntwo\n" + gzip.compress(b"....." + ENCODED["raw"]))
    assert_as_itk(nrrd(tmp_path / "z.nhdr", fields, b"", encoding="gz"))


def test_voxels_at_the_end_with_something_behind(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "x.nrrd", "byte skip: -4\n", b"head" + ENCODED["raw"] + b"end")
    np.testing.assert_array_equal(formats.read(path).array[0], VALUES)


@pytest.mark.parametrize(
    "files",
    ["data file: s%02d.raw 3 1 -1\n", "data file: LIST\ns03.raw\ns02.raw\n./s01.raw\n",
     "datafile: LIST 2\ns03.raw\ns02.raw\ns01.raw\n"],
)  # fmt: skip
def test_one_file_a_slice(tmp_path: Path, files: str) -> None:
    for z, plane in enumerate(VALUES):
        (tmp_path / f"s{3 - z:02d}.raw").write_bytes(plane.tobytes())
    path = nrrd(tmp_path / "x.nhdr", OBLIQUE.format(space="LPS") + files, b"")
    assert_as_itk(path)
    np.testing.assert_array_equal(formats.open(path).slab(1, 3).array[0], VALUES[1:])


@pytest.mark.parametrize(
    "name",
    ["../x.raw", "/etc/passwd", "a/x.raw", "..", "C:\\x.raw", "gone.raw", "LIST", "%s.raw 1 3 1",
     "%d%d.raw 1 3 1", "s%99d.raw 1 3 1", "s%d.raw 1 9999999999 1", "s%d.raw 1 3 0"],
)  # fmt: skip
def test_no_path_from_a_header_is_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "x.raw").write_bytes(ENCODED["raw"])
    path = nrrd(tmp_path / "in/x.nhdr", f"data file: {name}\n", b"")
    for ask in (formats.header, formats.read):
        with pytest.raises(FormatError) as caught:
            ask(path)
        assert caught.value.file == path


# ---- slabs


def test_a_slab_of_a_huge_file_reads_little(tmp_path: Path) -> None:
    """Eight gigabytes, sparse: only the slab's pages are touched."""
    fields = OBLIQUE.format(space="LPS")
    path = nrrd(tmp_path / "x.nrrd", fields, b"", sizes="2048 2048 1024")
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size + 2048 * 2048 * 1024 * 2)
    assert formats.open(path).slab(1000, 1001).shape == (1, 1, 2048, 2048)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_a_slab_keeps_its_place(tmp_path: Path, encoding: str) -> None:
    path = nrrd(tmp_path / "x.nrrd", OBLIQUE.format(space="RAS"), ENCODED[encoding],
                encoding=encoding)  # fmt: skip
    whole, part = formats.read(path), formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array, whole.array[:, 1:3])
    assert isinstance(part.geometry, Patient)
    assert isinstance(whole.geometry, Patient)
    np.testing.assert_allclose(
        part.geometry.affine @ [1, 2, 0, 1], whole.geometry.affine @ [1, 2, 1, 1]
    )
    framed = formats.read(Source(str(tmp_path), ("x.nrrd",), None, (1, 3)))
    np.testing.assert_array_equal(framed.array, part.array)


# ---- writing


def test_itk_reads_what_we_write(tmp_path: Path, oblique: Image) -> None:
    path = tmp_path / "x.nrrd"
    formats.write(oblique, path)
    again = assert_as_itk(path)
    assert isinstance(again.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_array_equal(again.geometry.affine, oblique.geometry.affine)
    assert again.array.dtype == oblique.array.dtype
    formats.write(oblique, tmp_path / "y.nrrd")
    assert (tmp_path / "y.nrrd").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", "?bBhHiIqQfde")
def test_every_type_is_written(tmp_path: Path, oblique: Image, dtype: str) -> None:
    values = (oblique.array.astype(np.int64) % 100).astype(dtype)
    formats.write(Image(values, oblique.geometry), tmp_path / "x.nrrd")
    np.testing.assert_array_equal(assert_as_itk(tmp_path / "x.nrrd").array, values)


def test_channels_keep_their_meaning(tmp_path: Path, oblique: Image) -> None:
    channels = (Channel("PET", "g/ml", time=0.0), Channel("CT", "HU", time=2.5, b_value=1000.0))
    array = np.concatenate([oblique.array, oblique.array * 2])
    formats.write(Image(array, oblique.geometry, channels), tmp_path / "x.nrrd")
    assert assert_as_itk(tmp_path / "x.nrrd").channels == channels
    picture = Image(oblique.array[:, :1], Plane((0.3, 0.4), "detector"))
    formats.write(picture, tmp_path / "y.nrrd")
    assert formats.read(tmp_path / "y.nrrd").geometry == picture.geometry
    colours = Image(np.repeat(oblique.array.astype(np.uint8), 3, 0), oblique.geometry, RGB)
    formats.write(colours, tmp_path / "z.nrrd")
    assert assert_as_itk(tmp_path / "z.nrrd").channels == RGB


# ---- damage


@pytest.mark.parametrize(
    ("fields", "changed", "message"),
    [
        ("", {"sizes": "5 4 3000"}, "promises"),
        ("", {"sizes": "99999999 99999999 99999999"}, "promises"),
        ("", {"sizes": "5 4 0"}, "sizes"),
        ("", {"sizes": "5 4 -3"}, "sizes"),
        ("", {"sizes": "5 4"}, "3 axes"),
        ("", {"dimension": "nine"}, "dimension"),
        ("", {"type": "block"}, "block"),
        ("", {"encoding": "zrl"}, "zrl"),
        ("", {"endian": "middle"}, "endian"),
        ("sizes: 5 4 3\n", {}, "twice"),
        ("SMITH^JOHN\n", {}, "line [0-9]+ of the header is no field"),
        ("byte skip: 5\n", {}, "promises"),
        ("line skip: 9999999999\n", {}, "promises"),
        ("spacings: 1 2\n", {}, "spacings"),
        ("spacings: 1 2 x\n", {}, "spacings"),
        ("hounsfield:={\"time\":[1,2,3]}\n", {}, "remark"),
    ],
)  # fmt: skip
def test_lying_fields_are_refused(
    tmp_path: Path, fields: str, changed: dict[str, Any], message: str
) -> None:
    path = nrrd(tmp_path / "x.nrrd", fields, **changed)
    with pytest.raises(FormatError, match=message) as caught:
        formats.read(path)
    assert "SMITH" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(0.1,-0.2,1.2)", "(0.8,0.2,0.4)"),  # singular
        ("(0.1,-0.2,1.2)", "(nan,0,1)"),
        ("(0.1,-0.2,1.2)", "(inf,0,1)"),
        ("(0.1,-0.2,1.2)", "(1e20,0,1)"),
        ("(0.1,-0.2,1.2)", "(0,1)"),
        ("(-11.5,7.25,40)", "(1,2)"),
        ("space: LPS", "space: 3D-left-handed"),
        ("space: LPS", "space: nowhere"),
    ],
)
def test_a_wrong_place_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = nrrd(tmp_path / "x.nrrd", OBLIQUE.format(space="LPS").replace(old, new))
    with pytest.raises(GeometryError) as caught:
        formats.read(path)
    assert caught.value.file == path


@pytest.mark.parametrize(
    "fields",
    [
        "space: RAS\nspacings: 0.5 0.8 1.2\n",
        "space: LPS\nspacings: 0.5 0.8 1.2\nspace origin: (1,2,3)\n",
        "space dimension: 3\nspacings: 0.5 0.8 1.2\nspace origin: (1,2,3)\n",
        OBLIQUE.format(space="LPS") + "spacings: 5 8 12\n",
    ],
)
def test_spacings_that_contradict_the_space_are_refused(tmp_path: Path, fields: str) -> None:
    """ITK refuses them too: the definition has directions or spacings of an axis, not both."""
    path = nrrd(tmp_path / "x.nrrd", fields)
    with pytest.raises(GeometryError):
        formats.read(path)
    with pytest.raises(RuntimeError, match="spacing"):
        sitk.ReadImage(path)


@pytest.mark.parametrize("encoding", ENCODED)
def test_cut_and_bent_files(tmp_path: Path, encoding: str) -> None:
    path = nrrd(tmp_path / "x.nrrd", OBLIQUE.format(space="LPS"), ENCODED[encoding],
                encoding=encoding)  # fmt: skip
    whole = path.read_bytes()
    tail = 1 if encoding in ("hex", "ascii") else 0  # a last line end is no number
    assert_cuts_are_refused(path, whole, range(1, len(whole) - tail - (encoding == "ascii"), 3))
    assert_bent_files_end_well(path, whole, 150)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    data = gzip.compress(b"\0" * 100)
    path = nrrd(tmp_path / "x.nrrd", "", data, encoding="gzip", sizes="30000 30000 10")
    with pytest.raises(FormatError, match="promises"):
        formats.read(path)
    data = gzip.compress(b"\0" * 100_000)
    with pytest.raises(FormatError, match="go on behind"):
        formats.read(nrrd(tmp_path / "y.nrrd", "", data, encoding="gzip"))


@pytest.mark.parametrize("name", ["x.nhdr", "käse 2.nhdr"])
def test_header_and_voxels_apart(oblique: Image, tmp_path: Path, name: str) -> None:
    formats.write(oblique, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {name, name.replace(".nhdr", ".raw.gz")}
    ours = formats.read(tmp_path / name)
    np.testing.assert_array_equal(ours.array, oblique.array)
    theirs = interop.from_sitk(sitk.ReadImage(str(tmp_path / name)))
    np.testing.assert_array_equal(theirs.array, oblique.array)
    assert isinstance(theirs.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(theirs.geometry.affine, oblique.geometry.affine, atol=1e-5)
