"""MINC 1 and 2 against nibabel, SciPy and libminc (in ITK); and files that lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from bent import assert_bent_files_end_well, assert_cuts_are_refused
from scipy.io import netcdf_file

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image

DATA = Path(nib.__file__).parent / "tests/data"
FILES = sorted(DATA.glob("*.mnc"))
NO_STEPS = ("minc1-no-att.mnc", "minc2-no-att.mnc")
CONTRADICTS = "minc2_baddim.mnc"  # xspace says 642 samples, the image has 10
SPACES = ("xspace", "yspace", "zspace")


def nibabels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """nibabel's values in the order of the file, its affine for voxel (x, y, z)."""
    # Read here and closed again; nib.load would keep the file open.
    if path.read_bytes()[:3] == b"CDF":
        with path.open("rb") as raw:
            image = nib.Minc1Image.from_file_map({"image": nib.FileHolder(fileobj=raw)})
            return np.asarray(image.dataobj), image.affine[:, [2, 1, 0, 3]]
    with h5py.File(path) as file:
        image = nib.minc2.Minc2File(file)
        return np.array(image.get_scaled_data()), image.get_affine()[:, [2, 1, 0, 3]]


def assert_as_nibabel(path: Path) -> Image:
    values, affine = nibabels(path)
    image, head = formats.read(path), formats.header(path)
    np.testing.assert_allclose(image.array.reshape(values.shape), values, rtol=1e-6, atol=1e-6)
    assert (head.shape, head.dtype, head.channels) == (
        image.shape, image.array.dtype, image.channels,
    )  # fmt: skip
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, affine, atol=1e-10)
    return image


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name not in (*NO_STEPS, CONTRADICTS)], ids=lambda path: path.name
)
def test_nibabels_own_files(path: Path) -> None:
    assert_as_nibabel(path)


def test_the_files_are_there() -> None:
    assert len(FILES) >= 9


@pytest.mark.parametrize("name", NO_STEPS)
def test_no_millimetres_are_made_up(name: str) -> None:
    image = formats.read(DATA / name)
    assert image.geometry is None
    np.testing.assert_allclose(image.array[0], nibabels(DATA / name)[0], rtol=1e-6)


def test_an_axis_that_contradicts_the_image_is_refused() -> None:
    with pytest.raises(GeometryError, match="642"):
        formats.read(DATA / CONTRADICTS)


def test_a_real_volume(real_data: Path) -> None:
    files = sorted((real_data / "minc").glob("*.mnc"))
    assert files
    for path in files:
        assert_as_nibabel(path)


# ---- files made to measure


def minc2(
    path: Path,
    dims: str = "zspace,yspace,xspace",
    dtype: str = "i2",
    scales: int = 1,
    **attributes: Any,
) -> Path:
    """Random stored numbers, oblique cosines, negative steps, one scale a slice."""
    rng = np.random.default_rng(0)
    names = dims.split(",")
    sizes = {"xspace": 5, "yspace": 4, "zspace": 3, "time": 2, "vector_dimension": 3}
    shape = [sizes[name] for name in names]
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    with h5py.File(path, "w") as file:
        root = file.create_group("minc-2.0")
        for name in names:
            axis = root.create_dataset(f"dimensions/{name}", data=np.int32(0))
            axis.attrs["length"] = np.uint32(sizes[name])
            if name in SPACES:
                world = SPACES.index(name)
                axis.attrs["step"] = (-0.5, 0.8, -1.2)[world]
                axis.attrs["start"] = (-11.5, 7.25, 40.0)[world]
                axis.attrs["direction_cosines"] = turn[:, world]
            if name == "time":
                axis.attrs.update({"step": 2.5, "start": 1.0, "units": np.bytes_("s")})
            for key, value in attributes.get(name, {}).items():
                axis.attrs[key] = value
        image = root.create_dataset("image/0/image", data=rng.integers(0, 100, shape).astype(dtype))
        image.attrs["dimorder"] = np.bytes_(dims)
        image.attrs["valid_range"] = np.array([5.0, 90.0])
        for name, low in (("image-min", -3), ("image-max", 20)):
            end = root.create_dataset(
                f"image/0/{name}", data=rng.uniform(low, low + 5, shape[:scales])
            )
            end.attrs["dimorder"] = np.bytes_(",".join(names[:scales]))
    return path


