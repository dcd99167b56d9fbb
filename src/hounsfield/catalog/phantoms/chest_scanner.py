"""Five invented scanners: beam, processing to 12 bits, and their burnt-in markers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_exposure import Beam, bands
from hounsfield.catalog.phantoms.chest_kernels import blur, enlarge, gaussian_half, shrink

Floats = NDArray[np.float32]
TOP = 4095


@dataclass(frozen=True)
class Scanner:
    """One model of scanner and how it shows what it has measured."""

    maker: str
    model: str
    portable: bool
    beam: Beam
    equalise: float  # share of the coarse contrast that is taken away
    detail: float  # how much fine contrast is raised
    steepness: float  # of the S-shaped curve
    brightness: float  # where the curve's middle lies between lungs and mediastinum
    marker: str  # "lead" letters lie on the plate, "text" is printed by the software
    both_sides: bool  # R and L, or the left one alone


SCANNERS: dict[str, Scanner] = {
    "borealis": Scanner(
        "Borealis Imaging", "Aurora DR 500", False,
        Beam(0.42, 0.20, 20000, 0.30, 6), 0.30, 0.45, 4.2, 0.60, "text", False,
    ),
    "kestrel": Scanner(
        "Kestrel Medical", "Vantage CR-2", False,
        Beam(0.50, 0.30, 9000, 0.45, 14), 0.12, 0.20, 3.6, 0.55, "lead", True,
    ),
    "nordlys": Scanner(
        "Nordlys Systems", "Clarity 3", False,
        Beam(0.38, 0.17, 26000, 0.24, 5), 0.38, 0.65, 4.6, 0.62, "lead", False,
    ),
    "tamarind": Scanner(
        "Tamarind Health", "Rover M1", True,
        Beam(0.60, 0.52, 7000, 0.42, 12), 0.18, 0.35, 4.0, 0.57, "lead", False,
    ),
    "osprey": Scanner(
        "Osprey Diagnostics", "Bedside 7", True,
        Beam(0.55, 0.45, 11000, 0.33, 8), 0.28, 0.50, 4.4, 0.64, "text", True,
    ),
}  # fmt: skip


def develop(attenuation: Floats, scanner: Scanner, shade: float = 0.0) -> NDArray[np.uint16]:
    """Show a measured attenuation as a 12-bit picture in which bone is bright (MONOCHROME2).

    `shade` is the operator's choice of a darker or lighter print (about ±0.05).
    """
    size = attenuation.shape[0]
    small = shrink(attenuation, max(size // 128, 1))
    wide = enlarge(blur(small, gaussian_half(7.0)), size, size)
    middle = shrink(attenuation, max(size // 256, 1))
    fine = enlarge(blur(middle, gaussian_half(1.6)), size, size)
    centre = small[
        small.shape[0] // 8 : -small.shape[0] // 8, small.shape[1] // 6 : -small.shape[1] // 6
    ]
    low, high = np.percentile(centre[centre > 0.5], [4, 95])
    steep, centre_at = scanner.steepness, scanner.brightness + shade
    bottom, top = (1 / (1 + np.exp(steep * (centre_at - at))) for at in (0.0, 1.25))
    span = np.float32(1.28 * (high - low))
    offset = np.float32(low - 0.28 * (high - low) - scanner.equalise * centre.mean())
    detail, equalise = np.float32(scanner.detail), np.float32(scanner.equalise)
    grey = np.empty(attenuation.shape, np.uint16)
    for band in bands(size):
        shown = attenuation[band] * (1 + detail) - detail * fine[band]
        shown -= equalise * wide[band] + offset
        shown = 1 / (1 + np.exp(np.float32(steep) * (np.float32(centre_at) - shown / span)))
        shown = (shown - np.float32(bottom)) * np.float32(TOP / (top - bottom)) + np.float32(0.5)
        grey[band] = np.clip(shown, 0, TOP)
    return grey
