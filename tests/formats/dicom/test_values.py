"""DICOM values, colours, windows and refusals, on files made to measure."""

from __future__ import annotations

import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut, convert_color_space

from hounsfield import formats
from hounsfield.catalog.layouts.reading import age_of
from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.contract import Like, Source
from hounsfield.formats.dicom import file as dicom_file
from hounsfield.formats.dicom.tags import age_in_years
from hounsfield.geometry import Patient, Plane

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 85


def test_whole_hounsfield_units_are_int16(make_dicom: Any) -> None:
    path = make_dicom(RAMP, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, BitsStored=12,
                      HighBit=11)  # fmt: skip
    image = formats.read(path)
    assert image.array.dtype == np.int16
    assert image.channels[0].unit == "HU"
    np.testing.assert_array_equal(image.array[0, 0], RAMP.astype(int) - 1024)


def test_hounsfield_units_that_do_not_fit_become_float32(make_dicom: Any) -> None:
    stored = np.array([[-32768, 0], [5, 32767]], np.int16)
    path = make_dicom(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    image = formats.read(path)
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array[0, 0], stored.astype(int) - 1024)


def test_a_broken_slope_gives_float32(make_dicom: Any) -> None:
    path = make_dicom(RAMP, RescaleSlope="0.25", RescaleIntercept="-3.5")
    image = formats.read(path)
    assert image.array.dtype == np.float32
    np.testing.assert_allclose(image.array[0, 0], RAMP * 0.25 - 3.5, rtol=1e-7)


@pytest.mark.parametrize("signed", [False, True])
def test_only_the_stored_bits_count(make_dicom: Any, signed: bool) -> None:
    """12 bits in 16, with an overlay in the upper four."""
    rng = np.random.default_rng(1)
    true = rng.integers(-2048, 2048, (6, 8)) if signed else rng.integers(0, 4096, (6, 8))
    garbage = rng.integers(0, 16, (6, 8)) << 12
    stored = ((true & 0xFFF) | garbage).astype(np.uint16)
    path = make_dicom(stored, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    np.testing.assert_array_equal(formats.read(path).array[0, 0], true)


def test_bits_stored_at_the_top(make_dicom: Any) -> None:
    path = make_dicom((RAMP << 4) | 7, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP)


@pytest.mark.parametrize(("signed", "total"), [(False, 4095), (True, -1)])
def test_monochrome1_is_turned_within_its_bits(make_dicom: Any, signed: bool, total: int) -> None:
    stored = RAMP.astype(np.int16) - 2048 if signed else RAMP
    path = make_dicom(
        stored, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11,
        RescaleSlope=2, RescaleIntercept=10, WindowCenter=100, WindowWidth=50,
    )  # fmt: skip
    image, head = formats.read(path), formats.header(path)
    np.testing.assert_array_equal(image.array[0, 0], 2 * (total - stored.astype(int)) + 10)
    assert head.facts.window == (2 * total + 20 - 100, 50)
    assert image.stored["inverted"]


def test_monochrome1_leaves_hounsfield_units_alone(make_dicom: Any) -> None:
    path = make_dicom(
        RAMP, Modality="CT", PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11,
        RescaleSlope=1, RescaleIntercept=-1024,
    )  # fmt: skip
    np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP.astype(int) - 1024)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("frames", [1, 3])
def test_colours_come_first(make_dicom: Any, planar: int, frames: int) -> None:
    colours = np.random.default_rng(2).integers(0, 256, (frames, 4, 6, 3)).astype(np.uint8)
    stored = np.moveaxis(colours, 3, 1) if planar else colours
    raw = stored.tobytes()
    path = make_dicom(colours, colour=True, PlanarConfiguration=planar, PixelData=raw)
    image = formats.read(path)
    np.testing.assert_array_equal(image.array, np.moveaxis(colours, 3, 0))
    assert [channel.colour for channel in image.channels] == ["red", "green", "blue"]


