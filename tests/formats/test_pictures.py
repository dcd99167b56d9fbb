"""PNG, JPEG and TIFF against Pillow and tifffile."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as Picture
from PIL import ImageOps

from hounsfield import formats
from hounsfield.errors import FormatError
from hounsfield.formats.contract import Like, Source
from hounsfield.image import RGB, Image

RNG = np.random.default_rng(5)
SMOOTH = np.kron(RNG.integers(0, 256, (5, 7, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def shown(image: Image) -> np.ndarray:
    """(Y, X) or (Y, X, 3)."""
    return image.array[0, 0] if image.shape[0] == 1 else np.moveaxis(image.array[:, 0], 0, 2)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_png_equals_pillow(tmp_path: Path, mode: str) -> None:
    picture = Picture.fromarray(SMOOTH).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Picture.fromarray(np.asarray(picture).astype(np.uint16) * 250)
    picture.save(tmp_path / "x.png")
    expected = picture.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    image = formats.read(tmp_path / "x.png")
    np.testing.assert_array_equal(shown(image), np.asarray(expected))
    assert formats.header(tmp_path / "x.png").shape == image.shape
    assert image.geometry is None


@pytest.mark.parametrize(("alpha", "said"), [(255, "opaque"), (9, "dropped")])
def test_alpha_is_dropped_and_said(tmp_path: Path, alpha: int, said: str) -> None:
    rgba = np.dstack([SMOOTH, np.full(SMOOTH.shape[:2], alpha, np.uint8)])
    Picture.fromarray(rgba).save(tmp_path / "x.png")
    image = formats.read(tmp_path / "x.png")
    np.testing.assert_array_equal(shown(image), SMOOTH)
    assert image.stored["alpha"] == said
    assert image.channels == RGB


def test_colours_of_16_bits_stay(tmp_path: Path) -> None:
    """Pillow would make 8 bits of them."""
    deep = RNG.integers(0, 65536, (6, 7, 3)).astype(np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_array_equal(shown(formats.read(tmp_path / "x.png")), deep)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_jpeg_is_upright_as_in_pillow(tmp_path: Path, mode: str, turn: int) -> None:
    exif = Picture.Exif()
    exif[0x0112] = turn
    Picture.fromarray(SMOOTH).convert(mode).save(tmp_path / "x.jpg", exif=exif, quality=90)
    expected = np.asarray(ImageOps.exif_transpose(Picture.open(tmp_path / "x.jpg")))
    image = formats.read(tmp_path / "x.jpg")
    np.testing.assert_array_equal(shown(image), expected)
    assert formats.header(tmp_path / "x.jpg").shape == image.shape


def test_a_jpeg_that_is_cut_before_its_size_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Picture.new("L", (9, 7)).save(path, comment=b"long" * 300)
    path.write_bytes(path.read_bytes()[:900])
    for ask in (formats.read, formats.header):
        with pytest.raises(FormatError, match="no frame header") as caught:
            ask(path)
        assert caught.value.file == path


def test_cmyk_is_refused(tmp_path: Path) -> None:
    Picture.fromarray(SMOOTH).convert("CMYK").save(tmp_path / "x.jpg")
    with pytest.raises(FormatError, match="4 colour components"):
        formats.read(tmp_path / "x.jpg")


def test_real_jpegs(real_data: Path) -> None:
    folders = ("bccd/JPEGImages", "slices", "thermal")
    files = [p for name in folders for p in sorted((real_data / name).glob("*.jpg"))[:3]]
    assert len(files) > 5
    for path in files:
        expected = np.asarray(ImageOps.exif_transpose(Picture.open(path)))
        member = "#palette" if path.parent.name == "thermal" else ""
        np.testing.assert_array_equal(shown(formats.read(f"{path}{member}")), expected)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_tiff_pages_lie_along_z(tmp_path: Path, compression: str | None, kind: str) -> None:
    pages = RNG.integers(0, 120, (3, 6, 7)).astype(kind)
    tifffile.imwrite(tmp_path / "x.tif", pages, compression=compression, photometric="minisblack")
    image = formats.read(tmp_path / "x.tif")
    assert image.array.dtype == kind
    np.testing.assert_array_equal(image.array[0], pages)
    np.testing.assert_array_equal(formats.open(tmp_path / "x.tif").slab(1, 2).array[0], pages[1:2])


def test_tiff_colours_palettes_tiles_and_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, SMOOTH, photometric="rgb", tile=(16, 16))
    np.testing.assert_array_equal(shown(formats.read(path)), SMOOTH)
    tifffile.imwrite(path, np.moveaxis(SMOOTH, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(shown(formats.read(path)), SMOOTH)
    palette = Picture.fromarray(SMOOTH).convert("P")
    palette.save(path)
    np.testing.assert_array_equal(shown(formats.read(path)), np.asarray(palette.convert("RGB")))
    tifffile.imwrite(path, SMOOTH[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(shown(formats.read(path)), 255 - SMOOTH[..., 0])


def test_tiff_of_several_sizes_names_its_images(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as tiff:
        for size in (4, 6):
            tiff.write(np.full((size, size), size, np.uint8), metadata=None)
    assert [source.member for source in formats.find(path)] == ["0", "1"]
    assert formats.read(Source.of(path, "1")).shape == (1, 1, 6, 6)
    with pytest.raises(FormatError, match="2 images"):
        formats.read(path)
    with pytest.raises(FormatError, match="no image '2'"):
        formats.read(Source.of(path, "2"))


def test_nan_and_infinity_stay(tmp_path: Path) -> None:
    values = np.array([[np.nan, 1.5], [-np.inf, 0]], np.float32)
    formats.write(Image.from_numpy(values), tmp_path / "x.tif")
    np.testing.assert_array_equal(formats.read(tmp_path / "x.tif").array[0, 0], values)
    with pytest.raises(FormatError, match="whole numbers"):
        formats.write(Image.from_numpy(values), tmp_path / "x.png")


def test_a_window_of_a_picture(tmp_path: Path) -> None:
    formats.write(Image.from_numpy(np.array([[0, 64, 128]], np.uint8)), tmp_path / "x.png")
    values = formats.read(tmp_path / "x.png", like=Like(window=(64, 128))).array[0, 0, 0]
    np.testing.assert_allclose(values, [0, 0.5, 1])
    with pytest.raises(FormatError, match="VOI"):
        formats.read(tmp_path / "x.png", like=Like(voi=True))


def _png(path: Path, side: int, bits: int, kind: int, samples: int) -> None:
    """An empty picture; only its palette's first colour is seen."""
    row = 1 + (side * bits * samples + 7) // 8
    blocks = {
        b"IHDR": struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 0),
        b"PLTE": bytes((7, 8, 9)),
        b"IDAT": zlib.compress(bytes(row * side), 9),
        b"IEND": b"",
    }
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in blocks.items():
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(data)


def test_an_empty_picture_is_no_lie(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    _png(path, 9000, 1, 3, 1)
    image = formats.read(path)
    assert image.array[:, 0, 5, 6].tolist() == [7, 8, 9]
    assert image.shape == (3, 1, 9000, 9000)


def test_a_picture_of_bits_that_promises_too_much(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    _png(path, 8000, 8, 2, 3)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 24000, 24000)  # nine times as many pixels
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    with pytest.raises(FormatError, match="promises"):
        formats.header(Source.of(path))
