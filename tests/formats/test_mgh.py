"""MGH against nibabel: values, affines, frames; and headers that lie."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bent import assert_bent_files_end_well, assert_cuts_are_refused

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image

DATA = Path(nib.__file__).parent / "tests/data"
FILES = sorted(DATA.glob("*.mg[hz]"))
VALUES = np.arange(120).reshape(5, 4, 3, 2)  # (x, y, z, frames)


def affine_of(image: Image) -> np.ndarray:
    return np.diag([1.0, 1, 1, 1]) @ image.geometry.affine  # type: ignore[union-attr]


def theirs(path: Path, oblique: Image, kind: str = ">i2") -> Path:
    image = nib.MGHImage(VALUES.astype(kind), affine_of(oblique).astype(np.float32))
    image.header.set_zooms((*image.header.get_zooms()[:3], 2500))
    nib.save(image, path)
    return path


def load(path: Path) -> nib.MGHImage:
    """nibabel's image; `nib.load` would leave the file open."""
    data = path.read_bytes()
    return nib.MGHImage.from_bytes(gzip.decompress(data) if path.suffix == ".mgz" else data)


def assert_as_nibabel(path: Path) -> Image:
    other, image, head = load(path), formats.read(path), formats.header(path)
    values = np.asarray(other.dataobj)
    values = values[..., None] if values.ndim == 3 else values
    np.testing.assert_array_equal(image.array, np.transpose(values, (3, 2, 1, 0)))
    assert (head.shape, head.dtype, head.channels) == (
        image.shape, image.array.dtype, image.channels,
    )  # fmt: skip
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, other.affine, rtol=1e-6, atol=1e-5)
    return image


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nibabels_own_files(path: Path) -> None:
    assert_as_nibabel(path)


def test_the_files_are_there() -> None:
    assert len(FILES) >= 1


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
@pytest.mark.parametrize("kind", [">u1", ">i2", ">i4", ">u2", ">f4"])
def test_what_nibabel_writes(tmp_path: Path, oblique: Image, kind: str, suffix: str) -> None:
    image = assert_as_nibabel(theirs(tmp_path / f"x{suffix}", oblique, kind))
    assert [channel.time for channel in image.channels] == [0, 2.5]


def test_no_millimetres_are_made_up(tmp_path: Path, oblique: Image) -> None:
    path = theirs(tmp_path / "x.mgh", oblique)
    data = bytearray(path.read_bytes())
    data[28:30] = bytes(2)  # goodRASFlag
    path.write_bytes(data)
    assert formats.read(path).geometry is None


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
def test_a_slab_keeps_its_place(tmp_path: Path, oblique: Image, suffix: str) -> None:
    path = theirs(tmp_path / f"x{suffix}", oblique)
    whole, part = formats.read(path), formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array, whole.array[:, 1:3])
    assert part.array.dtype == whole.array.dtype
    np.testing.assert_allclose(affine_of(part) @ [1, 2, 0, 1], affine_of(whole) @ [1, 2, 1, 1])
    framed = formats.read(Source(str(tmp_path), (path.name,), None, (1, 3)))
    np.testing.assert_array_equal(framed.array, part.array)


def test_a_slab_of_a_huge_file_reads_little(tmp_path: Path, oblique: Image) -> None:
    """Eight gigabytes, sparse: only the slab's pages are touched."""
    path = tmp_path / "x.mgh"
    formats.write(oblique, path)
    data = bytearray(path.read_bytes()[:284])
    data[4:16] = np.array([2048, 2048, 1024], ">i4").tobytes()
    with path.open("wb") as file:
        file.write(data)
        file.truncate(284 + 2048 * 2048 * 1024 * 2)
    assert formats.open(path).slab(1000, 1001).shape == (1, 1, 2048, 2048)