def test_full_ybr_becomes_rgb(make_dicom: Any) -> None:
    """PS3.3 C.7.6.3.1.2 by hand: pure red is Y 76, Cb 85, Cr 255."""
    ybr = np.array([[[76, 85, 255], [255, 128, 128], [0, 128, 128]]], np.uint8)
    image = formats.read(make_dicom(ybr, colour=True, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_array_equal(image.array[:, 0, 0].T, [[254, 0, 0], [255] * 3, [0] * 3])


def test_halved_ybr_shares_its_colours(make_dicom: Any) -> None:
    raw = bytes([76, 150, 85, 255, 10, 20, 128, 128])  # Y1 Y2 Cb Cr, twice
    path = make_dicom(np.zeros((1, 4, 3), np.uint8), colour=True, PixelData=raw,
                      PhotometricInterpretation="YBR_FULL_422")  # fmt: skip
    pixels = formats.read(path).array[:, 0, 0].T
    np.testing.assert_array_equal(pixels[2:], [[10] * 3, [20] * 3])
    assert pixels[0].tolist() == [254, 0, 0]
    assert pixels[1, 0] == 255


def test_a_palette_becomes_rgb(make_dicom: Any) -> None:
    table = np.array([[0, 10, 20, 30], [0, 11, 21, 31], [0, 12, 22, 32]], np.uint16) << 8
    index = np.array([[0, 1, 2], [3, 2, 9]], np.uint8)  # 9 is beyond the end: the last entry
    tables = {}
    for name, entries in zip(("Red", "Green", "Blue"), table, strict=True):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        tables[f"{name}PaletteColorLookupTableData"] = entries.astype("<u2").tobytes()
    path = make_dicom(index, PhotometricInterpretation="PALETTE COLOR", **tables)
    image = formats.read(path)
    expected = (table >> 8)[:, np.minimum(index, 3)]
    np.testing.assert_array_equal(image.array[:, 0], expected)
    assert formats.header(path).shape == (3, 1, 2, 3)


def test_a_modality_lut_is_applied(make_dicom: Any) -> None:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [3, 1, 16], "US"
    item.LUTData = np.array([500, 600, 700], "<u2").tobytes()
    item["LUTData"].VR = "OW"
    stored = np.array([[0, 1, 2], [3, 4, 200]], np.uint8)
    path = make_dicom(stored, ModalityLUTSequence=[item])
    np.testing.assert_array_equal(
        formats.read(path).array[0, 0], [[500, 500, 600], [700, 700, 700]]
    )


def test_monochrome1_is_turned_after_the_modality_lut(make_dicom: Any) -> None:
    """The polarity is of what is shown (PS3.3 C.7.6.3.1.2). Oracle: pydicom's modality LUT."""
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4, 0, 16], "OD"
    item.LUTData = np.array([0, 100, 900, 1000], "<u2").tobytes()
    item["LUTData"].VR = "OW"
    stored = np.array([[0, 1, 2, 3, 200]], np.uint8)
    path = make_dicom(stored, PhotometricInterpretation="MONOCHROME1", ModalityLUTSequence=[item],
                      WindowCenter=900, WindowWidth=100)  # fmt: skip
    data = pydicom.dcmread(path)
    image = formats.read(path)
    theirs = apply_modality_lut(data.pixel_array, data)
    np.testing.assert_array_equal(image.array[0, 0], 65535 - theirs.astype(int))
    assert image.array[0, 0].tolist() == [[65535, 65435, 64635, 64535, 64535]]
    assert formats.header(path).facts.window == (64635, 100)
    shown = formats.read(path, like=Like(voi=True)).array[0, 0, 0]
    assert shown[[0, 4]].tolist() == [1, 0]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_own_window_equals_pydicoms(make_dicom: Any, function: str) -> None:
    path = make_dicom(RAMP, BitsStored=12, HighBit=11, WindowCenter=2000, WindowWidth=1000,
                      VOILUTFunction=function)  # fmt: skip
    ours = formats.read(path, like=Like(voi=True)).array[0, 0]
    data = pydicom.dcmread(path)
    theirs = apply_voi_lut(data.pixel_array, data) / 4095
    np.testing.assert_allclose(ours, theirs, atol=3e-6)


def test_the_own_window_of_monochrome1_is_turned_afterwards(make_dicom: Any) -> None:
    elements: dict[str, Any] = {"BitsStored": 12, "HighBit": 11}
    elements |= {"WindowCenter": 2000, "WindowWidth": 1000}
    one = make_dicom(RAMP, **elements)
    other = make_dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **elements)
    first, second = (formats.read(path, like=Like(voi=True)).array for path in (one, other))
    np.testing.assert_allclose(second, 1 - first, atol=1e-6)


