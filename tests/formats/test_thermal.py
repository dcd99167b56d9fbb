"""Temperatures from radiometric JPEGs: against flyr, by hand, and on damaged files."""

from __future__ import annotations

from pathlib import Path
from struct import pack_into
from typing import Any

import flyr
import numpy as np
import pytest
import thermal_files as made
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.errors import FormatError, HounsfieldError, UsageError
from hounsfield.formats import thermal
from hounsfield.formats.contract import Like, Source
from hounsfield.formats.thermal import Parameters
from hounsfield.formats.thermal.raw import Air, Calibration
from hounsfield.image import Image

CALIBRATION = Calibration(made.R1, made.B, made.F, made.OFFSET, made.R2)
NEAR = Parameters(emissivity=1.0, distance=0.0)  # nothing between object and camera
SPOT, PLAIN = (6, 8), (20, 30)  # (y, x): warm, and not

# flyr's names for the same settings
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"emissivity": 0.7}, {"emissivity": 0.7}),
    ({"distance": 20.0}, {"object_distance": 20.0}),
    ({"humidity": 0.9, "distance": 50.0}, {"relative_humidity": 0.9, "object_distance": 50.0}),
    (
        {"reflected": 35.0, "emissivity": 0.5},
        {"reflected_apparent_temperature": 308.15, "emissivity": 0.5},
    ),
    (
        {"window": 37.0, "window_transmission": 0.8},
        {"ir_window_temperature": 310.15, "ir_window_transmission": 0.8},
    ),
    (
        {"atmosphere": 0.0, "distance": 20.0},
        {"atmospheric_temperature": 273.15, "object_distance": 20.0},
    ),
]


