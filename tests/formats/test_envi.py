"""ENVI cubes: equal to SpectralPython and to the bytes by hand, bands chosen, damage refused."""

from __future__ import annotations

import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from cubes import AXES, CODES, NM, cube, wavelengths, write_envi
from spectral.io import envi as spectral_envi

from hounsfield import formats
from hounsfield.errors import FormatError, HounsfieldError
from hounsfield.formats.contract import Source
from hounsfield.geometry import Plane


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("interleave", AXES)
@pytest.mark.parametrize("kind", CODES)
def test_every_type_interleave_and_order_equals_spectral(
    kind: str, interleave: str, order: str, tmp_path: Path
) -> None:
    path = write_envi(
        tmp_path / "cube.dat", cube(kind), interleave=interleave, order=order, junk=b"junk" * 5
    )
    image = formats.read(path)
    with warnings.catch_warnings():  # it warns of nothing that concerns us
        warnings.simplefilter("ignore")
        theirs = np.asarray(spectral_envi.open(f"{path}.hdr", str(path)).open_memmap())
    expected = np.moveaxis(theirs, 2, 0)  # (bands, lines, samples)
    if kind.startswith("c"):
        np.testing.assert_array_equal(image.array[::2, 0], expected.real)
        np.testing.assert_array_equal(image.array[1::2, 0], expected.imag)
        assert [channel.name for channel in image.channels[:2]] == ["real", "imaginary"]
    else:
        assert image.array.dtype == np.dtype(kind)
        np.testing.assert_array_equal(image.array[:, 0], expected)
    np.testing.assert_array_equal(expected, cube(kind))  # and by hand


@pytest.mark.parametrize("interleave", AXES)
def test_what_spectral_writes(interleave: str, tmp_path: Path) -> None:
    meta = {"wavelength": list(NM), "wavelength units": "Nanometers", "fwhm": [9.5] * 7,
            "bbl": [1, 1, 0, 1, 1, 1, 1], "band names": [f"b{i}" for i in range(7)]}  # fmt: skip
    spectral_envi.save_image(
        str(tmp_path / "x.hdr"), np.moveaxis(cube("f4"), 0, 2), interleave=interleave,
        metadata=meta, dtype=np.float32,
    )  # fmt: skip
    image = formats.read(tmp_path / "x.hdr")
    np.testing.assert_array_equal(image.array[:, 0], cube("f4"))
    assert tuple(channel.wavelength for channel in image.channels) == NM
    assert [channel.name for channel in image.channels] == [f"b{i}" for i in range(7)]
    assert image.stored["fwhm"] == (9.5,) * 7
    assert image.stored["bbl"] == (True, True, False, True, True, True, True)
    assert "1 of 7 bands marked bad" in str(formats.header(tmp_path / "x.hdr").facts.stored)
    np.testing.assert_array_equal(formats.read(tmp_path / "x.img").array, image.array)


@pytest.mark.parametrize("interleave", AXES)
def test_near_infrared_alone(interleave: str, tmp_path: Path) -> None:
    write_envi(tmp_path / "x.dat", interleave=interleave, lines=wavelengths())
    part = formats.read(f"{tmp_path / 'x.dat'}#700-900")
    assert [channel.wavelength for channel in part.channels] == [705.5, 780.25, 850.0]
    np.testing.assert_array_equal(part.array[:, 0], cube()[3:6])
    assert formats.header(f"{tmp_path / 'x.dat.hdr'}#700-900").shape == part.shape