def test_a_voi_lut_is_applied(make_dicom: Any) -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 10, 8]
    item.LUTData = np.array([0, 51, 102, 255], "<u2").tobytes()
    item["LUTData"].VR = "OW"
    path = make_dicom(np.array([[9, 10, 11, 12, 13, 14]], np.uint8), VOILUTSequence=[item])
    values = formats.read(path, like=Like(voi=True)).array[0, 0, 0]
    np.testing.assert_allclose(values, [0, 0, 0.2, 0.4, 1, 1], atol=1e-6)


def test_a_given_window_scales_to_one(make_dicom: Any) -> None:
    path = make_dicom(np.array([[0, 50, 75, 100, 150, 200]], np.uint8))
    values = formats.read(path, like=Like(window=(100, 100))).array[0, 0, 0]
    np.testing.assert_allclose(values, [0, 0, 0.25, 0.5, 1, 1])


def test_a_missing_window_is_no_guess(make_dicom: Any) -> None:
    with pytest.raises(FormatError, match="no VOI LUT and no window"):
        formats.read(make_dicom(RAMP), like=Like(voi=True))


SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


@given(
    st.integers(1, 7), st.integers(1, 6), st.integers(1, 3),
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]), st.sampled_from(SYNTAXES),
    st.integers(0, 2**32),
)  # fmt: skip
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_native_values_come_back(
    make_dicom: Any, rows: int, columns: int, frames: int, kind: str, syntax: str, seed: int
) -> None:
    limits = np.iinfo(kind)
    rng = np.random.default_rng(seed)
    stored = rng.integers(limits.min, limits.max, (frames, rows, columns), endpoint=True)
    image = formats.read(make_dicom(stored.astype(kind), syntax=syntax))
    np.testing.assert_array_equal(image.array[0].astype(np.int64), stored)


COMPRESSED = {
    "1.2.840.10008.1.2.4.57": lambda a: imagecodecs.jpeg8_encode(
        a, lossless=True, predictor=6, bitspersample=16
    ),
    "1.2.840.10008.1.2.4.70": lambda a: imagecodecs.jpeg8_encode(
        a, lossless=True, predictor=1, bitspersample=16
    ),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    "1.2.840.10008.1.2.4.90": lambda a: imagecodecs.jpeg2k_encode(
        a, level=0, codecformat="j2k", reversible=True
    ),
    "1.2.840.10008.1.2.4.110": lambda a: imagecodecs.jpegxl_encode(a, lossless=True),
    "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_encode,
}


@pytest.mark.parametrize("syntax", COMPRESSED)
@pytest.mark.parametrize("signed", [False, True])
def test_lossless_frames_come_back(make_dicom: Any, syntax: str, signed: bool) -> None:
    true = np.random.default_rng(3).integers(0, 65536, (3, 33, 47)).astype(np.uint16)
    frames = [COMPRESSED[syntax](np.ascontiguousarray(frame)) for frame in true]
    path = make_dicom(true, PixelRepresentation=int(signed))
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate(frames)
    data.file_meta.TransferSyntaxUID = syntax.replace(".110", ".201")
    data.save_as(path)
    # pydicom does not know JPEG XL's UID
    if syntax.endswith(".110"):
        path.write_bytes(path.read_bytes().replace(b"1.2.4.201", b"1.2.4.110", 1))
    values = formats.read(path).array[0]
    np.testing.assert_array_equal(values, true.view(np.int16) if signed else true)
    part = formats.open(path).slab(1, 3)
    np.testing.assert_array_equal(part.array[0], values[1:3])


