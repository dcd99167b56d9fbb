"""TIFF of microscopes and scanners: OME, ImageJ, pyramids, codecs; written by tifffile."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture
from PIL import ImageOps

from hounsfield import formats
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats import guard, tiff
from hounsfield.formats.contract import Source
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Image

RNG = np.random.default_rng(11)
GREY = RNG.integers(0, 256, (37, 29)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 33, 3)).astype(np.uint8)
STACK = RNG.integers(0, 60_000, (2, 3, 4, 11, 13)).astype(np.uint16)  # T, C, Z, Y, X


def read(path: Path, member: str | None = None) -> Image:
    """The image, whose header must have said the same."""
    source = Source.of(path, member)
    image, head = tiff.read(source), tiff.header(source)
    assert (head.shape, head.dtype) == (image.shape, image.array.dtype)
    assert head.channels in ((), image.channels)
    return image


def test_the_names_are_listed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", GREY)
    assert formats.sniff(tmp_path / "x.tif") == "tiff"
    assert [s.member for s in tiff.find(tmp_path / "x.tif")] == [None]


LOSSLESS: dict[str, dict[str, Any]] = {
    "none": {},
    "lzw": {"compression": "lzw"},
    "lzw, differences": {"compression": "lzw", "predictor": 2},
    "deflate": {"compression": "zlib"},
    "deflate, differences": {"compression": "zlib", "predictor": True},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd"},
    "lzma": {"compression": "lzma"},
    "lerc": {"compression": "lerc"},
    "jpeg 2000": {"compression": "jpeg2000"},
    "png": {"compression": "png"},
    "webp": {"compression": "webp", "compressionargs": {"lossless": True}},
    "jpeg xl": {"compression": "jpegxl", "compressionargs": {"lossless": True}},
}
PLACED: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 32)},
    "big": {"bigtiff": True},
    "big endian": {"byteorder": ">"},
}


@pytest.mark.parametrize("placed", PLACED)
@pytest.mark.parametrize("coding", LOSSLESS)
def test_codecs_by_strips_and_tiles(tmp_path: Path, coding: str, placed: str) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, COLOUR, photometric="rgb", **LOSSLESS[coding], **PLACED[placed])
    image = read(path)
    np.testing.assert_array_equal(np.moveaxis(image.array[:, 0], 0, 2), COLOUR)
    assert image.channels == RGB


def test_jpeg_equals_tifffile(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    smooth = np.kron(COLOUR[:5, :4], np.ones((8, 8, 1), np.uint8))
    tifffile.imwrite(path, smooth, photometric="ycbcr", compression="jpeg", tile=(16, 16))
    np.testing.assert_array_equal(read(path).array[:, 0], np.moveaxis(tifffile.imread(path), 2, 0))


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_of_number(tmp_path: Path, kind: str, order: str) -> None:
    path = tmp_path / "x.tif"
    info = np.finfo if kind[0] == "f" else np.iinfo
    values = np.array([[info(kind).min, 0, 1], [info(kind).max, 2, 3]], kind)
    tifffile.imwrite(path, values, byteorder=order)
    image = read(path)
    assert image.array.dtype == ("f4" if kind == "f2" else kind)
    np.testing.assert_array_equal(image.array[0, 0], values)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.bool_])
def test_white_is_zero_is_turned(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "x.tif"
    top = 1 if kind is np.bool_ else np.iinfo(kind).max
    values = np.array([[0, 1], [top, top - 1]]).astype(kind)
    tifffile.imwrite(path, values, photometric="miniswhite")
    np.testing.assert_array_equal(read(path).array[0, 0], (top - values.astype(np.uint64)))


def test_white_is_zero_of_floats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, GREY.astype(np.float32), photometric="miniswhite")
    with pytest.raises(FormatError, match="white is zero"):
        tiff.read(Source.of(path))


@pytest.mark.parametrize("config", ["contig", "separate"])
@pytest.mark.parametrize(("alpha", "said"), [(255, "opaque"), (7, "dropped")])
def test_alpha_is_dropped_and_said(tmp_path: Path, config: str, alpha: int, said: str) -> None:
    path = tmp_path / "x.tif"
    rgba = np.dstack([COLOUR, np.full(COLOUR.shape[:2], alpha, np.uint8)])
    data = rgba if config == "contig" else np.moveaxis(rgba, 2, 0)
    tifffile.imwrite(path, data, photometric="rgb", extrasamples=["unassalpha"],
                     planarconfig=config)  # fmt: skip
    image = read(path)
    np.testing.assert_array_equal(np.moveaxis(image.array[:, 0], 0, 2), COLOUR)
    assert image.stored["alpha"] == said


def test_samples_that_are_no_colours_are_channels(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    bands = RNG.integers(0, 255, (5, 8, 9)).astype(np.uint8)
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="separate")
    np.testing.assert_array_equal(read(path).array[:, 0], bands)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_as_pillow_does(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, COLOUR, photometric="rgb", extratags=[(274, "H", 1, turn, True)],
                     resolution=(100, 200), resolutionunit="CENTIMETER")  # fmt: skip
    picture = Picture.open(path)
    picture.load()
    image = read(path)
    np.testing.assert_array_equal(
        np.moveaxis(image.array[:, 0], 0, 2), np.asarray(ImageOps.exif_transpose(picture))
    )
    assert image.geometry == Plane((0.05, 0.1) if turn > 4 else (0.1, 0.05))


def test_a_palette_of_8_bits_is_not_black(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    palette = RNG.integers(0, 256, (3, 256)).astype(np.uint16)
    tifffile.imwrite(path, GREY, photometric="palette", colormap=palette)
    np.testing.assert_array_equal(read(path).array[:, 0], palette[:, GREY])
    tifffile.imwrite(path, GREY, photometric="palette", colormap=palette * 257)
    np.testing.assert_array_equal(read(path).array[:, 0], palette[:, GREY])


def test_what_is_no_grey_and_no_rgb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.dstack([COLOUR, COLOUR[..., :1]]), photometric="separated")
    with pytest.raises(FormatError, match="SEPARATED"):
        tiff.header(Source.of(path))
    tifffile.imwrite(path, GREY.astype(np.complex64))
    with pytest.raises(FormatError, match="complex64"):
        tiff.header(Source.of(path))
    tifffile.imwrite(path, COLOUR, photometric="ycbcr", subsampling=(1, 1))
    with pytest.raises(FormatError, match="YCbCr colours in NONE"):
        tiff.header(Source.of(path))


@pytest.mark.parametrize(
    ("per_unit", "unit", "expected"),
    [
        ((50, 25), "CENTIMETER", Plane((0.2, 0.4))),
        ((254, 254), "INCH", Plane((0.1, 0.1))),
        ((72, 72), "INCH", None),
        ((96, 96), "INCH", None),
        ((28.346, 28.346), "CENTIMETER", None),  # 72 dots per inch
        ((1, 1), "CENTIMETER", None),
        ((50, 50), "NONE", None),
    ],
)
def test_a_resolution_is_a_plane_where_it_is_a_length(
    tmp_path: Path, per_unit: tuple[float, float], unit: str, expected: Plane | None
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, GREY, resolution=per_unit, resolutionunit=unit, metadata=None)
    assert read(path).geometry == expected


ORDERS = ("XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC")
OME = {
    "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 3e-3,
    "PhysicalSizeZUnit": "mm", "TimeIncrement": 500, "TimeIncrementUnit": "ms",
    "Channel": {"Name": ["DAPI", "GFP", "Cy5"], "EmissionWavelength": [461, 509, 670],
                "EmissionWavelengthUnit": ["nm"] * 3},
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_ome_in_any_order(tmp_path: Path, order: str) -> None:
    path = tmp_path / "x.ome.tif"
    axes = order[:1:-1]  # the slowest first, as in the array
    data = np.transpose(STACK, ["TCZ".index(a) for a in axes] + [3, 4])
    tifffile.imwrite(path, data, ome=True, photometric="minisblack",
                     metadata={"axes": f"{axes}YX", **OME})  # fmt: skip
    image = read(path)
    np.testing.assert_array_equal(image.array, STACK.reshape(6, 4, 11, 13))
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, np.diag([0.25e-3, 0.5e-3, 3e-3, 1]))
    assert [c.name for c in image.channels] == ["DAPI", "GFP", "Cy5"] * 2
    assert [c.wavelength for c in image.channels] == [461, 509, 670] * 2
    assert [c.time for c in image.channels] == [0, 0, 0, 0.5, 0.5, 0.5]
    part = tiff.slab(Source.of(path), 1, 3)
    np.testing.assert_array_equal(part.array, image.array[:, 1:3])
    assert isinstance(part.geometry, Patient)
    np.testing.assert_allclose(part.geometry.affine[:3, 3], [0, 0, 3e-3])


def test_ome_of_several_images_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "x.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(COLOUR, photometric="rgb", metadata={"axes": "YXS", "PhysicalSizeX": 2,
                                                        "PhysicalSizeY": 4})  # fmt: skip
        file.write(STACK[0, 0], photometric="minisblack", metadata={"axes": "ZYX"})
    assert [s.member for s in tiff.find(path)] == ["0", "1"]
    picture, volume = read(path, "0"), read(path, "1")
    np.testing.assert_array_equal(np.moveaxis(picture.array[:, 0], 0, 2), COLOUR)
    assert picture.geometry == Plane((0.002, 0.004))
    assert picture.channels == RGB
    np.testing.assert_array_equal(volume.array[0], STACK[0, 0])
    assert volume.geometry is None


def ome_with(path: Path, old: str, new: str) -> Path:
    """An OME-TIFF of three planes whose XML was changed."""
    said = {"axes": "ZYX", "PhysicalSizeX": 1.5, "PhysicalSizeY": 1.5}
    tifffile.imwrite(path, STACK[0, 0, :3], ome=True, photometric="minisblack", metadata=said)
    with tifffile.TiffFile(path) as file:
        xml = file.pages[0].description
    assert old in xml
    tifffile.tiffcomment(path, xml.replace(old, new).encode())
    return path


HOSTILE = {
    "entities": ("<OME ", '<!DOCTYPE OME [<!ENTITY a "b">]><OME ', "document type"),
    "a file": ("<OME ", '<!DOCTYPE OME SYSTEM "file:///etc/passwd"><OME ', "document type"),
    "a million planes": ('SizeZ="3"', 'SizeZ="999999999"', "promises 999,999,999"),
    "no planes": ('SizeZ="3"', 'SizeZ="0"', "1 or more"),
    "other order": ('DimensionOrder="XY', 'DimensionOrder="XZ', "DimensionOrder"),
    "other type": ('Type="uint16"', 'Type="int16"', "as its XML says"),
    "other size": ('SizeX="13"', 'SizeX="26"', "as its XML says"),
    "one plane": ('PlaneCount="3"', 'PlaneCount="1"', "z=1"),
    "infinite": ('PhysicalSizeX="1.5"', 'PhysicalSizeX="inf"', "finite"),
    "broken": ("</OME>", "</EMO>", "cannot be read"),
    "negative": ('PhysicalSizeX="1.5"', 'PhysicalSizeX="-1.5"', "length above 0"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ome_is_refused(tmp_path: Path, name: str) -> None:
    old, new, reason = HOSTILE[name]
    path = ome_with(tmp_path / "x.ome.tif", old, new)
    with pytest.raises((FormatError, GeometryError), match=reason):
        tiff.read(Source.of(path))


def test_an_ome_tiff_whose_description_is_cut_off(tmp_path: Path) -> None:
    """tifffile writes the description last, and passes over tags that it cannot read."""
    path = tmp_path / "x.ome.tif"
    tifffile.imwrite(path, STACK[0, 0], ome=True, photometric="minisblack",
                     metadata={"axes": "ZYX", "PhysicalSizeX": 1, "PhysicalSizeY": 1})  # fmt: skip
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="tag 270 cannot be read"):
        tiff.read(Source.of(path))


def test_planes_in_other_files_are_refused(tmp_path: Path) -> None:
    """No other file is opened, though one lies there by the name given."""
    path = tmp_path / "x.ome.tif"
    blocks = '<TiffData IFD="0" PlaneCount="1"{}<TiffData IFD="1" FirstZ="1" PlaneCount="2"{}'
    name = '><UUID FileName="{0}">urn:uuid:{0}</UUID></TiffData>'
    old = '<TiffData IFD="0" PlaneCount="3"/>'
    ome_with(path, old, blocks.format(name.format("x.ome.tif"), name.format("y.ome.tif")))
    shutil.copy(path, tmp_path / "y.ome.tif")
    with pytest.raises(FormatError, match="lie in other files"):
        tiff.read(Source.of(path))
    ome_with(path, old, blocks.format("/>", "/>"))
    np.testing.assert_array_equal(read(path).array[0], STACK[0, 0, :3])


def test_imagej_hyperstacks(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    data = np.moveaxis(STACK, 1, 2)  # T, Z, C, Y, X
    tifffile.imwrite(path, data, imagej=True, resolution=(4, 2),
                     metadata={"axes": "TZCYX", "unit": "micron", "spacing": 3.0,
                               "finterval": 0.5})  # fmt: skip
    image = read(path)
    np.testing.assert_array_equal(image.array, STACK.reshape(6, 4, 11, 13))
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(image.geometry.affine, np.diag([0.25e-3, 0.5e-3, 3e-3, 1]))
    assert [c.time for c in image.channels] == [0, 0, 0, 0.5, 0.5, 0.5]
    np.testing.assert_array_equal(tiff.slab(Source.of(path), 2, 3).array, image.array[:, 2:3])


def test_imagej_stack_with_one_directory(tmp_path: Path) -> None:
    """ImageJ writes stacks above 4 GB with one directory; the planes follow one another."""
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0, 0], imagej=True, metadata={"axes": "ZYX"}, truncate=True)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    np.testing.assert_array_equal(read(path).array[0], STACK[0, 0])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match=r"4 slices|truncated|promises"):
        tiff.read(Source.of(path))


def test_imagej_signed_values(tmp_path: Path) -> None:
    """Signed 16 bits are stored from 0, with the line that brings them back."""
    path = tmp_path / "x.tif"
    text = "ImageJ=1.53t\nimages=1\ncf=0\nc0=-32768\nc1=1\nvunit=gray value\n"
    tifffile.imwrite(path, (GREY.astype(np.uint16) + 32_000), description=text, metadata=None)
    image = read(path)
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[0, 0], GREY.astype(int) + 32_000 - 32_768)
    tifffile.imwrite(path, GREY, description=text.replace("cf=0", "cf=21"), metadata=None)
    with pytest.raises(FormatError, match="no line"):
        tiff.read(Source.of(path))


def pyramid(path: Path, *, sub: bool) -> list[np.ndarray]:
    """Three levels, below the first page (OME's way) or behind it (the scanners')."""
    levels = [np.kron(GREY[:24, :20], np.ones((n, n), np.uint8)) for n in (4, 2, 1)]
    with tifffile.TiffWriter(path) as file:
        size: dict[str, Any] = {"tile": (16, 16), "metadata": None}
        file.write(levels[0], subifds=2 if sub else 0, resolution=(1e5, 1e5),
                   resolutionunit="CENTIMETER", **size)  # fmt: skip
        for level in levels[1:]:
            file.write(level, subfiletype=int(sub), **size)
    return levels


@pytest.mark.parametrize("sub", [True, False])
def test_the_largest_level_is_the_image(tmp_path: Path, sub: bool) -> None:
    path = tmp_path / "x.tif"
    levels = pyramid(path, sub=sub)
    assert [s.member for s in tiff.find(path)] == [None]
    for number, level in enumerate(levels):
        image = read(path, f"level/{number}")
        np.testing.assert_array_equal(image.array[0, 0], level)
        assert image.geometry == Plane((1e-4 * 2**number, 1e-4 * 2**number))
    np.testing.assert_array_equal(read(path).array[0, 0], levels[0])
    np.testing.assert_array_equal(
        formats.load("tiff").read(Source.of(path, "0/level/2")).array[0, 0], levels[2]
    )
    for wrong in ("level/3", "1", "level/x", "0level/1", "../x"):
        with pytest.raises(FormatError, match=r"no (level|image)"):
            tiff.read(Source.of(path, wrong))


def test_a_slide_too_large_names_its_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.tif"
    pyramid(path, sub=True)
    for module in (tiff, guard):
        monkeypatch.setattr(module, "MAX_BYTES", 40 * 48)
    with pytest.raises(FormatError, match=r"x\.tif#level/1"):
        tiff.header(Source.of(path))
    assert tiff.header(Source.of(path, "level/1")).shape == (1, 1, 48, 40)
    monkeypatch.setattr(tiff, "MAX_BYTES", 10)
    with pytest.raises(FormatError, match="no smaller copy"):
        tiff.header(Source.of(path))


def test_a_slide_of_terabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, GREY, metadata=None, bigtiff=True)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(1_500_000, dtype="I")
        file.pages[0].tags["ImageLength"].overwrite(1_500_000, dtype="I")
    with pytest.raises(FormatError, match="1,500,000 × 1,500,000"):
        tiff.header(Source.of(path))


def test_pages_that_share_their_pixels_promise_too_much(tmp_path: Path) -> None:
    """A bomb: two thousand directories of one strip promise 320 MB from 0.4 MB."""
    path = tmp_path / "x.tif"
    pages, side = 2000, 400
    tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side,
            279: side * side}  # fmt: skip
    data = b"II*\0" + struct.pack("<I", 8 + side * side) + bytes(side * side)
    for number in range(pages):
        data += struct.pack("<H", len(tags))
        for tag, value in tags.items():
            data += struct.pack("<HHII", tag, 4, 1, value)
        data += struct.pack("<I", len(data) + 4 if number < pages - 1 else 0)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="promises"):
        tiff.header(Source.of(path))
    assert tiff.header(Source(str(tmp_path), ("x.tif",), None, (3, 5))).shape == (1, 2, 400, 400)


def test_missing_tiles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, GREY, tile=(16, 16), metadata=None, compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages[0].tags["TileByteCounts"]
        tag.overwrite((0, *tag.value[1:]))
    with pytest.raises(FormatError, match="5 of a page's 6"):
        tiff.read(Source.of(path))


def test_a_compressed_piece_may_not_be_larger_than_its_page(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), compression="jpeg", metadata=None)
    data = path.read_bytes()
    at = data.index(b"\xff\xc0\x00\x0b\x08") + 5
    path.write_bytes(data[:at] + b"\xff\x00\xff\x00" + data[at + 4 :])
    with pytest.raises(FormatError, match="65280×65280"):
        tiff.read(Source.of(path))


def test_only_the_wanted_pages_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK[0, 0], photometric="minisblack", compression="zlib")
    decoded: list[int] = []
    real = tifffile.TiffPage.asarray

    def counted(page: tifffile.TiffPage, **choices: Any) -> np.ndarray:
        decoded.append(page.index)
        return real(page, **choices)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", counted)
    tiff.header(Source.of(path))
    assert decoded == []
    tiff.slab(Source.of(path), 1, 3)
    assert decoded == [1, 2]


def test_a_file_cut_between_its_pages_is_refused(tmp_path: Path) -> None:
    """Its first page is whole; the others must not be lost without a word."""
    path = tmp_path / "x.tif"
    stack = np.arange(3 * 24 * 20, dtype=np.uint16).reshape(3, 24, 20)
    tifffile.imwrite(path, stack, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tiff:
        second = tiff.pages[1].offset
    path.write_bytes(path.read_bytes()[: max(second, 24 * 20 * 2 * 3 + 8)])
    with pytest.raises(FormatError):
        formats.read(path)
