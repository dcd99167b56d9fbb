"""Analyze 7.5 against nibabel's three readers; what the format cannot say is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats import analyze
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Channel, Image

DATA = Path(nib.__file__).parent / "tests/data"
KINDS = {"plain": nib.AnalyzeImage, "spm99": nib.Spm99AnalyzeImage, "spm2": nib.Spm2AnalyzeImage}
LEFT = np.diag([-2.0, 3, 4, 1])
ARRAY = np.arange(60, dtype=np.int16).reshape(3, 4, 5) - 30


def changed(path: Path, **values: tuple[int, bytes]) -> None:
    """Put bytes into a file: name=(where, what)."""
    data = bytearray(path.read_bytes())
    for at, new in values.values():
        data[at : at + len(new)] = new
    path.write_bytes(data)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """(3, 4, 5) int16 by nibabel, 2 × 3 × 4 mm; the header's path."""
    nib.AnalyzeImage(ARRAY.T, LEFT).to_filename(tmp_path / "x.img")
    return tmp_path / "x.hdr"


def header_of(kind: Any, order: str, shape: tuple[int, ...], dtype: str) -> Any:
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype))
    header.set_data_shape(shape)
    header.set_zooms((2, 3, 4, 1)[: len(shape)])
    return header


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_as_nibabel_reads_it(
    tmp_path: Path, kind: str, dtype: str, order: str, end: str
) -> None:
    values = np.random.default_rng(2).integers(0, 200, (5, 4, 3, 2)).astype(dtype)
    header = header_of(KINDS[kind], order, values.shape, dtype)
    if kind != "plain":
        header["origin"][:3] = (3, 1, 2)
    KINDS[kind](values, None, header).to_filename(tmp_path / f"x.img{end}")
    theirs = KINDS[kind].from_filename(tmp_path / f"x.img{end}")
    assert formats.sniff(tmp_path / f"x.img{end}") == "analyze"
    image = formats.read(tmp_path / f"x.hdr{end}")
    np.testing.assert_array_equal(image.array, np.asarray(theirs.dataobj).transpose(3, 2, 1, 0))
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, theirs.affine, atol=1e-6)


def test_the_origin_is_not_the_centre(tmp_path: Path) -> None:
    """By hand: voxel (3, 1, 2), counted from 1, lies at 0 mm; x runs to the left."""
    header = header_of(nib.Spm99AnalyzeImage, "<", (5, 4, 3), "i2")
    header["origin"][:3] = (3, 1, 2)
    nib.Spm99AnalyzeImage(ARRAY.T, None, header).to_filename(tmp_path / "x.img")
    geometry = formats.read(tmp_path / "x.img").geometry
    assert isinstance(geometry, Patient)
    np.testing.assert_allclose(geometry.affine @ [2, 0, 1, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(geometry.affine @ [3, 0, 1, 1], [-2, 0, 0, 1])


@given(
    slope=st.sampled_from([0.0, 0.5, -2.0, float("nan"), float("inf")]),
    inter=st.sampled_from([0.0, 7.5, float("nan")]),
    gl=st.tuples(st.integers(-100, 100), st.integers(-100, 100)),
    cal=st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32)),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scaling_is_spm2s(pair: Path, slope: float, inter: float, gl: Any, cal: Any) -> None:
    changed(
        pair,
        scale=(112, np.array([slope, inter], "<f4").tobytes()),
        cal=(124, np.array(cal, "<f4").tobytes()),
        gl=(140, np.array(gl, "<i4").tobytes()),
    )
    theirs = np.asarray(nib.Spm2AnalyzeImage.from_filename(pair).dataobj).T
    np.testing.assert_allclose(formats.read(pair).array[0], theirs, rtol=1e-5, atol=1e-3)


def test_nibabels_own_header_lacks_its_voxels() -> None:
    with pytest.raises(FormatError, match=r"voxels are not beside it\n.*analyze\.img"):
        formats.read(DATA / "analyze.hdr")


def test_nibabels_own_header_with_voxels(tmp_path: Path) -> None:
    """Big endian, with SPM's slope and origin: as `nib.load` reads it, which takes it for SPM2."""
    voxels = np.random.default_rng(0).integers(0, 256, (91, 109, 91)).astype(np.uint8)
    (tmp_path / "x.hdr").write_bytes((DATA / "analyze.hdr").read_bytes())
    (tmp_path / "x.img").write_bytes(voxels.tobytes())
    theirs, image = nib.load(tmp_path / "x.hdr"), formats.read(tmp_path / "x.hdr")
    assert isinstance(theirs, nib.Spm2AnalyzeImage)
    np.testing.assert_allclose(image.array[0], np.asarray(theirs.dataobj)[..., 0].T, rtol=1e-6)
    assert image.stored["slope"] == pytest.approx(1715.04456)
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, theirs.affine)


