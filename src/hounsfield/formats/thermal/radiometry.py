"""Radiation and temperature: Planck's law over a band of wavelengths, and back.

Temperatures in kelvin, wavelengths in µm, radiances in W/(m² sr). The constants are CODATA's,
from SciPy. Planck's law: M. Planck, Annalen der Physik 309 (1901) 553.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hounsfield.errors import InputError

Floats = NDArray[np.float64]

_NODES = 96  # of Gauss and Legendre: 1e-12 of the whole, over the widest interval
_FAR = 80.0  # in x = hc/(λkT): beyond this nothing is left, 1e-29 of the whole
_COLD, _START, _HOT = 1.0, 300.0, 1e6  # kelvin: where the inverse ends, begins, ends


@dataclass(frozen=True)
class Band:
    """The wavelengths that a detector sees, in µm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0 <= self.low < self.high and np.isfinite(self.low)):
            raise InputError(
                f"a band of {self.low:g} to {self.high:g} µm", expected="0 ≤ low < high, in µm"
            )


MID_WAVE, LONG_WAVE = Band(3.0, 5.0), Band(7.5, 13.0)


def planck(wavelength: ArrayLike, kelvin: ArrayLike) -> Floats:
    """A black body's spectral radiance in W/(m² sr µm), at µm and K of shapes that go together.

    Raises:
        InputError: a wavelength or a temperature that is not above 0.
    """
    from scipy.constants import c, h, k

    metres = np.asarray(wavelength, np.float64) * 1e-6
    if np.any(metres <= 0):
        raise InputError(f"a wavelength of {np.nanmin(metres) * 1e6:g} µm", expected="µm, above 0")
    with np.errstate(over="ignore", divide="ignore"):
        grown = np.expm1(h * c / (metres * k * _checked(kelvin)))
        radiance: Floats = 2e-6 * h * c**2 / metres**5 / grown
    return radiance


def band_radiance(kelvin: ArrayLike, band: Band = LONG_WAVE) -> Floats:
    """A black body's radiance within a band, W/(m² sr), by Gauss and Legendre's integration.

    Over x = hc/(λkT) Planck's law is 2 k⁴T⁴/(h³c²) ∫ x³/(eˣ - 1) dx.

    Raises:
        InputError: a temperature that is not above 0 K.
    """
    radiance: Floats = np.exp(_log_integral(_checked(kelvin), band)[0])
    return radiance


def band_temperature(radiance: ArrayLike, band: Band = LONG_WAVE) -> Floats:
    """The temperature in K of the black body that has this radiance within a band.

    The inverse of `band_radiance`, by Newton's steps in ln L over 1/T, where L is nearly straight;
    exact to 1 µK from 100 to 5000 K. What no black body sends (0, negative, above that of 10⁶ K, no
    number) becomes NaN.
    """
    wanted = np.asarray(radiance, np.float64)
    sound = np.isfinite(wanted) & (wanted > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        goal = np.log(np.where(sound, wanted, 1.0))
    kelvin = np.full(wanted.shape, _START)
    for _ in range(60):
        value, slope = _log_integral(kelvin, band)
        step = (goal - value) / (kelvin**2 * slope)  # d ln L / d(1/T) = -T² d ln L / dT
        before = kelvin
        kelvin = 1 / np.clip(1 / kelvin - step, 1 / _HOT, 1 / _COLD)
        if np.all(np.abs(kelvin - before)[sound] < 1e-9 * before[sound]):
            break
    return np.where(sound & (kelvin < _HOT), kelvin, np.nan)


def _checked(kelvin: ArrayLike) -> Floats:
    values = np.asarray(kelvin, np.float64)
    if np.any(values <= 0):
        raise InputError(
            f"a temperature of {np.nanmin(values):g} K",
            expected="kelvin, above 0",
            remedy="add 273.15 to °C",
        )
    return values


def _log_integral(kelvin: Floats, band: Band) -> tuple[Floats, Floats]:
    """(ln L, d ln L / dT) of each temperature.

    One node after the other, so that memory stays small; e⁻ˣ of the near end is kept apart as a
    logarithm, so that the cold and short end of the spectrum does not vanish.
    """
    from scipy.constants import c, h, k

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    per_x = h * c / k * 1e6 / kelvin  # x = per_x / λ
    near = per_x / band.high
    far = near + _FAR if band.low == 0 else np.minimum(per_x / band.low, near + _FAR)
    centre, half = (far + near) / 2, (far - near) / 2
    total, change = np.zeros_like(kelvin), np.zeros_like(kelvin)
    for node, weight in zip(nodes, weights, strict=True):
        x = centre + half * node
        part = weight * x**3 * np.exp(near - x) / -np.expm1(-x)
        total += part
        change += part * x / -np.expm1(-x)
    scale = 2 * k**4 / (h**3 * c**2) * kelvin**4 * half
    return np.log(scale * total) - near, change / (total * kelvin)