@pytest.mark.parametrize("interleave", AXES)
def test_some_bands_take_the_memory_of_some_bands(interleave: str, tmp_path: Path) -> None:
    rows = 400 if interleave == "bsq" else 10  # 4 GB and 100 MB
    numbers = ",".join(str(400 + i / 50) for i in range(20_000))
    lines = f"bands = 20000\nlines = {rows}\nsamples = 256\nwavelength = {{{numbers}}}\n"
    path = write_envi(tmp_path / "x.dat", interleave=interleave, lines=lines)
    os.truncate(path, 20_000 * rows * 256 * 2)  # sparse: nothing lies on the disk
    tracemalloc.start()
    part = formats.read(f"{path}#700-700.1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert part.shape == (6, 1, rows, 256)
    assert peak < 40 << 20  # of which the header's 20,000 numbers are the most


def test_ranges_that_name_no_band(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat", lines=wavelengths())
    for member, words in (("1000-1100", "within 450 to 940 nm"), ("red", "range in nm")):
        with pytest.raises(FormatError, match=words):
            formats.read(Source.of(path, member))
    with pytest.raises(FormatError, match="no wavelengths"):
        formats.read(Source.of(write_envi(tmp_path / "y.dat"), "700-900"))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("Nanometers", 1), ("nm", 1), ("Micrometers", 1e-3), ("um", 1e-3), ("µm", 1e-3),
        ("Unknown", 1), ("Unknown", 1e-3), ("", 1), ("Angstroms", 10),
    ],
)  # fmt: skip
def test_wavelengths_are_nanometres(unit: str, factor: float, tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat", lines=wavelengths(unit, factor))
    channels = formats.header(path).channels
    assert [channel.wavelength for channel in channels] == pytest.approx(list(NM))
    told = "by their size" in str(formats.header(path).facts.stored)
    assert told == (unit in ("Unknown", ""))  # a conclusion is never silent


def test_wavenumbers_and_frequencies_are_turned_round(tmp_path: Path) -> None:
    numbers = ", ".join(str(1e7 / nm) for nm in NM)
    lines = f"wavelength units = Wavenumber\nwavelength = {{{numbers}}}\n"
    lines += f"fwhm = {{{', '.join(['10'] * 7)}}}\n"
    image = formats.read(write_envi(tmp_path / "x.dat", lines=lines))
    assert [channel.wavelength for channel in image.channels] == pytest.approx(list(NM))
    assert image.stored["fwhm"][0] == pytest.approx(450**2 * 10 / 1e7)
    index = "wavelength units = Index\nwavelength = {1, 2, 3, 4, 5, 6, 7}\n"
    image = formats.read(write_envi(tmp_path / "y.dat", lines=index))
    assert image.channels[0].wavelength is None


def test_reflectance_radiance_and_pixels_without_data(tmp_path: Path) -> None:
    scaled = "reflectance scale factor = 10000.0\ndata ignore value = 0\n"
    image = formats.read(write_envi(tmp_path / "x.dat", lines=scaled))
    assert image.array.dtype == np.float32
    assert image.channels[0].unit == "reflectance"
    assert np.isnan(image.array[0, 0, 0, 0])
    np.testing.assert_allclose(image.array[6, 0], cube()[6] / 1e4, rtol=1e-6)
    gains = ", ".join(str(i + 1) for i in range(7))
    offsets = ", ".join(str(10 * i) for i in range(7))
    lines = f"data gain values = {{{gains}}}\ndata offset values = {{{offsets}}}\n"
    path = write_envi(tmp_path / "y.dat", lines=lines + wavelengths())
    part = formats.read(f"{path}#700-800")  # the fourth and fifth band's own gains
    np.testing.assert_allclose(part.array[0, 0], cube()[3] * 4.0 + 30)
    np.testing.assert_allclose(part.array[1, 0], cube()[4] * 5.0 + 40)
    both = scaled + lines
    with pytest.raises(FormatError, match="data gain values"):
        formats.read(write_envi(tmp_path / "z.dat", lines=both))


@pytest.mark.parametrize(
    ("line", "spacing"),
    [
        ("map info = {UTM, 1, 1, 332499.6, 5419368.7, 5.3, 2.5, 33, North, WGS-84, units=Meters}",
         (5300.0, 2500.0)),
        ("pixel size = {0.25, 0.5, units=Millimeters}", (0.25, 0.5)),
        ("map info = {Arbitrary, 1, 1, 0, 0, 12, 12, units=um}", (0.012, 0.012)),
        ("map info = {Arbitrary, 1, 1, 0, 0, 12, 12}", None),
        ("map info = {Geographic Lat/Lon, 1, 1, 8, 50, 0.1, 0.1, WGS-84, units=Degrees}", None),
    ],
)  # fmt: skip
def test_the_pixel_size_only_where_its_unit_is_said(
    line: str, spacing: tuple[float, float] | None, tmp_path: Path
) -> None:
    geometry = formats.header(write_envi(tmp_path / "x.dat", lines=line + "\n")).geometry
    if spacing is None:
        assert geometry is None
    else:
        assert isinstance(geometry, Plane)
        assert geometry.spacing == pytest.approx(spacing)


def test_either_file_names_the_cube(tmp_path: Path) -> None:
    for data, header in (("a.dat", "a.hdr"), ("b", "b.hdr"), ("c.cube", "c.cube.hdr"),
                         ("d.RAW", "d.HDR")):  # fmt: skip
        path = write_envi(tmp_path / data)
        if f"{data}.hdr" != header:
            Path(f"{path}.hdr").rename(tmp_path / header)
        for name in (data, header):
            assert formats.sniff(tmp_path / name) == "envi"
            np.testing.assert_array_equal(formats.read(tmp_path / name).array[:, 0], cube())
    alone = tmp_path / "e.hdr"
    alone.write_text((tmp_path / "a.hdr").read_text())
    with pytest.raises(FormatError, match="no data file beside it"):
        formats.read(alone)


def test_headers_as_people_write_them(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat")
    text = Path(f"{path}.hdr").read_text()
    text = text.replace("samples", "Samples ").replace("header offset", "headeroffset")
    text = text.replace("\n", "\r\n").replace("bsq", "BSQ")
    text += "; a comment = with an equals sign\r\ndescription = {\r\n a = b\r\n; more\r\n}\r\n"
    text += "sensor type = Größe\r\nwavelength units =\r\n"
    Path(f"{path}.hdr").write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    np.testing.assert_array_equal(formats.read(path).array[:, 0], cube())
    Path(f"{path}.hdr").write_bytes(text.encode("latin-1"))
    np.testing.assert_array_equal(formats.read(path).array[:, 0], cube())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("samples = 6", "header promises"),
        ("samples = 99999999999999", "`samples`"),
        ("samples = 999999999", "header promises"),
        ("lines = 0", "`lines` is '0'"),
        ("lines = -4", "`lines`"),
        ("bands = 9999999", "`bands`"),
        ("bands = 7.5", "`bands`"),
        ("header offset = 999", "header promises"),
        ("header offset = -1", "`headeroffset`"),
        ("data type = 7", "`datatype`"),
        ("byte order = 2", "`byteorder`"),
        ("interleave = tiles", "bsq, bil or bip"),
        ("wavelength = {1, 2}", "2 numbers for 7 bands"),
        ("wavelength = {1, 2, 3, 4, 5, 6, nan}\nwavelength units = nm", "finite"),
        ("wavelength = {1, 2, 3, 4, 5, 6, x}", "numbers, parted by commas"),
        ("wavelength = {1, 2, 3, 4, 5, 6, 7}\nwavelength units = parsec", "`wavelengthunits`"),
        ("bbl = {1, 0}", "`bbl` has 2 numbers"),
        ("reflectance scale factor = 0", "above 0"),
        ("file type = ENVI Spectral Library", "no plain image"),
        ("file compression = 1", "no plain image"),
        ("major frame offsets = {0, 4}", "no gaps"),
        ("pixel size = {-1, 1, units=mm}", "sizes above 0"),
        ("data ignore value = none", "a number"),
    ],
)
def test_lying_headers_are_refused(line: str, words: str, tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat", lines=line + "\n")
    for ask in (formats.read, formats.header):
        with pytest.raises(FormatError, match=words) as caught:
            ask(path)
        assert caught.value.expected or caught.value.remedy


@pytest.mark.parametrize("field", ["samples", "lines", "bands", "data type", "byte order",
                                   "interleave"])  # fmt: skip
def test_what_is_not_said_is_not_guessed(field: str, tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat")
    text = Path(f"{path}.hdr").read_text().splitlines(keepends=True)
    Path(f"{path}.hdr").write_text("".join(line for line in text if not line.startswith(field)))
    with pytest.raises(FormatError, match=field.replace(" ", "")):
        formats.read(path)


def test_mutants_end_in_an_image_or_in_our_error(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "x.dat", lines=wavelengths() + "bbl = {1,1,1,1,1,1,0}\n")
    text = Path(f"{path}.hdr").read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(300):
        changed = bytearray(text)
        for at in rng.integers(5, len(text), 3):
            changed[at] = int(rng.choice(np.frombuffer(b"0123456789-{},=;\n\x00\xff e", np.uint8)))
        Path(f"{path}.hdr").write_bytes(bytes(changed[: int(rng.integers(5, len(text) + 1))]))
        for ask in (formats.read, formats.header):
            try:
                assert ask(path).shape[0] > 0
            except HounsfieldError:
                continue