@pytest.mark.parametrize("scales", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", ">i4", "f4", "f8"])
def test_every_type_and_scaling(tmp_path: Path, dtype: str, scales: int) -> None:
    image = assert_as_nibabel(minc2(tmp_path / "x.mnc", dtype=dtype, scales=scales))
    wide = {"u4": "float64", ">i4": "float64", "f8": "float64"}
    assert image.array.dtype == wide.get(dtype, "float32")


@pytest.mark.parametrize("dims", ["xspace,zspace,yspace", "yspace,xspace,zspace"])
def test_axes_in_any_order(tmp_path: Path, dims: str) -> None:
    assert_as_nibabel(minc2(tmp_path / "x.mnc", dims))


def test_time_and_vectors_are_channels(tmp_path: Path) -> None:
    path = minc2(tmp_path / "x.mnc", "time,zspace,yspace,xspace,vector_dimension", scales=2)
    image, (values, affine) = formats.read(path), nibabels(path)
    assert [channel.time for channel in image.channels] == [1.0] * 3 + [3.5] * 3
    np.testing.assert_allclose(
        image.array.reshape(2, 3, 3, 4, 5), np.moveaxis(values, 4, 1), rtol=1e-6
    )
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, affine, atol=1e-10)
    part = formats.open(path).slab(1, 2)
    np.testing.assert_array_equal(part.array, image.array[:, 1:2])


def test_uneven_times_are_read_and_uneven_slices_refused(tmp_path: Path) -> None:
    uneven = {"spacing": np.bytes_("irregular")}
    path = minc2(tmp_path / "x.mnc", "time,zspace,yspace,xspace", time=uneven)
    with h5py.File(path, "a") as file:
        attributes = dict(file["minc-2.0/dimensions/time"].attrs)
        del file["minc-2.0/dimensions/time"]
        time = file["minc-2.0/dimensions"].create_dataset("time", data=[0.0, 7.0])
        time.attrs.update(attributes)
    assert [channel.time for channel in formats.read(path).channels] == [0, 7]
    with pytest.raises(GeometryError, match="unevenly"):
        formats.read(minc2(tmp_path / "y.mnc", zspace=uneven))


def test_a_flat_picture_is_a_plane(tmp_path: Path) -> None:
    path = minc2(tmp_path / "x.mnc", "yspace,xspace")
    assert formats.read(path).geometry == Plane((0.5, 0.8))


@pytest.mark.parametrize("kind", ["b", "h", "i", "f", "d"])
@pytest.mark.parametrize("sign", [b"unsigned", b"signed__"])
def test_classic_files_of_every_type(tmp_path: Path, kind: str, sign: bytes) -> None:
    path = tmp_path / "x.mnc"
    file = netcdf_file(path, "w")
    for name, size, step in zip(SPACES, (5, 4, 3), (-0.5, 0.8, 1.2), strict=True):
        file.createDimension(name, size)
        axis = file.createVariable(name, "i", ())
        axis.step, axis.start, axis.spacing = step, 7.5, b"regular__"
    rng = np.random.default_rng(0)
    image = file.createVariable("image", kind, ("zspace", "yspace", "xspace"))
    image[:] = rng.integers(0, 100, (3, 4, 5))
    image.signtype = sign
    for name, low in (("image-min", -3), ("image-max", 20)):
        end = file.createVariable(name, "d", ("zspace",))
        end[:] = rng.uniform(low, low + 5, 3)
    file.close()
    assert_as_nibabel(path)
    part = formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array, formats.read(path).array[:, 1:3])
    framed = formats.read(Source(str(tmp_path), ("x.mnc",), None, (1, 3)))
    np.testing.assert_array_equal(framed.array, part.array)


@pytest.mark.parametrize("suffix", ["small.mnc", "tiny.mnc"])
def test_a_slab_keeps_its_place(suffix: str) -> None:
    whole, part = formats.read(DATA / suffix), formats.open(DATA / suffix).slab(4, 6)
    np.testing.assert_array_equal(part.array, whole.array[:, 4:6])
    assert isinstance(part.geometry, Patient)
    assert isinstance(whole.geometry, Patient)
    np.testing.assert_allclose(
        part.geometry.affine @ [1, 2, 0, 1], whole.geometry.affine @ [1, 2, 4, 1]
    )