IN_COLOUR = {
    "1.2.840.10008.1.2.4.57": lambda a: imagecodecs.jpeg8_encode(
        a, lossless=True, predictor=6, colorspace="RGB", outcolorspace="RGB"
    ),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    "1.2.840.10008.1.2.4.90": lambda a: imagecodecs.jpeg2k_encode(
        a, level=0, codecformat="j2k", reversible=True, mct=False
    ),
    "1.2.840.10008.1.2.5": None,  # pydicom's own
}


def _in_colour(make_dicom: Any, stored: np.ndarray, syntax: str, photometric: str) -> Path:
    path = make_dicom(stored, colour=True, PhotometricInterpretation=photometric)
    data = pydicom.dcmread(path)
    if encode := IN_COLOUR[syntax]:
        data.PixelData = encapsulate([encode(np.ascontiguousarray(frame)) for frame in stored])
        data.file_meta.TransferSyntaxUID = syntax
    else:
        data.compress(syntax, generate_instance_uid=False)
    data.save_as(path)
    return path


@pytest.mark.parametrize("syntax", IN_COLOUR)
def test_codecs_without_colours_leave_them_to_the_header(make_dicom: Any, syntax: str) -> None:
    """Oracle: pydicom's conversion of what was put in (PS3.3 C.7.6.3.1.2)."""
    stored = np.random.default_rng(5).integers(0, 256, (2, 17, 23, 3)).astype(np.uint8)
    as_rgb = convert_color_space(stored, "YBR_FULL", "RGB")
    for photometric, expected in (("RGB", stored), ("YBR_FULL", as_rgb)):
        image = formats.read(_in_colour(make_dicom, stored, syntax, photometric))
        apart = image.array.astype(int) - np.moveaxis(expected, 3, 0)
        assert abs(apart).max() <= (photometric == "YBR_FULL")  # pydicom truncates


def test_jpeg_2000_undoes_its_own_transform_whatever_the_header_says(make_dicom: Any) -> None:
    true = np.random.default_rng(6).integers(0, 256, (17, 23, 3)).astype(np.uint8)
    path = make_dicom(true, colour=True, PhotometricInterpretation="YBR_FULL")
    data = pydicom.dcmread(path)
    frame = imagecodecs.jpeg2k_encode(true, level=0, codecformat="j2k", reversible=True, mct=True)
    data.PixelData = encapsulate([frame])
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    data.save_as(path)
    np.testing.assert_array_equal(formats.read(path).array[:, 0], np.moveaxis(true, 2, 0))


def test_frames_are_chosen(make_dicom: Any) -> None:
    stored = np.random.default_rng(4).integers(0, 255, (5, 3, 4)).astype(np.uint8)
    path = make_dicom(stored)
    some = Source(str(path.parent), (path.name,), None, (1, 4))
    np.testing.assert_array_equal(formats.read(some).array[0], stored[1:4])
    assert formats.header(some).shape == (1, 3, 3, 4)
    np.testing.assert_array_equal(formats.open(path).slab(3, 5).array[0], stored[3:5])


def _deflate(path: Path) -> tuple[bytes, bytes]:
    """A file's start and its deflated data set."""
    data = path.read_bytes()
    meta_end = 132 + 12 + int.from_bytes(data[140:144], "little")
    syntax = data[132:meta_end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    syntax = syntax.replace(b"\2\0\x10\0UI\x14\0", b"\2\0\x10\0UI\x16\0")
    pressed = zlib.compressobj(wbits=-15)
    body = pressed.compress(data[meta_end:]) + pressed.flush()
    return data[:132] + syntax, body


def test_a_deflated_file(make_dicom: Any) -> None:
    path = make_dicom(RAMP)
    start, body = _deflate(path)
    path.write_bytes(start + body)
    np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP)
    for kept in (-20, 20):
        path.write_bytes(start + body[:kept])
        with pytest.raises(FormatError, match="deflated"):
            formats.read(path)