@pytest.fixture
def camera_file(tmp_path: Path) -> Any:
    def write(data: bytes, name: str = "hand.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(("ours", "theirs"), SETTINGS)
@pytest.mark.parametrize("name", ["ax8.jpg", "flir_example.jpg"])
def test_real_cameras_as_flyr(
    name: str, ours: dict[str, Any], theirs: dict[str, Any], real_data: Path
) -> None:
    path = real_data / "thermal" / name
    expected = flyr.unpack(str(path)).adjust_metadata(False, **theirs).celsius
    image = thermal.temperatures(path, Parameters(**ours))
    np.testing.assert_allclose(image.array[0, 0], expected, rtol=0, atol=1e-3)
    assert image.stored["signal"] == "PNG, bytes swapped"


def test_the_zenmuse_that_flyr_cannot_read(real_data: Path) -> None:
    # flyr 5.1 looks for 22 s, and ends with KeyError: 1
    path = real_data / "thermal" / "zenmuse_xtr.jpg"
    image = formats.read(path)
    assert image.shape == (1, 1, 512, 640)
    assert image.channels[0].unit == "°C"
    # By hand: the file's bytes at their place, and the camera's law alone
    start = path.read_bytes().index(b"FFF\0") + 128 + 32
    raw = np.frombuffer(path.read_bytes()[start : start + 1280], "<u2").astype(float)
    near = thermal.temperatures(path, NEAR)
    by_hand = 1428.0 / np.log(made.R1 / (made.R2 * (raw - 370)) + 1) - 273.15
    np.testing.assert_allclose(near.array[0, 0, 0], by_hand, atol=1e-3)
    assert 10 < image.array.min() < image.array.max() < 70  # roofs on a warm day
    assert image.stored["emissivity"] == pytest.approx(0.7)


def test_real_photographs_and_palettes(real_data: Path) -> None:
    folder = real_data / "thermal"
    for name, size in (("ax8.jpg", (480, 640)), ("flir_example.jpg", (640, 480))):
        expected = flyr.unpack(str(folder / name)).optical
        seen = formats.read(f"{folder / name}#visible")
        assert seen.shape[2:] == size
        assert formats.header(f"{folder / name}#visible").shape == seen.shape
        close = np.abs(np.moveaxis(seen.array[:, 0], 0, 2).astype(int) - expected)
        assert close.max() <= 4  # two JPEG decoders
        shown = formats.read(f"{folder / name}#palette")
        picture = np.asarray(Picture.open(folder / name))
        np.testing.assert_array_equal(np.moveaxis(shown.array[:, 0], 0, 2), picture)
    with pytest.raises(FormatError, match="no visible picture"):
        formats.read(f"{folder / 'zenmuse_xtr.jpg'}#visible")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("codec", ["PNG", "plain", "JPEG-LS"])
def test_every_coding_and_byte_order_is_the_same_scene(
    codec: str, swapped: bool, order: str, camera_file: Any
) -> None:
    raw = made.scene()
    records = {
        1: made.raw_record(raw, codec, swapped=swapped, order=order),
        0x20: made.camera_record(order),
    }
    path = camera_file(made.jpeg(made.container(records, order)))
    image = thermal.temperatures(path, NEAR)
    by_hand = made.B / np.log(made.R1 / (made.R2 * (raw.astype(float) + made.OFFSET)) + made.F)
    np.testing.assert_allclose(image.array[0, 0], by_hand - 273.15, atol=1e-4)
    assert ("swapped" in image.stored["signal"]) == swapped
    assert image.array[0, 0][SPOT] > image.array[0, 0][PLAIN] + 5


def test_pieces_in_many_segments_and_a_bare_container(camera_file: Any) -> None:
    whole = formats.read(camera_file(made.thermal_jpeg())).array
    data = made.container({1: made.raw_record(made.scene()), 0x20: made.camera_record()})
    pieces = camera_file(made.jpeg(data, piece=100))
    np.testing.assert_array_equal(formats.read(pieces).array, whole)
    bare = camera_file(data, "hand.fff")
    assert formats.sniff(bare) == "thermal"
    np.testing.assert_array_equal(formats.read(bare).array, whole)


def test_a_flat_picture_is_told_by_the_cameras_median(camera_file: Any) -> None:
    flat = np.full((4, 6), 3600, np.uint16)
    for swapped in (False, True):
        image = thermal.temperatures(camera_file(made.thermal_jpeg(flat, swapped=swapped)), NEAR)
        np.testing.assert_allclose(image.array, CALIBRATION.celsius(3600.0), atol=1e-4)


def test_the_visible_picture_of_luma_and_colour(camera_file: Any) -> None:
    rgb = np.zeros((10, 12, 3), np.uint8)
    rgb[:4, :5] = (250, 30, 60)
    for codec in ("PNG", "JPEG"):
        records = {
            0x0E: made.visible_record(rgb, codec),
            1: made.raw_record(made.scene()),
            0x20: made.camera_record(),
        }
        path = camera_file(made.jpeg(made.container(records)))
        seen = np.moveaxis(formats.read(f"{path}#visible").array[:, 0], 0, 2)
        assert np.abs(seen[1, 1].astype(int) - rgb[1, 1]).max() <= 6  # shared colour of four
        assert np.abs(seen[8, 9].astype(int)).max() <= 3


def test_header_members_and_choices(camera_file: Any) -> None:
    data = {1: made.raw_record(made.scene()), 0x20: made.camera_record(model="FLIR T1020")}
    path = camera_file(made.jpeg(made.container(data)))
    assert formats.sniff(path) == "thermal"
    head = formats.header(path)
    assert (head.facts.model, head.modality, head.channels[0].unit) == ("T1020", "TG", "°C")
    image = formats.read(path, like=Like(window=(30.0, 40.0)))
    assert 0 <= image.array.min() <= image.array.max() <= 1
    assert formats.read(f"{path}#palette").shape == (3, 1, 48, 64)
    assert formats.header(f"{path}#palette").format == "thermal"
    with pytest.raises(FormatError, match="no picture 'face'"):
        formats.read(f"{path}#face")


def test_an_ordinary_jpeg_has_no_temperatures(camera_file: Any) -> None:
    import io

    buffer = io.BytesIO()
    Picture.new("RGB", (8, 6), (255, 120, 0)).save(buffer, "JPEG")
    path = camera_file(buffer.getvalue())
    assert formats.sniff(path) == "jpeg"
    assert formats.read(path).shape == (3, 1, 6, 8)
    with pytest.raises(FormatError, match="colours of this picture are no temperatures"):
        thermal.temperatures(path)
    # FLIR's segment without a raw picture, as programs leave it when they save again
    no_raw = camera_file(made.jpeg(made.container({0x20: made.camera_record()})), "saved.jpg")
    assert formats.sniff(no_raw) == "jpeg"
    with pytest.raises(FormatError, match="no radiometric data"):
        thermal.temperatures(no_raw)


def test_a_jpeg_cut_before_its_records_was_not_saved_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Picture.new("L", (9, 7)).save(path, comment=b"long" * 300)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(FormatError, match="no end marker") as caught:
        thermal.temperatures(path)
    assert "saved it again" not in str(caught.value)


def test_damaged_radiometric_files_are_not_shown_as_colours(camera_file: Any) -> None:
    whole = made.container({1: made.raw_record(made.scene()), 0x20: made.camera_record()})
    far = bytearray(whole)
    pack_into(">I", far, 64 + 12, 1 << 31)  # the raw picture's place
    many = bytearray(whole)
    pack_into(">I", many, 28, 1 << 31)  # entries of the directory
    huge = bytearray(whole)
    pack_into("<HH", huge, 64 + 64 + 2, 65535, 65535)  # columns and rows
    cases = {
        "segment 2 of": made.jpeg(whole, piece=100, drop=2),
        "record 1 ends": made.jpeg(bytes(far)),
        "directory": made.jpeg(bytes(many)),
        "another picture": made.jpeg(bytes(huge)),
        "container": made.jpeg(b"no container at all" * 10),
        "camera record": made.jpeg(made.container({1: made.raw_record(made.scene())})),
        "no end marker": made.jpeg(whole)[:-40],
        "no temperature between": made.thermal_jpeg(np.full((4, 6), 0x0101, np.uint16)),
    }
    for words, data in cases.items():
        path = camera_file(data)
        assert formats.sniff(path) == "thermal"
        with pytest.raises(FormatError, match=words):
            formats.read(path)


def test_plain_data_may_not_promise_more_than_it_holds(camera_file: Any) -> None:
    record = bytearray(made.raw_record(made.scene(), "plain"))
    pack_into("<HH", record, 2, 60000, 60000)
    path = camera_file(made.jpeg(made.container({1: bytes(record), 0x20: made.camera_record()})))
    with pytest.raises(FormatError, match="promises"):
        formats.header(path)


def test_impossible_records_ask_for_what_is_missing(camera_file: Any) -> None:
    camera = made.camera_record("<", {0x20: float("nan"), 0x24: -5.0})
    path = camera_file(made.jpeg(made.container({1: made.raw_record(made.scene()), 0x20: camera})))
    with pytest.raises(FormatError, match="no usable emissivity and distance"):
        formats.read(path)
    assert thermal.temperatures(path, NEAR).array.min() > 0
    percent = made.camera_record("<", {0x3C: 60.0})
    path = camera_file(made.jpeg(made.container({1: made.raw_record(made.scene()), 0x20: percent})))
    assert thermal.camera(path).parameters.humidity == pytest.approx(0.6)
    no_law = made.camera_record("<", {0x58: 0.0})
    path = camera_file(made.jpeg(made.container({1: made.raw_record(made.scene()), 0x20: no_law})))
    with pytest.raises(FormatError, match="no usable calibration"):
        formats.read(path)


@pytest.mark.parametrize(
    "values",
    [
        {"emissivity": 0.0}, {"emissivity": 1.2}, {"distance": -1.0}, {"humidity": 50.0},
        {"reflected": -300.0}, {"window_transmission": 0.0}, {"emissivity": float("nan")},
        {"air": "none"},
    ],
)  # fmt: skip
def test_impossible_parameters_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Parameters(**values)


@given(st.floats(-60, 500))
def test_signal_and_temperature_undo_each_other(celsius: float) -> None:
    assert CALIBRATION.celsius(CALIBRATION.signal(celsius)) == pytest.approx(celsius, abs=1e-6)


def test_too_little_signal_is_no_temperature() -> None:
    found = CALIBRATION.celsius(np.array([-1.0, 0.0, 370.0, 3600.0]))
    np.testing.assert_array_equal(np.isnan(found), [True, True, True, False])


def test_laws_of_the_scene(tmp_path: Path) -> None:
    path = tmp_path / "hand.jpg"
    path.write_bytes(made.thermal_jpeg())

    def at_spot(**values: Any) -> float:
        near = {"emissivity": 1.0, "distance": 0.0, **values}
        return float(thermal.temperatures(path, Parameters(**near)).array[0, 0][SPOT])

    black = at_spot()
    # An object as warm as what it mirrors looks the same whatever its emissivity
    assert at_spot(emissivity=0.5, reflected=black) == pytest.approx(black, abs=1e-3)
    # A cold room mirrored: the object itself must be warmer, the more so the more it mirrors
    assert at_spot(emissivity=0.6) > at_spot(emissivity=0.9) > black
    # A window as warm as the object is not seen
    same = at_spot(window=black, window_transmission=0.5)
    assert same == pytest.approx(black, abs=1e-3)
    # Air as warm as the object neither, for both ways to count it
    for way in ("halved", "whole"):
        assert at_spot(distance=30.0, atmosphere=black, air=way) == pytest.approx(black, abs=1e-3)
    assert at_spot(distance=30.0, air="whole") != at_spot(distance=30.0, air="halved")


def test_air_lets_less_through_the_longer_and_the_wetter() -> None:
    air = Air(*made.AIR)
    assert air.transmission(0, 20, 0.5) == 1
    through = [air.transmission(metres, 20, 0.5) for metres in (1, 10, 100, 1000)]
    assert through == sorted(through, reverse=True)
    assert air.transmission(100, 30, 0.9) < air.transmission(100, 30, 0.1)


def test_mutants_end_in_an_image_or_in_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    path = tmp_path / "hand.jpg"
    for codec in ("PNG", "plain", "JPEG-LS"):
        data = made.thermal_jpeg(made.scene(12, 16), codec)
        for _ in range(150):
            changed = bytearray(data)
            for at in rng.integers(0, 700, 4):
                changed[at] = int(rng.integers(256))
            path.write_bytes(bytes(changed[: int(rng.integers(1, len(data) + 1))]))
            for ask in (formats.read, formats.header):
                try:
                    assert isinstance(ask(path).shape, tuple)
                except HounsfieldError:
                    continue


def test_nothing_of_a_person_is_kept(camera_file: Any) -> None:
    image = formats.read(Source.of(camera_file(made.thermal_jpeg())))
    assert isinstance(image, Image)
    assert set(image.stored) == {
        "format", "signal", "emissivity", "distance", "reflected", "atmosphere", "humidity",
        "window", "window_transmission", "air",
    }  # fmt: skip
