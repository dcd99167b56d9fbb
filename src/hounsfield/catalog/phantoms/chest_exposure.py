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


def expose(water: Floats, bone: Floats, beam: Beam, field_mm: float, rng: Generator) -> Floats:
    """Attenuation −ln(I/I0) that the detector reports, for maps in mm along the ray (rows, columns)."""
    size = water.shape[0]
    primary = np.zeros_like(water)
    for share, mu_water, mu_bone in zip(
        (beam.soft_share, 1 - beam.soft_share), WATER_PER_MM, BONE_PER_MM, strict=True
    ):
        power = np.float32(-mu_water) * water
        power -= np.float32(mu_bone) * bone
        primary += np.float32(share) * np.exp(power, out=power)
    pixel = field_mm / size
    primary = blur(primary, gaussian_half(beam.blur_mm / pixel))
    block = max(size // 64, 1)
    small = shrink(primary, block)
    # Scatter is born in the body: air beside it adds none, it only lets it spread.
    body = np.minimum(small, np.float32(0.35))
    spread = blur(body, gaussian_half(SCATTER_SPREAD_MM / (pixel * block)))
    scatter = np.float32(beam.scatter) * enlarge(spread, size, size)
    quanta = np.float32(beam.quanta * (1024 / size) ** 2)
    mean = (primary + scatter) * quanta
    # Poisson in its normal limit: even behind the spine some hundred quanta remain.
    noise = rng.standard_normal(water.shape, dtype=np.float32)
    noise *= np.sqrt(mean + np.float32(beam.readout**2))
    mean += noise
    np.maximum(mean, 1, out=mean)
    return np.asarray(np.log(quanta) - np.log(mean, out=mean), np.float32)