def test_a_deflated_file_is_inflated_only_as_far_as_it_is_needed(make_dicom: Any) -> None:
    """A header that promises 48 pixels, in front of 300 million bytes."""
    start, body = _deflate(make_dicom(RAMP, PixelData=RAMP.tobytes() + bytes(300_000_000)))
    path = make_dicom(RAMP)
    path.write_bytes(start + body)
    tracemalloc.start()
    try:
        assert formats.header(path).shape == (1, 1, 6, 8)
        np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_sequence_that_never_ends_does_not_fill_the_memory(
    make_dicom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_file, "_STEPS", (1 << 10, 1 << 16))
    path = make_dicom(RAMP)
    data = path.read_bytes()
    at = data.index(b"\x08\x00\x60\x00CS")  # Modality
    with path.open("wb") as file:
        file.write(data[:at] + b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff")
        for _ in range(20_000):  # empty items
            file.write(b"\xfe\xff\x00\xe0\0\0\0\0")
    with pytest.raises(FormatError, match="does not end within 65,536 bytes"):
        formats.header(path)


def test_a_number_of_unknown_kind_is_read(make_dicom: Any) -> None:
    """PS3.5 6.2.2: the VR "UN" hides what the standard says of Rows."""
    path = make_dicom(RAMP)
    data = path.read_bytes()
    rows = b"\x28\x00\x10\x00US\2\0\6\0"
    assert data.count(rows) == 1
    path.write_bytes(data.replace(rows, b"\x28\x00\x10\x00UN\0\0\2\0\0\0\6\0"))
    np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP)


@pytest.mark.parametrize("meta", [True, False])
def test_a_file_without_preamble(make_dicom: Any, meta: bool) -> None:
    path = make_dicom(RAMP)
    data = path.read_bytes()
    start = 132 if meta else 132 + 12 + int.from_bytes(data[140:144], "little")
    path.write_bytes(data[start:])
    np.testing.assert_array_equal(formats.read(path).array[0, 0], RAMP)


# ---- geometry


def test_an_oblique_slice_has_the_standards_affine(make_dicom: Any) -> None:
    """PS3.3 C.7.6.2.1.1 by hand: a point = position + column · x + row · y, in LPS."""
    row, column = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.0, -1.0])
    path = make_dicom(
        RAMP, ImageOrientationPatient=[*row, *column], ImagePositionPatient=[10, -20, 30],
        PixelSpacing=[0.7, 0.4], SliceThickness=3, FrameOfReferenceUID="1.2.3",
    )  # fmt: skip
    geometry = formats.header(path).geometry
    assert isinstance(geometry, Patient)
    assert geometry.frame_uid == "1.2.3"
    lps = np.array([10, -20, 30]) + row * 0.4 * 5 + column * 0.7 * 2
    np.testing.assert_allclose(geometry.affine @ [5, 2, 0, 1], [-lps[0], -lps[1], lps[2], 1])
    normal = np.cross(row, column) * 3
    np.testing.assert_allclose(geometry.affine[:3, 2], [-normal[0], -normal[1], normal[2]])


PLACED = {
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "ImagePositionPatient": [0, 0, 0],
    "PixelSpacing": [0.7, 0.4],
}


def test_no_thickness_is_made_up(make_dicom: Any) -> None:
    assert formats.header(make_dicom(RAMP, **PLACED)).geometry == Plane((0.4, 0.7), "object")
    spaced = formats.header(make_dicom(RAMP, **PLACED, SpacingBetweenSlices=-2)).geometry
    assert spaced is not None
    assert spaced.spacing == pytest.approx((0.4, 0.7, 2))


def test_several_frames_without_places_get_no_affine(make_dicom: Any) -> None:
    cine = make_dicom(np.zeros((2, 3, 4), np.uint8), **PLACED, SliceThickness=1)
    assert isinstance(formats.header(cine).geometry, Plane)


def test_a_mosaic_that_does_not_say_its_slices_is_refused(make_dicom: Any) -> None:
    mosaic = make_dicom(RAMP, **PLACED, SliceThickness=1, ImageType=["ORIGINAL", "MOSAIC"])
    with pytest.raises(GeometryError, match="mosaic"):
        formats.header(mosaic)