# ---- writing


@pytest.mark.parametrize("dtype", "?bBhHiIqQfde")
def test_nibabel_reads_every_type_that_we_write(tmp_path: Path, oblique: Image, dtype: str) -> None:
    values = (oblique.array.astype(np.int64) % 100).astype(dtype)
    formats.write(Image(values, oblique.geometry), tmp_path / "x.mnc")
    again = assert_as_nibabel(tmp_path / "x.mnc")
    np.testing.assert_array_equal(again.array, values)
    assert isinstance(again.geometry, Patient)
    assert isinstance(oblique.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, oblique.geometry.affine, atol=1e-12)
    formats.write(Image(values, oblique.geometry), tmp_path / "y.mnc")
    assert (tmp_path / "x.mnc").read_bytes() == (tmp_path / "y.mnc").read_bytes()


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("mirror", [1, -1])
def test_every_orientation_is_written(
    tmp_path: Path, oblique: Image, turn: tuple[int, ...], mirror: int
) -> None:
    assert isinstance(oblique.geometry, Patient)
    affine = oblique.geometry.affine[[*turn, 3]] @ np.diag([mirror, 1.0, 1.0, 1.0])
    formats.write(Image(oblique.array, Patient(affine)), tmp_path / "x.mnc")
    again = assert_as_nibabel(tmp_path / "x.mnc")
    assert isinstance(again.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, affine, atol=1e-12)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_libminc_reads_what_we_write(tmp_path: Path, oblique: Image, dtype: str) -> None:
    """Through ITK, which calls libminc and turns negative steps round."""
    image = Image(oblique.array.astype(dtype), Patient(np.diag([0.5, 0.8, 1.2, 1.0])))
    formats.write(image, tmp_path / "x.mnc")
    theirs = sitk.ReadImage(str(tmp_path / "x.mnc"))
    np.testing.assert_allclose(sitk.GetArrayFromImage(theirs), image.array[0], rtol=1e-6, atol=1e-4)
    assert theirs.GetSpacing() == pytest.approx((0.5, 0.8, 1.2))
    for channels in ((Channel(time=0.0), Channel(time=2.5)), (Channel("a"), Channel("b"))):
        array = np.concatenate([image.array, image.array // 2])
        formats.write(Image(array, image.geometry, channels), tmp_path / "y.mnc")
        again = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "y.mnc")))
        np.testing.assert_allclose(np.moveaxis(again, -1, 0), array, rtol=1e-6, atol=1e-4)


def test_channels_keep_their_meaning(tmp_path: Path, oblique: Image) -> None:
    for times in ((0.0, 2.5, 5.0), (0.0, 1.0, 5.0)):
        channels = tuple(Channel(f"a name {t}", "HU", time=t) for t in times)
        array = np.concatenate([oblique.array + i for i in range(3)])
        formats.write(Image(array, oblique.geometry, channels), tmp_path / "x.mnc")
        again = formats.read(tmp_path / "x.mnc")
        assert again.channels == channels
        np.testing.assert_array_equal(again.array, array)
    for depth in (1, 3):
        picture = Image(oblique.array[:, :depth], Plane((0.3, 0.4), "detector"))
        formats.write(picture, tmp_path / "y.mnc")
        assert formats.read(tmp_path / "y.mnc").geometry == picture.geometry
    colours = Image(np.repeat(oblique.array.astype(np.uint8), 3, 0), oblique.geometry, RGB)
    formats.write(colours, tmp_path / "z.mnc")
    assert formats.read(tmp_path / "z.mnc").channels == RGB
    with pytest.raises(FormatError, match="no type"):
        formats.write(Image.from_numpy(np.full((2, 2), 2**40)), tmp_path / "w.mnc")


def test_nan_and_infinity_come_back(tmp_path: Path) -> None:
    values = np.array([[np.nan, 1.5], [-np.inf, 3e38]], np.float32)
    formats.write(Image.from_numpy(values), tmp_path / "x.mnc")
    np.testing.assert_array_equal(formats.read(tmp_path / "x.mnc").array[0, 0], values)