def test_the_missing_side_is_said(pair: Path) -> None:
    image, told = formats.read(pair), formats.header(pair).facts.stored or ""
    assert image.stored["handedness"] == "undefined"
    assert image.stored["orientation"] == "none"
    assert "handedness undefined" in told
    assert "left" in told


@pytest.mark.parametrize("end", ["", ".gz"])
def test_either_file_gives_the_same_source(tmp_path: Path, end: str) -> None:
    nib.AnalyzeImage(ARRAY.T, LEFT).to_filename(tmp_path / f"x.img{end}")
    expected = [Source(str(tmp_path), (f"x.hdr{end}", f"x.img{end}"))]
    for name in ("x.hdr", "x.img"):
        assert formats.find(tmp_path / f"{name}{end}") == expected
    part = formats.open(tmp_path / f"x.img{end}").slab(1, 3)
    np.testing.assert_array_equal(part.array[0], ARRAY[1:3])
    whole = formats.read(tmp_path / f"x.img{end}").geometry
    assert isinstance(part.geometry, Patient)
    assert isinstance(whole, Patient)
    np.testing.assert_allclose(
        part.geometry.affine @ [1, 2, 0, 1], whole.affine @ [1, 2, 1, 1], atol=1e-6
    )


@pytest.mark.parametrize("name", ["mat", "M"])
def test_spms_matrix_beside_is_the_place(pair: Path, oblique: Image, name: str) -> None:
    assert isinstance(oblique.geometry, Patient)
    savemat(pair.with_suffix(".mat"), {name: oblique.geometry.affine}, format="4")
    theirs = nib.Spm99AnalyzeImage.from_filename(pair)
    image = formats.read(pair)
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, theirs.affine, atol=1e-9)
    assert image.stored["handedness"] == "spm"
    assert "undefined" not in (formats.header(pair).facts.stored or "")


def test_a_matrix_that_is_none_is_refused(pair: Path) -> None:
    for wrong in (np.eye(3), np.stack([np.eye(4), 2 * np.eye(4)], axis=2)):
        savemat(pair.with_suffix(".mat"), {"mat": wrong})
        with pytest.raises(GeometryError, match="not one matrix"):
            formats.read(pair)
    savemat(pair.with_suffix(".mat"), {"mat": np.zeros((4, 4))})
    with pytest.raises(GeometryError) as caught:
        formats.read(pair)
    assert caught.value.file == pair.with_suffix(".mat")
    for text in ({"mat": np.eye(4) * 1j}, {"mat": np.array([["a"]])}):
        savemat(pair.with_suffix(".mat"), text)
        with pytest.raises(FormatError, match="SPM's matrix"):
            formats.read(pair)
    pair.with_suffix(".mat").write_bytes(b"no matrix")
    with pytest.raises(FormatError, match="SPM's matrix"):
        formats.read(pair)
    savemat(pair.with_suffix(".mat"), {"weights": np.eye(4)})
    assert formats.read(pair).stored["handedness"] == "undefined"