@pytest.mark.parametrize(
    ("elements", "calibration"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.1]}, "detector"),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, "detector"),
        ({"ImagerPixelSpacing": [0.3, 0.15], "PixelSpacing": [0.2, 0.1]}, "object"),
        ({"PixelSpacing": [0.2, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"}, "object"),
        ({"PixelSpacing": [0.2, 0.1]}, "unknown"),
    ],
)
def test_what_a_spacing_was_measured_at(
    make_dicom: Any, elements: dict[str, Any], calibration: Any
) -> None:
    geometry = formats.header(make_dicom(RAMP, **elements)).geometry
    assert geometry == Plane((0.1, 0.2), calibration)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]},
        {"ImageOrientationPatient": [1, 0, 0]},
        {"PixelSpacing": [0.7, -1]},
    ],
)
def test_an_impossible_geometry_is_refused(make_dicom: Any, wrong: dict[str, Any]) -> None:
    path = make_dicom(RAMP, **(PLACED | {"SliceThickness": 1} | wrong))
    with pytest.raises(GeometryError) as caught:
        formats.read(path)
    assert caught.value.file == path


# ---- facts


def test_facts_and_identity(make_dicom: Any) -> None:
    path = make_dicom(
        RAMP, PatientID="planted id", PatientName="Planted^Name", PatientSex="F",
        PatientBirthDate="19800101", StudyDate="20200702", ViewPosition="PA",
        BodyPartExamined="CHEST", Manufacturer="Maker", ManufacturerModelName="One",
    )  # fmt: skip
    head = formats.header(path)
    assert (head.facts.sex, head.facts.view, head.facts.body_part) == ("F", "PA", "CHEST")
    assert head.facts.age == pytest.approx(40.5, abs=0.01)
    assert head.identity.patient == "planted id"
    assert "lanted" not in repr(head)
    assert "lanted" not in repr(formats.read(path))


@pytest.mark.parametrize(
    ("age", "years"), [("045Y", 45), ("006M", 0.5), ("052W", 0.9966), ("000D", 0), ("old", None)]
)
def test_ages(age: str, years: float | None) -> None:
    found = age_in_years(age, None, None)
    assert found is None if years is None else found == pytest.approx(years, abs=1e-3)


def test_an_age_that_was_not_entered_is_unknown_or_told_by_the_dates() -> None:
    assert age_in_years("000Y", None, "20240229") is None
    assert age_in_years("000Y", "20040229", "20240229") == 20
    assert [age_in_years(f"000{unit}", None, None) for unit in "DWM"] == [0, 0, 0]
    assert [age_of(text) for text in ("000Y", "0y", "0", "000D")] == [None, None, 0, 0]


# ---- refusals


@pytest.mark.parametrize("name", ["Rows", "Columns", "BitsAllocated"])
def test_a_missing_element_is_named(make_dicom: Any, name: str) -> None:
    path = make_dicom(RAMP, **{name: None})
    with pytest.raises(FormatError, match=f"{name} is missing") as caught:
        formats.read(path)
    assert caught.value.file == path
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": 60000, "Columns": 60000}, "promises"),
        ({"NumberOfFrames": 2**31 - 1}, "promises"),
        ({"BitsAllocated": 12}, "BitsAllocated"),
        ({"BitsStored": 17}, "BitsStored"),
        ({"SamplesPerPixel": 2}, "SamplesPerPixel"),
        ({"Rows": 0}, "Rows"),
        ({"RescaleSlope": 0}, "RescaleSlope"),
    ],
)
def test_a_lying_header_is_refused_by_header_and_read(
    make_dicom: Any, elements: dict[str, Any], message: str
) -> None:
    path = make_dicom(RAMP, **elements)
    for ask in (formats.header, formats.read):
        with pytest.raises(FormatError, match=message) as caught:
            ask(path)
        assert caught.value.file == path


def test_a_compressed_promise_is_checked_too(make_dicom: Any) -> None:
    path = make_dicom(RAMP, Rows=60000, Columns=60000)
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([imagecodecs.jpegls_encode(RAMP)])
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    data.save_as(path)
    with pytest.raises(FormatError, match="promises"):
        formats.read(path)
    data.Rows = data.Columns = 100  # small enough to be allowed, but not what the stream says
    data.save_as(path)
    with pytest.raises(FormatError, match="6×8"):
        formats.read(path)


