"""`hounsfield thermal` and `hounsfield spectra`: what is told, drawn, written and refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cubes
import numpy as np
import pytest
import thermal_files
from folders import Answer
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.formats import thermal
from hounsfield.preprocessing import figures
from hounsfield.preprocessing.infrared.figures import temperature_figure

Ask = Callable[..., Answer]


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    path = tmp_path / "hand.jpg"
    path.write_bytes(thermal_files.thermal_jpeg(swapped=True))
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """raw.dat of a known reflectance, white.dat, dark.dat."""
    truth = np.linspace(0.1, 0.9, 7)[:, None, None] * np.linspace(0.5, 1, 20).reshape(4, 5)
    for name, values in (("raw", 100 + 1000 * truth), ("white", 1100.0), ("dark", 100.0)):
        plane = np.broadcast_to(values, (7, 4, 5)).astype(np.float32)
        cubes.write_envi(tmp_path / f"{name}.dat", plane, lines=cubes.wavelengths())
    np.save(tmp_path / "truth.npy", truth)
    return tmp_path


def test_temperatures_are_told_with_whose_word_they_rest_on(hand: Path, ask: Ask) -> None:
    answer = ask("thermal", hand, "--emissivity", "0.98")
    assert answer.code == 0
    image = thermal.temperatures(hand, thermal.Parameters(emissivity=0.98))
    low, high = image.array.min(), image.array.max()
    assert f"{low:.2f} to {high:.2f} °C" in answer.out
    assert "0.98 (given)" in answer.out
    assert "1 m (the camera's)" in answer.out
    assert "PNG, bytes swapped" in answer.out
    assert "x 8, y 6" in answer.out  # the warm spot is above and to the left


def test_the_map_and_its_picture_are_written(hand: Path, tmp_path: Path, ask: Ask) -> None:
    out, picture = tmp_path / "map.npy", tmp_path / "map.png"
    assert ask("thermal", hand, "--out", out, "--picture", picture).code == 0
    np.testing.assert_array_equal(formats.read(out).array, formats.read(hand).array)
    with Picture.open(picture) as drawn:
        assert min(drawn.size) > 200


def test_the_figure_shows_the_palette_beside_the_temperatures(hand: Path) -> None:
    image = formats.read(hand)
    left, right, scale = temperature_figure(hand, image).axes
    shown = formats.read(f"{hand}#palette").array[:, 0]
    np.testing.assert_array_equal(left.images[0].get_array(), np.moveaxis(shown, 0, 2))
    np.testing.assert_array_equal(right.images[0].get_array(), image.array[0, 0])
    assert scale.get_title() == "°C"
    x, y = (float(value[0]) for value in right.lines[0].get_data())
    assert image.array[0, 0, int(y), int(x)] == image.array.max()


def test_one_temperature_everywhere_is_drawn(hand: Path, tmp_path: Path) -> None:
    image = formats.read(hand)
    even = replace(image, array=np.full_like(image.array, 21.5))
    figures.save(temperature_figure(hand, even), tmp_path / "even.png")
    assert (tmp_path / "even.png").stat().st_size > 1000


def test_a_picture_has_no_temperatures(tmp_path: Path, hand: Path, ask: Ask) -> None:
    Picture.new("RGB", (8, 6)).save(tmp_path / "plain.jpg")
    answer = ask("thermal", tmp_path / "plain.jpg")
    assert answer.code == 3
    assert "no radiometric data" in answer.err
    assert ask("thermal", hand, "--humidity", "50").code == 2
    nothing = ask("thermal", hand, "--emissivity", "0.05", "--reflected", "900")
    assert nothing.code == 2
    assert "no pixel has a temperature" in nothing.err


def test_reflectance_spectrum_and_index(scene: Path, ask: Ask) -> None:
    table, out = scene / "t.csv", scene / "r.npy"
    files = [scene / "raw.dat", "--white", scene / "white.dat", "--dark", scene / "dark.dat"]
    answer = ask("spectra", *files, "--table", table, "--out", out, "--picture", scene / "s.png")
    assert answer.code == 0, answer.err
    truth = np.load(scene / "truth.npy")
    np.testing.assert_allclose(formats.read(out).array[:, 0], truth, rtol=1e-5)
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    np.testing.assert_allclose(rows[:, 0], cubes.NM)
    np.testing.assert_allclose(rows[:, 1], truth.mean((1, 2)), rtol=1e-5)
    assert (scene / "s.png").stat().st_size > 1000
    answer = ask(
        "spectra", *files, "--index", "850,650", "--out", out, "--smooth", "5", "--overwrite"
    )
    assert answer.code == 0, answer.err
    assert "defined on reflectance" not in answer.out
    raw = ask("spectra", scene / "raw.dat", "--index", "850,650")
    assert "defined on reflectance" in raw.out  # counts have the dark signal in them
    ask("spectra", scene / "raw.dat", "--index", "ndwi").refuses(3, r"raw\.dat: no band within")
    index = (truth[5] - truth[2]) / (truth[5] + truth[2])
    np.testing.assert_allclose(formats.read(out).array[0, 0], index, rtol=1e-4)


def test_near_infrared_alone(scene: Path, ask: Ask) -> None:
    answer = ask("spectra", scene / "raw.dat.hdr", "--bands", "700-900", "--baseline")
    assert answer.code == 2  # three bands have no baseline
    answer = ask("spectra", scene / "raw.dat.hdr", "--bands", "700-900")
    assert "705.5 to 850 nm" in answer.out
    assert "3 bands" in answer.out


def test_what_does_not_fit_is_refused(scene: Path, hand: Path, ask: Ask) -> None:
    assert ask("spectra", scene / "raw.dat", "--white", scene / "white.dat").code == 2
    assert ask("spectra", scene / "raw.dat", "--bands", "10-20").code == 3
    assert ask("spectra", scene / "raw.dat", "--index", "nothing").code == 2
    assert "no wavelengths" in ask("spectra", hand).err
    assert "two wavelengths" in ask("spectra", hand, "--bands", "red").err


def test_a_file_that_is_none_is_told_as_such(tmp_path: Path, ask: Ask) -> None:
    for command in ("thermal", "spectra"):
        ask(command, tmp_path / "gone.jpg").refuses(3, "there is no such file")
        ask(command, tmp_path).refuses(3, "this is a folder|holds no image")
    (tmp_path / "note.jpg").write_text("no picture")
    ask("thermal", tmp_path / "note.jpg").refuses(3, "no known image format")


def test_nothing_is_replaced_unasked(hand: Path, scene: Path, ask: Ask) -> None:
    there = {name: scene / f"there.{name}" for name in ("npy", "png", "csv")}
    for path in there.values():
        path.write_text("mine")
    new = scene / "new.npy"
    thermal_ = ("thermal", hand, "--out", new)
    spectra_ = ("spectra", scene / "raw.dat", "--out", new)
    ask(*thermal_, "--picture", there["png"]).refuses(2, "exists already", "--overwrite")
    ask("thermal", hand, "--out", scene / "new.png").refuses(
        2, "does not hold numbers that are not"
    )
    ask("thermal", hand, "--out", there["npy"]).refuses(2, "exists already")
    ask(*spectra_, "--picture", there["png"]).refuses(2, "exists already")
    ask(*spectra_, "--table", there["csv"]).refuses(2, "exists already")
    ask(*spectra_, "--picture", scene / "x.jpg").refuses(2, "suffix '.jpg'", ".png")
    ask("thermal", hand, "--out", hand, "--overwrite").refuses(2, "no format is written")
    assert not new.exists()
    assert {path.read_text() for path in there.values()} == {"mine"}
    assert ask(*thermal_, "--picture", there["png"], "--overwrite").code == 0
    assert there["png"].read_bytes()[:4] == b"\x89PNG"


def test_a_table_that_cannot_be_made_leaves_nothing(scene: Path, ask: Ask) -> None:
    blind = np.full((7, 4, 5), np.nan, np.float32)
    cubes.write_envi(scene / "blind.dat", blind, lines=cubes.wavelengths())
    asked = ("--out", scene / "r.npy", "--table", scene / "t.csv")
    ask("spectra", scene / "blind.dat", *asked).refuses(3, "no pixel has a known value")
    assert not (scene / "r.npy").exists()