@pytest.mark.parametrize(("orient", "word"), [(1, "coronal"), (2, "sagittal"), (3, "flipped")])
def test_slices_of_another_orientation_have_no_place(pair: Path, orient: int, word: str) -> None:
    changed(pair, orient=(252, bytes([orient])))
    image = formats.read(pair)
    assert image.geometry is None
    assert image.stored["voxel_mm"] == (2.0, 3.0, 4.0)
    assert word in (formats.header(pair).facts.stored or "")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [(b"mm\0\0", 2.0), (b"cm\0\0", 20.0), (b"um\0\0", 0.002), (b"\0" * 4, 2.0)],
)
def test_units_become_millimetres(pair: Path, unit: bytes, expected: float) -> None:
    changed(pair, unit=(56, unit))
    assert formats.read(pair).spacing[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sizes", "expected"), [((0.3, 0.4, 0), Plane((0.3, 0.4))), ((0, 0.4, 1), None)]
)
def test_no_millimetres_are_made_up(pair: Path, sizes: Any, expected: Any) -> None:
    changed(pair, sizes=(80, np.array(sizes, "<f4").tobytes()))
    assert formats.read(pair).geometry == expected


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (40, (9).to_bytes(2, "little"), "no known image format"),
        (42, (-3).to_bytes(2, "little", signed=True), "dim"),
        (42, (32000).to_bytes(2, "little"), "promises"),
        (70, (128).to_bytes(2, "little"), "colours"),
        (70, (1).to_bytes(2, "little"), "one bit"),
        (70, (77).to_bytes(2, "little"), "datatype 77"),
        (108, np.float32(-352).tobytes(), "vox_offset"),
        (108, np.float32("nan").tobytes(), "vox_offset"),
        (80, np.float32("inf").tobytes(), "voxel sizes"),
    ],
)
def test_lying_fields_are_refused(pair: Path, at: int, value: bytes, message: str) -> None:
    changed(pair, field=(at, value))
    with pytest.raises((FormatError, GeometryError), match=message):
        formats.read(pair)


def test_axes_of_length_0_behind_z_are_not_used(pair: Path) -> None:
    changed(pair, dim=(40, np.array([4, 5, 4, 3, 0], "<i2").tobytes()))
    np.testing.assert_array_equal(formats.read(pair).array[0], ARRAY)


def test_truncated_voxels_are_refused(pair: Path) -> None:
    data = pair.with_suffix(".img")
    data.write_bytes(data.read_bytes()[:-2])
    with pytest.raises(FormatError, match="truncated"):
        formats.read(pair)


# ---- writing


@pytest.mark.parametrize("name", ["x.hdr", "x.img", "x.img.gz"])
@pytest.mark.parametrize("origin", [None, (3, 1, 2), (-2, 7, 1)])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_what_is_written_comes_back(tmp_path: Path, dtype: str, origin: Any, name: str) -> None:
    affine = np.diag([-0.5, 0.8, 1.2, 1.0])
    centre = np.array([5, 4, 3]) / 2 + 0.5 if origin is None else np.array(origin)
    affine[:3, 3] = -affine.diagonal()[:3] * (centre - 1)
    array = np.random.default_rng(4).integers(0, 200, (2, 3, 4, 5)).astype(dtype)
    analyze.write_pair(Image(array, Patient(affine)), tmp_path / name)
    again = formats.read(tmp_path / name)
    np.testing.assert_array_equal(again.array, array)
    assert again.array.dtype == array.dtype
    assert isinstance(again.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, affine, atol=1e-6)
    theirs = nib.Spm2AnalyzeImage.from_filename(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(theirs.dataobj).T, array)
    np.testing.assert_allclose(theirs.affine, affine, atol=1e-6)


@pytest.mark.parametrize("geometry", [None, Plane((0.25, 0.5)), Plane((0.25, 0.5), "detector")])
@pytest.mark.parametrize("depth", [1, 3])
def test_slices_without_a_place_come_back_so(tmp_path: Path, geometry: Any, depth: int) -> None:
    image = Image(ARRAY[None, :depth], geometry)
    analyze.write_pair(image, tmp_path / "x.hdr")
    assert formats.read(tmp_path / "x.hdr").geometry == geometry


def test_what_it_cannot_hold_is_refused(tmp_path: Path, oblique: Image) -> None:
    named = Image(ARRAY[None], None, (Channel("CT", "HU"),))
    right = Image(ARRAY[None], Patient(np.diag([2.0, 3, 4, 1])))
    wide = Image(ARRAY[None].astype(np.uint16))
    for image, message in (
        (oblique, "orientation"), (right, "orientation"), (named, "channels"), (wide, "uint16"),
        (replace(oblique, array=np.zeros((1, 1, 1, 40000), np.uint8), geometry=None), "axes"),
    ):  # fmt: skip
        with pytest.raises((FormatError, GeometryError), match=message):
            analyze.write_pair(image, tmp_path / "x.hdr")
    assert not list(tmp_path.iterdir())


def test_a_new_pair_takes_the_old_ones_place_whole(tmp_path: Path) -> None:
    for value in (1, 2):
        analyze.write_pair(Image(np.full((1, 3, 4, 5), value, np.uint8)), tmp_path / "x.img")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.hdr", "x.img"]
    assert formats.read(tmp_path / "x.img").array.max() == 2