@pytest.mark.parametrize("kept", [0.99, 0.7, 0.3, 0.1])
def test_truncated_files_are_refused(make_dicom: Any, kept: float) -> None:
    path = make_dicom(np.zeros((60, 80), np.uint16))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FormatError):
        formats.read(path)


def test_a_truncated_jpeg_is_not_filled_with_grey(make_dicom: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    path = make_dicom(noise)
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([imagecodecs.jpeg8_encode(noise)])
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    data.save_as(path)
    formats.read(path)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(FormatError, match="inside a fragment"):
        formats.read(path)


@pytest.mark.parametrize(
    ("uid", "what"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated PDF"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RT Plan"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT Structure Set"),
    ],
)
def test_objects_without_pixels_say_what_they_are(make_dicom: Any, uid: str, what: str) -> None:
    path = make_dicom(RAMP)
    data = pydicom.dcmread(path)
    del data.PixelData
    data.SOPClassUID = uid
    data.save_as(path)
    with pytest.raises(FormatError, match=what):
        formats.header(path)


def test_an_unknown_transfer_syntax_is_named(make_dicom: Any) -> None:
    path = make_dicom(RAMP)
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([b"not a film"])
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.95"
    data.save_as(path)
    with pytest.raises(FormatError, match="JPIP"):
        formats.header(path)


@pytest.mark.parametrize(
    ("codec", "container", "syntax"),
    [
        ("mpeg2video", "mpegts", "1.2.840.10008.1.2.4.100"),
        ("libx264", "mp4", "1.2.840.10008.1.2.4.102"),
        ("libx265", "hevc", "1.2.840.10008.1.2.4.107"),
    ],
)
def test_a_film_in_a_dicom_file(make_dicom: Any, codec: str, container: str, syntax: str) -> None:
    """Each frame has a bright bar of its own; frames come back by number."""
    import av

    frames = np.full((6, 64, 96, 3), 40, np.uint8)
    for n in range(6):
        frames[n, :, 16 * n : 16 * n + 16] = 210
    stream = BytesIO()
    with av.open(stream, "w", format=container) as out:
        film = out.add_stream(codec, rate=25)
        film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
        for frame in frames:
            out.mux(film.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(film.encode())
    path = make_dicom(
        frames, colour=True, FrameTime=40.0, PhotometricInterpretation="YBR_PARTIAL_420"
    )
    data = pydicom.dcmread(path)
    data.PixelData = encapsulate([stream.getvalue()], has_bot=False)
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(path)
    image = formats.read(path)
    assert image.shape == (18, 1, 64, 96)
    assert image.channels[3].time == 0.04
    theirs = frames.transpose(0, 3, 1, 2).reshape(image.shape)
    assert abs(image.array.astype(int) - theirs).mean() < 6
    one = formats.read(Source(str(path.parent), (path.name,), frames=(4, 5)))
    np.testing.assert_array_equal(one.array, image.array[12:15])


def test_a_text_file_named_dcm(tmp_path: Path) -> None:
    path = tmp_path / "notes.dcm"
    path.write_text("These are notes, not an image.\n" * 50)
    with pytest.raises(FormatError, match="no known image format"):
        formats.read(path)


def test_float_pixels_keep_nan(make_dicom: Any) -> None:
    values = np.array([[1.5, np.nan], [-3, np.inf]], "<f4")
    path = make_dicom(np.zeros((2, 2), np.uint16))
    data = pydicom.dcmread(path)
    del data.PixelData
    data.FloatPixelData, data.BitsAllocated = values.tobytes(), 32
    data.save_as(path)
    np.testing.assert_array_equal(formats.read(path).array[0, 0], values)


def test_a_name_of_halved_colours_on_whole_ones(make_dicom: Any) -> None:
    """Decompressed, but still called YBR_FULL_422: three samples a pixel lie in the file."""
    grey = np.array([[10, 20, 200, 40], [50, 60, 70, 80]], np.uint8)
    stored = np.stack([grey, np.full_like(grey, 128), np.full_like(grey, 128)], -1)
    path = make_dicom(stored, colour=True, PhotometricInterpretation="YBR_FULL_422")
    np.testing.assert_array_equal(formats.read(path).array[:, 0], [grey] * 3)
