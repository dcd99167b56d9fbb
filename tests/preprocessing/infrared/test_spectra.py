"""Bands, reflectance, indices and spectra: against sums by hand, dense algebra and polynomials."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.errors import InputError, MissingExtraError, UsageError
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.infrared import spectra as sp

NM = (450.0, 560.0, 670.0, 700.0, 800.0, 850.0, 900.0, 940.0)
RNG = np.random.default_rng(4)


def cube(values: np.ndarray | None = None, **stored: Any) -> Image:
    """(8, 1, 3, 4): every value another one."""
    if values is None:
        values = np.arange(96, dtype=np.uint16).reshape(8, 1, 3, 4) + 100
    return Image(values, None, tuple(Channel(wavelength=nm) for nm in NM), stored)


def test_near_infrared_with_both_ends_and_what_belongs_to_it() -> None:
    image = cube(fwhm=tuple(range(8)), bbl=(True,) * 8, format="envi")
    part = sp.select_bands(image, 700, 900)
    assert sp.wavelengths(part).tolist() == [700, 800, 850, 900]
    np.testing.assert_array_equal(part.array, image.array[3:7])
    assert part.stored["fwhm"] == (3, 4, 5, 6)
    assert part.stored["format"] == "envi"
    with pytest.raises(InputError, match="450 to 940 nm"):
        sp.select_bands(image, 1000, 1100)
    with pytest.raises(InputError, match="no wavelengths"):
        sp.select_bands(Image.from_numpy(np.zeros((2, 2))), 700, 900)


def test_bad_bands_are_left_out() -> None:
    marks = (True, False, True, True, True, True, True, False)
    assert sp.wavelengths(sp.good_bands(cube(bbl=marks))).tolist() == [450, 670, 700, 800, 850, 900]
    assert sp.good_bands(cube()).shape == cube().shape
    with pytest.raises(InputError, match="every band"):
        sp.good_bands(cube(bbl=(False,) * 8))


def test_reflectance_by_hand_and_dead_detectors() -> None:
    dark = np.full((8, 1, 3, 4), 10.0)
    white = dark + np.arange(1, 9)[:, None, None, None] * 100
    truth = RNG.uniform(0.05, 1.3, (8, 1, 3, 4))  # a mirror reflects more than the panel
    raw = dark + truth * (white - dark)
    found = sp.reflectance(cube(raw), cube(white), cube(dark))
    np.testing.assert_allclose(found.array, truth, rtol=1e-5)
    assert found.array.dtype == np.float32
    assert {channel.unit for channel in found.channels} == {"reflectance"}
    white[2, 0, 1, 3] = dark[2, 0, 1, 3] + 1  # 1 of 300: less than 1 %
    white[5, 0, 0, 0] = 0
    found = sp.reflectance(cube(raw), cube(white), cube(dark), panel=0.5)
    dead = np.zeros(truth.shape, bool)
    dead[2, 0, 1, 3] = dead[5, 0, 0, 0] = True
    np.testing.assert_array_equal(np.isnan(found.array), dead)
    np.testing.assert_allclose(found.array[~dead], truth[~dead] / 2, rtol=1e-5)


def test_a_line_scanners_references_serve_each_line() -> None:
    rng = np.random.default_rng(0)
    dark = rng.uniform(5, 15, (8, 1, 7, 4))
    white = rng.uniform(500, 600, (8, 1, 9, 4))
    raw = rng.uniform(20, 500, (8, 1, 3, 4))
    found = sp.reflectance(cube(raw), cube(white), cube(dark))
    nothing, full = (a.mean(2, keepdims=True) for a in (dark, white))
    np.testing.assert_allclose(found.array, (raw - nothing) / (full - nothing), rtol=1e-5)


def test_references_that_do_not_fit_are_refused() -> None:
    dark, white = cube(np.zeros((8, 1, 3, 4))), cube(np.full((8, 1, 3, 4), 100.0))
    with pytest.raises(InputError, match="exchanged"):
        sp.reflectance(cube(), dark, white)
    with pytest.raises(InputError, match="same bands"):
        sp.reflectance(cube(), sp.select_bands(white, 700, 900), dark)
    with pytest.raises(InputError, match="same bands"):
        sp.reflectance(cube(), cube(np.ones((8, 1, 3, 5))), dark)
    shifted = tuple(Channel(wavelength=nm + 3) for nm in NM)
    with pytest.raises(InputError, match="3 nm elsewhere"):
        sp.reflectance(cube(), Image(white.array, None, shifted), dark)
    with pytest.raises(UsageError, match="panel"):
        sp.reflectance(cube(), white, dark, panel=99.0)


def test_absorbance() -> None:
    found = sp.absorbance(cube(np.array([0.1, 1.0, 0.0, -1.0] * 24).reshape(8, 1, 3, 4)))
    np.testing.assert_allclose(found.array[0, 0, 0], [1, 0, np.nan, np.nan], atol=1e-7)
    assert found.channels[0].unit == "absorbance"


def test_indices_by_hand() -> None:
    image = cube()
    near, red = image.array[4].astype(float), image.array[2].astype(float)
    found = sp.index(image, "ndvi")
    np.testing.assert_allclose(found.array[0], (near - red) / (near + red), rtol=1e-6)
    assert found.channels[0].name == "ndvi"
    np.testing.assert_allclose(sp.normalised_difference(image, 805, 668).array, found.array)
    with pytest.raises(InputError, match="nearest is at 940 nm"):
        sp.index(image, "ndwi")
    with pytest.raises(InputError, match="one band serves both"):
        sp.normalised_difference(image, 800, 801)
    with pytest.raises(UsageError, match="did you mean 'ndwi'"):
        sp.index(image, "ndwy")
    nothing = sp.normalised_difference(cube(np.zeros((8, 1, 3, 4))), 800, 670)
    assert np.isnan(nothing.array).all()


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.1, 10))
def test_a_normalised_difference_knows_no_brightness(a: float, b: float, light: float) -> None:
    values = np.full((8, 1, 1, 1), a)
    values[2] = b
    one = sp.index(cube(values), "ndvi").array.item()
    other = sp.index(cube(values * light), "ndvi").array.item()
    assert -1 <= one <= 1
    assert one == pytest.approx(other, abs=1e-5)


def test_spectra_and_back() -> None:
    image = cube()
    found = sp.spectra(image)
    assert found.shape == (12, 8)
    np.testing.assert_array_equal(found[5], image.array[:, 0, 1, 1])
    np.testing.assert_array_equal(sp.as_image(found, image).array, image.array)
    mask = np.zeros((1, 3, 4), bool)
    mask[0, 2, 3] = True
    np.testing.assert_array_equal(sp.spectra(image, mask), image.array[:, 0, 2, 3][None])
    with pytest.raises(InputError, match="a mask"):
        sp.spectra(image, mask[:, :2])
    with pytest.raises(InputError, match="spectra of shape"):
        sp.as_image(found[:5], image)


def test_smoothing_keeps_polynomials_and_gives_their_slopes() -> None:
    nm = np.arange(700, 900, 4.0)
    curve = 3 + 0.02 * (nm - 800) - 0.0005 * (nm - 800) ** 2
    stack = np.stack([curve, 2 * curve])
    np.testing.assert_allclose(sp.smooth(stack), stack, atol=1e-9)
    slope = sp.smooth(curve, derivative=1, step=4.0)
    np.testing.assert_allclose(slope, 0.02 - 0.001 * (nm - 800), atol=1e-9)
    holes = curve.copy()
    holes[[2, 25]] = np.nan
    unknown = np.isnan(sp.smooth(holes, window=7))
    np.testing.assert_array_equal(np.flatnonzero(unknown), [*range(6), *range(22, 29)])
    np.testing.assert_allclose(sp.smooth(holes, window=7)[~unknown], curve[~unknown], atol=1e-9)
    noisy = curve + RNG.normal(0, 0.1, nm.size)
    assert np.std(sp.smooth(noisy) - curve) < 0.6 * np.std(noisy - curve)
    for window, order in ((10, 2), (3, 3), (51, 2)):
        with pytest.raises(UsageError, match="a window of"):
            sp.smooth(curve, window, order)


def dense_baseline(y: np.ndarray, lam: float, p: float, rounds: int) -> np.ndarray:
    """Eilers and Boelens's sum, with full matrices."""
    differences = np.diff(np.eye(y.size), 2, axis=0)
    weights, ground = np.ones(y.size), y
    for _ in range(rounds):
        ground = np.linalg.solve(np.diag(weights) + lam * differences.T @ differences, weights * y)
        weights = np.where(y > ground, p, 1 - p)
    return ground


