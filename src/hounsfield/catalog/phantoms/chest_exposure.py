"""From lengths of water and bone to counted X-rays: two energies, scatter, blur, quantum noise.

Any tissue is written as a mixture of water and cortical bone (Alvarez and Macovski 1976).
Coefficients: NIST XCOM at 50 and 80 keV, water and ICRU-44 cortical bone of 1.92 g/cm³.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_kernels import blur, enlarge, gaussian_half, shrink

Floats = NDArray[np.float32]
WATER_PER_MM = (0.02269, 0.01837)  # at 50 and 80 keV
BONE_PER_MM = (0.08145, 0.04280)
SCATTER_SPREAD_MM = 42.0


@dataclass(frozen=True)
class Beam:
    """What leaves the tube and what the detector makes of it."""

    soft_share: float  # of the detected energy that the 50 keV part carries in air
    scatter: float  # scattered to primary energy under a wide uniform body
    quanta: float  # detected per pixel of a 1024 picture in air
    blur_mm: float  # standard deviation of focal spot and detector together
    readout: float  # noise of the electronics, in quanta


def bands(rows: int, height: int = 64) -> list[slice]:
    """Strips of a picture that fit the processor's cache."""
    return [slice(r, min(r + height, rows)) for r in range(0, rows, height)]


def expose(water: Floats, bone: Floats, beam: Beam, field_mm: float, rng: Generator) -> Floats:
    """Attenuation −ln(I/I0) as detected, for maps of mm along the ray (rows, columns)."""
    size = water.shape[0]
    pixel = field_mm / size
    primary = blur(_transmitted(water, bone, beam), gaussian_half(beam.blur_mm / pixel))
    scatter = _scattered(primary, beam, pixel)
    quanta = np.float32(beam.quanta * (1024 / size) ** 2)
    seen: Floats = np.empty_like(primary)
    for band in bands(size):
        mean = (primary[band] + scatter[band]) * quanta
        # Poisson in its normal limit: even behind the spine some hundred quanta remain.
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        noise *= np.sqrt(mean + np.float32(beam.readout**2))
        seen[band] = np.log(quanta) - np.log(np.maximum(mean + noise, 1))
    return seen


def _transmitted(water: Floats, bone: Floats, beam: Beam) -> Floats:
    """Share of the beam that passes straight through (Beer–Lambert, both energies)."""
    primary: Floats = np.zeros_like(water)
    shares = (beam.soft_share, 1 - beam.soft_share)
    for band in bands(len(water)):
        for share, mu_water, mu_bone in zip(shares, WATER_PER_MM, BONE_PER_MM, strict=True):
            power = np.float32(-mu_water) * water[band] - np.float32(mu_bone) * bone[band]
            primary[band] += np.float32(share) * np.exp(power)
    return primary


def _scattered(primary: Floats, beam: Beam, pixel: float) -> Floats:
    """Scatter follows the primary picture, spread wide; it is computed on 64 × 64 cells."""
    block = max(len(primary) // 64, 1)
    # Scatter is born in the body: air beside it adds none, it only lets it spread.
    body = np.minimum(shrink(primary, block), np.float32(0.35))
    spread = blur(body, gaussian_half(SCATTER_SPREAD_MM / (pixel * block)))
    return enlarge(np.float32(beam.scatter) * spread, *primary.shape)