# ---- writing


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
@pytest.mark.parametrize("dtype", "?bBhHiIqQfde")
def test_nibabel_reads_every_type_that_we_write(
    tmp_path: Path, oblique: Image, dtype: str, suffix: str
) -> None:
    values = (oblique.array.astype(np.int64) % 100).astype(dtype)
    path = tmp_path / f"x{suffix}"
    formats.write(Image(values, oblique.geometry), path)
    again = assert_as_nibabel(path)
    np.testing.assert_array_equal(again.array, values)
    np.testing.assert_allclose(affine_of(again), affine_of(oblique), atol=1e-5)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (suffix == ".mgz")


def test_a_mirrored_and_a_sheared_affine_are_written(tmp_path: Path, oblique: Image) -> None:
    for change in (np.diag([1.0, 1, -1, 1]), np.eye(4) + np.eye(4, k=1) * 0.3):
        change[:3, 3] = 0
        moved = Image(oblique.array, Patient(affine_of(oblique) @ change))
        formats.write(moved, tmp_path / "x.mgz")
        np.testing.assert_allclose(
            affine_of(assert_as_nibabel(tmp_path / "x.mgz")), affine_of(moved), atol=1e-5
        )


@pytest.mark.parametrize("value", [2**40, 0.1, -1e300])
def test_values_that_would_change_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(FormatError, match="no type"):
        formats.write(Image.from_numpy(np.full((2, 2), value)), tmp_path / "x.mgz")
    with pytest.raises(FormatError, match="no type"):
        formats.write(Image.from_numpy(np.full((2, 2), 2**40)), tmp_path / "x.mgz")


def test_channels_keep_their_meaning(tmp_path: Path, oblique: Image) -> None:
    for count in (2, 60):
        channels = tuple(Channel(f"long name {i}", "HU", time=2.5 * i) for i in range(count))
        array = np.concatenate([oblique.array + i for i in range(count)])
        formats.write(Image(array, oblique.geometry, channels), tmp_path / "x.mgz")
        assert assert_as_nibabel(tmp_path / "x.mgz").channels == channels
        assert load(tmp_path / "x.mgz").header.get_zooms()[3] == 2500
    picture = Image(oblique.array, Plane((0.3, 0.4), "detector"))
    formats.write(picture, tmp_path / "y.mgz")
    assert formats.read(tmp_path / "y.mgz").geometry == picture.geometry
    colours = Image(np.repeat(oblique.array.astype(np.uint8), 3, 0), oblique.geometry, RGB)
    formats.write(colours, tmp_path / "z.mgz")
    assert assert_as_nibabel(tmp_path / "z.mgz").channels == RGB
    with pytest.raises(FormatError, match="shorten"):
        formats.write(Image(oblique.array, None, (Channel("x" * 300),)), tmp_path / "w.mgz")


# ---- damage


@pytest.mark.parametrize(
    ("start", "value", "message"),
    [
        (3, b"\2", "known"),
        (4, b"\x7f\xff\xff\xff", "promises"),
        (4, b"\xff\xff\xff\xff", "version|sizes|known"),
        (16, b"\0\0\0\0", "sizes|known"),
        (20, b"\0\0\0\5", "type 5"),
        (30, np.array(0, ">f4").tobytes(), "singular"),
        (30, np.array(np.nan, ">f4").tobytes(), "finite"),
        (78, np.array(np.inf, ">f4").tobytes(), "finite"),
        (90, b'{"time":[1]}', "remark"),
    ],
)
def test_lying_fields_are_refused(
    tmp_path: Path, oblique: Image, start: int, value: bytes, message: str
) -> None:
    path = theirs(tmp_path / "x.mgh", oblique)
    data = bytearray(path.read_bytes())
    data[start : start + len(value)] = value
    for name, content in (("x.mgh", bytes(data)), ("x.mgz", gzip.compress(bytes(data)))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((FormatError, GeometryError), match=message if name == "x.mgh" else "."):
            formats.read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
def test_cut_and_bent_files(tmp_path: Path, oblique: Image, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    formats.write(oblique, path)
    whole = path.read_bytes()
    assert_cuts_are_refused(path, whole, range(1, len(whole), 5))
    assert_bent_files_end_well(path, whole, 200)