# ---- files that lie


@pytest.mark.parametrize(
    ("axis", "attributes"),
    [
        ("xspace", {"step": 0.0}),
        ("xspace", {"step": np.nan}),
        ("yspace", {"start": np.inf}),
        ("zspace", {"direction_cosines": np.array([0.5, 0, 0])}),
        ("zspace", {"direction_cosines": np.array([0.0, 1])}),
        ("zspace", {"direction_cosines": np.array([np.nan, 0, 1])}),
        ("xspace", {"length": np.uint32(6)}),
        ("xspace", {"units": np.bytes_("furlong")}),
    ],
)
def test_a_wrong_place_is_refused(tmp_path: Path, axis: str, attributes: dict[str, Any]) -> None:
    path = minc2(tmp_path / "x.mnc", **{axis: attributes})
    with pytest.raises(GeometryError) as caught:
        formats.read(path)
    assert caught.value.file == path


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("image", "dimorder", np.bytes_("zspace,yspace")),
        ("image", "dimorder", np.bytes_("zspace,zspace,xspace")),
        ("image", "dimorder", np.bytes_("a,b,c")),
        ("image", "valid_range", np.array([9.0, 9.0])),
        ("image", "valid_range", np.array([0.0, 1e9])),
        ("image-max", "dimorder", np.bytes_("yspace")),
    ],
)
def test_a_wrong_scaling_is_refused(tmp_path: Path, name: str, key: str, value: Any) -> None:
    path = minc2(tmp_path / "x.mnc")
    with h5py.File(path, "a") as file:
        file[f"minc-2.0/image/0/{name}"].attrs[key] = value
    with pytest.raises(FormatError):
        formats.read(path)


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """External and soft links, external and virtual storage."""
    other = minc2(tmp_path / "other.mnc")
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(120))

    def external(group: h5py.Group) -> None:
        group.create_dataset("image", (3, 4, 5), "i2", external=[(str(raw), 0, 120)])

    def virtual(group: h5py.Group) -> None:
        layout = h5py.VirtualLayout((3, 4, 5), "i2")
        layout[:] = h5py.VirtualSource(str(other), "minc-2.0/image/0/image", (3, 4, 5))
        group.create_virtual_dataset("image", layout)

    def linked(group: h5py.Group) -> None:
        group["image"] = h5py.ExternalLink(str(other), "minc-2.0/image/0/image")

    def soft(group: h5py.Group) -> None:
        group["image"] = h5py.SoftLink("/minc-2.0/image/0/image")

    for place in (external, virtual, linked, soft):
        path = minc2(tmp_path / "x.mnc")
        with h5py.File(path, "a") as file:
            group = file["minc-2.0/image/0"]
            order = group["image"].attrs["dimorder"]
            del group["image"]
            place(group)
            if place in (external, virtual):
                group["image"].attrs["dimorder"] = order
        with pytest.raises(FormatError, match=r"other files|elsewhere"):
            formats.read(path)


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Eight gigabytes promised, nothing stored."""
    path = minc2(tmp_path / "x.mnc")
    with h5py.File(path, "a") as file:
        group = file["minc-2.0/image/0"]
        del group["image"]
        image = group.create_dataset("image", (1024, 2048, 2048), "i2", chunks=(1, 64, 64))
        image.attrs["dimorder"] = np.bytes_("zspace,yspace,xspace")
    with pytest.raises(FormatError, match="promises"):
        formats.read(path)
    with h5py.File(tmp_path / "y.mnc", "w") as file:
        file["something"] = 1
    with pytest.raises(FormatError, match="no MINC image"):
        formats.read(tmp_path / "y.mnc")


@pytest.mark.parametrize("name", ["tiny.mnc", "x.mnc"])
def test_cut_and_bent_files(tmp_path: Path, oblique: Image, name: str) -> None:
    path = tmp_path / "x.mnc"
    formats.write(oblique, path)
    whole = (DATA / name).read_bytes() if name == "tiny.mnc" else path.read_bytes()
    assert_cuts_are_refused(path, whole, range(1, len(whole) - 1, len(whole) // 30))
    assert_bent_files_end_well(path, whole, 100)
