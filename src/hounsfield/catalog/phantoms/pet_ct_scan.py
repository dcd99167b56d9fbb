"""What the two scanners see of a body: HU and SUV on their grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.pet_ct import Settings
from hounsfield.catalog.phantoms.pet_ct_body import Body, breathed, covered, painted

SPAN = (500.0, 340.0, 640.0)  # mm across, from front to back, along the table
LOWEST = -330.0
CT_NOISE = 12.0  # HU
FINER = 2  # the PET is painted on so many times finer voxels, blurred, then averaged


@dataclass(frozen=True, eq=False)
class Scan:
    """Voxels (Z, Y, X) and `ras_from_voxel`, x to the left and y to the back as DICOM's."""

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]


def grid(
    size: tuple[float, float, float], corner: float
) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """Shape (Z, Y, X) and affine of a grid with these voxels, `corner` mm off the other one's."""
    counts = [round(span / mm) for span, mm in zip(SPAN, size, strict=True)]
    affine = np.diag([-size[0], -size[1], size[2], 1.0])
    affine[:3, 3] = (SPAN[0] / 2 - corner, SPAN[1] / 2 - 8 + corner, LOWEST + corner)
    return (counts[2], counts[1], counts[0]), affine


def rigid(settings: Settings) -> NDArray[np.float64]:
    """`ras_pet_from_ras_ct`: turned about x, then y, then z (through the origin), then shifted."""
    matrix = np.eye(4)
    for axis, degrees in enumerate(settings.turn):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        one = np.eye(4)
        one[[a, a, b, b], [a, b, a, b]] = (c, -s, s, c)
        matrix = one @ matrix
    matrix[:3, 3] = settings.shift
    return matrix


def see_ct(body: Body, settings: Settings, rng: Generator) -> Scan:
    """HU, rounded to whole numbers, with noise."""
    mm = settings.voxel
    shape, affine = grid((mm / 2, mm / 2, mm * 0.75), 0.0)
    voxels = painted(body, "hu", shape, affine, -1000.0)
    voxels += rng.standard_normal(shape, np.float32) * np.float32(CT_NOISE)
    return Scan(np.round(np.clip(voxels, -1024, 3071)).astype(np.float32), affine)


def see_pet(body: Body, settings: Settings, rng: Generator) -> Scan:
    """SUV: the body's uptake, blurred, with the noise of the counts."""
    from scipy.ndimage import gaussian_filter

    mm = settings.voxel
    size = (mm, mm, mm * 1.25)
    shape, affine = pet_grid(settings)
    pet_from_fine = np.diag([1 / FINER] * 3 + [1.0])
    pet_from_fine[:3, 3] = 0.5 / FINER - 0.5
    fine = (shape[0] * FINER, shape[1] * FINER, shape[2] * FINER)
    ras_ct_from_ras_pet = np.linalg.inv(rigid(settings))
    moved = ras_ct_from_ras_pet @ affine @ pet_from_fine
    uptake = painted(in_pet(body, settings), "suv", fine, moved, 0.0)
    sigma = settings.psf / np.sqrt(8 * np.log(2))
    uptake = gaussian_filter(uptake, [FINER * sigma / s for s in size[::-1]], truncate=3.0)
    folded = uptake.reshape(shape[0], FINER, shape[1], FINER, shape[2], FINER)
    suv = folded.mean(axis=(1, 3, 5), dtype=np.float32)
    if settings.counts:
        noise = rng.poisson(suv * settings.counts) / settings.counts - suv
        suv = suv + gaussian_filter(noise.astype(np.float32), [0.5 * sigma / s for s in size[::-1]])
    return Scan(np.maximum(suv, 0).astype(np.float32), affine)


def pet_grid(settings: Settings) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """The PET's shape (Z, Y, X) and affine; its voxels begin 1.3 mm off the CT's."""
    mm = settings.voxel
    return grid((mm, mm, mm * 1.25), 1.3)


def in_pet(body: Body, settings: Settings) -> Body:
    """The body as it lies while the PET is taken, in the CT's world: breathing quietly."""
    return breathed(body, settings.breathing)


def lesion_mask(body: Body, settings: Settings) -> NDArray[np.uint8]:
    """Where the lesions are on the PET's grid (Z, Y, X); 0 or 1."""
    shape, affine = pet_grid(settings)
    moved = np.linalg.inv(rigid(settings)) @ affine
    mask = np.zeros(shape, np.uint8)
    for one in in_pet(body, settings).lesions:
        mask |= covered(one, shape, moved).astype(np.uint8)
    return mask