@pytest.mark.parametrize(("lam", "p"), [(1e2, 0.1), (1e5, 0.01), (1e7, 0.001)])
def test_the_baseline_equals_full_matrices(lam: float, p: float) -> None:
    y = (
        RNG.normal(0, 0.05, 80)
        + np.linspace(1, 3, 80)
        + 5 * np.exp(-((np.arange(80) - 40) ** 2) / 9)
    )
    found = sp.baseline(np.stack([y, y[::-1]]), lam, p, rounds=8)
    np.testing.assert_allclose(found[0], dense_baseline(y, lam, p, 8), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[1], dense_baseline(y[::-1], lam, p, 8), rtol=1e-6, atol=1e-6)


def test_the_baseline_lies_under_the_peaks() -> None:
    x = np.arange(300)
    ground = 2 + 0.01 * x
    peaks = 4 * np.exp(-((x - 90) ** 2) / 50) + 2 * np.exp(-((x - 210) ** 2) / 80)
    found = sp.baseline(ground + peaks, 1e6, 0.001)
    assert np.abs(found - ground).max() < 0.05
    np.testing.assert_allclose(sp.baseline(ground, 1e5), ground, atol=1e-6)  # a line is its own


def test_the_baseline_passes_over_what_is_not_known() -> None:
    line = np.linspace(1, 2, 40)
    line[10:13] = np.nan
    found = sp.baseline(np.stack([line, np.full(40, np.nan)]))
    np.testing.assert_allclose(found[0], np.linspace(1, 2, 40), atol=1e-6)
    assert np.isnan(found[1]).all()
    for wrong in ({"smoothness": 0}, {"asymmetry": 1.0}, {"rounds": 0}):
        with pytest.raises(UsageError, match="smoothness"):
            sp.baseline(line, **wrong)  # type: ignore[arg-type]


def test_rampy_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.stack([np.linspace(1, 2, 8), np.linspace(5, 9, 8)])
    monkeypatch.setitem(sys.modules, "rampy", None)
    with pytest.raises(MissingExtraError, match="hounsfield\\[spectra\\]"):
        sp.rampy_baseline(NM, line)
    asked = []

    def theirs(x: np.ndarray, y: np.ndarray, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
        asked.append(settings["method"])
        return (y - 1)[:, None], np.ones((y.size, 1)) * y[0]

    monkeypatch.setitem(sys.modules, "rampy", SimpleNamespace(baseline=theirs))
    found = sp.rampy_baseline(NM, line, "als", lam=1e4)
    np.testing.assert_array_equal(found, [[1.0] * 8, [5.0] * 8])
    assert asked == ["als", "als"]
