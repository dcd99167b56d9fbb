"""From a thermal camera's signal to temperatures: what the object, the air and a window add.

The camera's signal S of a black body of T kelvin is R1 / (R2 (exp(B/T) - F)) - O, and what comes
to the detector is, from the object outwards (W. Minkina and S. Dudzik, Infrared Thermography:
Errors and Uncertainties, Wiley 2009, ch. 2; G. Tattersall, Thermimage, doi 10.5281/zenodo.1069704):

    S = t₂ tw t₁ (ε S(object) + (1 - ε) S(reflected))  t: transmission of the air before
      + t₂ tw (1 - t₁) S(air) + t₂ (1 - tw) S(window)     and behind the window
      + (1 - t₂) S(air)
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hounsfield.errors import UsageError

Floats = NDArray[np.float64]
KELVIN = 273.15  # of 0 °C

# What each parameter may be: lowest, highest, and whether the lowest itself is allowed
_RANGES = {
    "emissivity": (0.0, 1.0, False),
    "distance": (0.0, 100_000.0, True),
    "reflected": (-KELVIN, 5000.0, False),
    "atmosphere": (-100.0, 200.0, True),
    "humidity": (0.0, 1.0, True),
    "window": (-KELVIN, 5000.0, False),
    "window_transmission": (0.0, 1.0, False),
}
_UNITS = {"distance": " m", "reflected": " °C", "atmosphere": " °C", "window": " °C"}


@dataclass(frozen=True)
class Parameters:
    """What lies between the object and the camera; None is what the camera's record says.

    `air` is how the path through the air is counted: "halved" puts half of it on either side of
    the window and multiplies both transmissions, as the usual programs do; "whole" counts it once,
    as FLIR's formula of the square root of the distance is written. The two differ by 0.09 °C for
    an object of 62 °C in a room, one metre away.

    Raises:
        UsageError: a value that no scene has.
    """

    emissivity: float | None = None  # of the object, above 0 to 1; human skin 0.98
    distance: float | None = None  # m
    reflected: float | None = None  # °C, apparent temperature of what the object mirrors
    atmosphere: float | None = None  # °C
    humidity: float | None = None  # relative, 0 to 1
    window: float | None = None  # °C
    window_transmission: float | None = None  # above 0 to 1
    air: Literal["halved", "whole"] | None = None

    def __post_init__(self) -> None:
        for name, (low, high, closed) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not possible(name, value):
                unit = _UNITS.get(name, "")
                raise UsageError(
                    f"{name} of {value:g}{unit}",
                    expected=f"{'from' if closed else 'above'} {low:g} to {high:g}{unit}",
                    remedy="50 % of humidity is 0.5" if name == "humidity" else None,
                )
        if self.air not in (None, "halved", "whole"):
            raise UsageError(f"air {self.air!r}", expected="'halved' or 'whole'")

    def over(self, other: Parameters) -> Parameters:
        """These, and the other's where these say nothing."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(other, **{name: value for name, value in said.items() if value is not None})

    @property
    def unknown(self) -> list[str]:
        """The names that still have no value."""
        return [f.name for f in fields(self) if getattr(self, f.name) is None]


def possible(name: str, value: float) -> bool:
    """Whether a scene can have this value of a parameter."""
    low, high, closed = _RANGES[name]
    return bool((low <= value if closed else low < value) and value <= high)


@dataclass(frozen=True)
class Calibration:
    """A camera's five constants between temperature and signal."""

    r1: float
    b: float
    f: float
    o: float
    r2: float

    @property
    def usable(self) -> bool:
        return all(np.isfinite((self.r1, self.b, self.f, self.o, self.r2))) and (
            self.r1 > 0 and self.b > 0 and self.r2 > 0
        )

    def signal(self, celsius: float) -> float:
        """What a black body of this temperature gives."""
        return float(self.r1 / (self.r2 * (np.exp(self.b / (celsius + KELVIN)) - self.f)) - self.o)

    def celsius(self, signal: ArrayLike) -> Floats:
        """The black body's temperature that gives a signal; NaN where none does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            grown = self.r1 / (self.r2 * (np.asarray(signal, np.float64) + self.o)) + self.f
            kelvin = self.b / np.log(grown)
        return np.where((grown > 1) & np.isfinite(grown), kelvin - KELVIN, np.nan)


@dataclass(frozen=True)
class Air:
    """A camera's five constants of the air: two kinds of absorption and their share."""

    alpha1: float
    alpha2: float
    beta1: float
    beta2: float
    x: float

    def transmission(self, metres: float, celsius: float, humidity: float) -> float:
        """The share of radiation that passes through this much air."""
        # Water in g/m³: a polynomial of the saturated vapour
        exponent = 1.5587 + 0.06939 * celsius - 2.7816e-4 * celsius**2 + 6.8455e-7 * celsius**3
        water = np.sqrt(humidity * np.exp(exponent))
        root = np.sqrt(metres)
        first = np.exp(-root * (self.alpha1 + self.beta1 * water))
        second = np.exp(-root * (self.alpha2 + self.beta2 * water))
        return float(self.x * first + (1 - self.x) * second)


def temperatures(raw: NDArray[Any], calibration: Calibration, air: Air, scene: Parameters) -> Any:
    """°C of the object at each pixel, float64; NaN where the signal is too low to be one.

    Raises:
        UsageError: the air of this distance and humidity lets nothing through.
    """
    assert not scene.unknown
    emissivity, window = scene.emissivity or 0.0, scene.window_transmission or 0.0
    distance, celsius = scene.distance or 0.0, scene.atmosphere or 0.0
    before, behind = (distance / 2, distance / 2) if scene.air == "halved" else (distance, 0.0)
    t1 = air.transmission(before, celsius, scene.humidity or 0.0)
    t2 = air.transmission(behind, celsius, scene.humidity or 0.0)
    if not (0 < t1 < 1.05 and 0 < t2 < 1.05):
        raise UsageError(
            f"the camera's model of the air gives a transmission of {t1 * t2:.3g} "
            f"over {distance:g} m at {celsius:g} °C",
            expected="above 0, at most 1",
            remedy="check distance, atmosphere and humidity",
        )
    signal = calibration.signal
    strange = (1 - emissivity) * t1 * window * t2 * signal(scene.reflected or 0.0)
    strange += ((1 - t1) * window * t2 + (1 - t2)) * signal(celsius)
    strange += (1 - window) * t2 * signal(scene.window or 0.0)
    return calibration.celsius((raw - strange) / (emissivity * t1 * window * t2))
