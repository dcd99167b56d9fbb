"""Planck's law against tables, Stefan and Boltzmann, and itself backwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.constants import Wien, sigma
from scipy.integrate import quad

from hounsfield.errors import InputError
from hounsfield.formats.thermal.radiometry import (
    LONG_WAVE,
    MID_WAVE,
    Band,
    band_radiance,
    band_temperature,
    planck,
)

# Share of a black body's radiation below λT in µm K: Incropera and DeWitt, Fundamentals of Heat
# and Mass Transfer, table 12.1 (made with c₂ = 14388 µm K; CODATA's is 14387.77)
SHARES = {
    1000: 0.000321, 1400: 0.007790, 2000: 0.066728, 2898: 0.250108, 3000: 0.273232,
    4000: 0.480877, 5000: 0.633747, 6000: 0.737818, 8000: 0.856288, 10000: 0.914199,
    14000: 0.962898, 20000: 0.985602,
}  # fmt: skip


@pytest.mark.parametrize("kelvin", [250.0, 310.0, 1000.0, 5800.0])
def test_all_wavelengths_give_stefan_and_boltzmann(kelvin: float) -> None:
    whole = np.pi * band_radiance(kelvin, Band(0, np.inf))
    assert whole == pytest.approx(sigma * kelvin**4, rel=1e-12)


@pytest.mark.parametrize(("product", "share"), SHARES.items())
def test_shares_of_a_black_body_as_tabulated(product: float, share: float) -> None:
    kelvin = 310.0
    below = np.pi * band_radiance(kelvin, Band(0, product / kelvin)) / (sigma * kelvin**4)
    assert below == pytest.approx(share, abs=6e-5)


def test_the_band_is_the_integral_of_planck() -> None:
    for kelvin in (250.0, 310.15, 900.0):
        expected, _ = quad(lambda um, t=kelvin: float(planck(um, t)), 7.5, 13, epsabs=0)
        assert band_radiance(kelvin, Band(7.5, 13)) == pytest.approx(expected, rel=1e-10)


def test_planck_peaks_where_wien_says() -> None:
    peak = Wien * 1e6 / 310.0
    at, before, after = planck([peak, peak - 0.01, peak + 0.01], 310.0)
    assert at > before
    assert at > after


@pytest.mark.parametrize("band", [LONG_WAVE, MID_WAVE, Band(8, 8.01), Band(0, np.inf)])
def test_the_inverse_is_exact_to_a_millikelvin(band: Band) -> None:
    kelvin = np.linspace(250, 350, 401).reshape(401, 1)
    again = band_temperature(band_radiance(kelvin, band), band)
    assert again.shape == kelvin.shape
    np.testing.assert_allclose(again, kelvin, rtol=0, atol=1e-6)  # a thousandth of the goal


@given(st.floats(100, 5000), st.floats(0.5, 20), st.floats(0.01, 30))
def test_the_inverse_undoes_any_band(kelvin: float, low: float, width: float) -> None:
    band = Band(low, low + width)
    radiance = band_radiance(kelvin, band)
    if radiance > 1e-30:
        assert band_temperature(radiance, band) == pytest.approx(kelvin, abs=1e-3)


def test_more_heat_is_more_radiance() -> None:
    assert np.all(np.diff(band_radiance(np.linspace(200, 400, 300))) > 0)


def test_what_no_black_body_sends_is_no_temperature() -> None:
    found = band_temperature(np.array([0.0, -1.0, np.nan, np.inf, 1e15, 50.0]))
    np.testing.assert_array_equal(np.isnan(found), [True] * 5 + [False])


def test_impossible_bands_and_temperatures_are_refused() -> None:
    for low, high in ((13, 7.5), (-1, 5), (8, 8), (np.nan, 9)):
        with pytest.raises(InputError, match="band"):
            Band(low, high)
    for micrometres in (0, -10, [10, -1]):
        with pytest.raises(InputError, match="wavelength"):
            planck(micrometres, 300)
    with pytest.raises(InputError, match="kelvin"):
        band_radiance([300.0, -3.0])
