"""The analytic body: soft-edged shapes with a density (HU) and an uptake (SUV).

World coordinates are RAS+ mm, the patient's middle at the origin; the CT's world is the body's.
Uptakes are the usual ones of FDG an hour after the injection; each patient varies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Point = tuple[float, float, float]
DIAPHRAGM, REACH = -15.0, 90.0  # mm: where breathing moves organs most, and how far off it fades


@dataclass(frozen=True)
class Shape:
    """Σ |(p - centre) / radii| ** power = 1: an ellipsoid (2), or nearly a tube (8 along z)."""

    name: str
    centre: Point
    radii: Point
    hu: float
    suv: float
    tube: bool = False
    moves: bool = False  # with the diaphragm


@dataclass(frozen=True)
class Lesion:
    """A hot sphere; `centre` in the body's world, `around` the uptake about it."""

    site: str
    centre: Point
    radius: float
    suv: float
    around: float
    hu: float


@dataclass(frozen=True)
class Body:
    """What is painted, in this order: the later shape covers the earlier one."""

    shapes: tuple[Shape, ...]
    lesions: tuple[Lesion, ...]
    weight: float
    height: float
    sex: str


_TABLE = (
    # name, centre, radii, HU, SUV, tube, moves
    Shape("fat", (0, 0, -70), (185, 118, 235), -95, 0.3, tube=True),
    Shape("muscle", (0, -2, -70), (163, 97, 231), 48, 0.75, tube=True),
    Shape("neck", (0, -8, 165), (58, 55, 65), 46, 0.8, tube=True),
    Shape("skull", (0, 4, 232), (74, 94, 66), 820, 0.8),
    Shape("brain", (0, 5, 233), (66, 86, 58), 35, 7.5),
    Shape("right lung", (76, 4, 62), (58, 74, 98), -820, 0.4),
    Shape("left lung", (-80, 4, 64), (50, 72, 96), -830, 0.4),
    Shape("spine", (0, -70, -50), (19, 18, 230), 260, 1.5, tube=True),
    Shape("right pelvis", (82, -22, -262), (28, 42, 36), 360, 1.0),
    Shape("left pelvis", (-82, -22, -262), (28, 42, 36), 360, 1.0),
    Shape("aorta", (-16, -44, 10), (12, 12, 120), 42, 1.7, tube=True),
    Shape("myocardium", (-26, 30, 26), (48, 44, 44), 45, 4.5, moves=True),
    Shape("ventricles", (-28, 31, 29), (36, 32, 32), 42, 1.7, moves=True),
    Shape("liver", (72, 12, -78), (86, 74, 62), 60, 2.2, moves=True),
    Shape("spleen", (-104, -28, -72), (34, 44, 48), 50, 1.8, moves=True),
    Shape("stomach", (-52, 30, -84), (42, 34, 40), 30, 1.6, moves=True),
    Shape("right kidney", (60, -48, -160), (26, 24, 52), 34, 3.6, moves=True),
    Shape("right renal pelvis", (48, -46, -160), (9, 8, 16), 8, 15.0, moves=True),
    Shape("left kidney", (-62, -48, -148), (26, 24, 52), 34, 3.6, moves=True),
    Shape("left renal pelvis", (-50, -46, -148), (9, 8, 16), 8, 15.0, moves=True),
    Shape("bladder", (4, 34, -268), (38, 30, 26), 6, 22.0),
)
# Where lesions grow: host, centre, how far from it, and the density
_SITES = (
    ("right lung", (78, 6, 78), (26, 34, 42), 35),
    ("left lung", (-84, 2, 84), (20, 32, 34), 35),
    ("muscle", (2, 18, 105), (10, 14, 22), 45),  # mediastinum
    ("liver", (78, 16, -74), (44, 36, 28), 48),
    ("neck", (-34, -4, 165), (8, 16, 22), 46),
    ("spine", (0, -70, -30), (3, 3, 120), 520),
    ("muscle", (-70, 30, -215), (22, 20, 14), 40),  # iliac node
    ("muscle", (40, 52, -205), (26, 12, 18), 40),  # abdomen
    ("right pelvis", (82, -22, -262), (8, 18, 14), 600),
)


def draw(rng: Generator, lesions: int) -> Body:
    """One patient: size, uptakes and lesions."""
    wide, long = rng.normal(1, 0.05), rng.normal(1, 0.02)
    scale = np.clip((wide, wide, long), (0.85, 0.85, 0.94), (1.15, 1.15, 1.06))
    shapes = tuple(
        replace(
            shape,
            centre=_point(scale * shape.centre),
            radii=_point(scale * shape.radii),
            suv=float(shape.suv * rng.lognormal(0, 0.12)),
        )
        for shape in _TABLE
    )
    sex = "F" if rng.random() < 0.5 else "M"
    height = float(np.round(rng.normal(1.65 if sex == "F" else 1.78, 0.05), 2))
    weight = float(np.round(24.5 * height**2 * scale[0] * scale[1], 1))
    body = Body(shapes, (), weight, height, sex)
    return replace(body, lesions=_lesions(rng, body, lesions, scale))


def _lesions(
    rng: Generator, body: Body, count: int, scale: NDArray[np.float64]
) -> tuple[Lesion, ...]:
    hosts = {shape.name: shape for shape in body.shapes}
    made: list[Lesion] = []
    while len(made) < count:
        host, middle, spread, hu = _SITES[int(rng.integers(len(_SITES)))]
        radius = float(np.exp(rng.uniform(np.log(4), np.log(14))))
        place = scale * (np.array(middle) + rng.uniform(-1, 1, 3) * spread)
        around = hosts[host].suv
        # From hardly above its surroundings to the hottest melanoma
        suv = around * 1.5 + float(np.exp(rng.uniform(np.log(0.3), np.log(14))))
        apart = [np.linalg.norm(place - one.centre) - one.radius - radius for one in made]
        if min(apart, default=np.inf) > 12:
            made.append(Lesion(host, _point(place), radius, suv, around, float(hu)))
    return tuple(made)


def breathed(body: Body, mm: float) -> Body:
    """The body with its diaphragm `mm` higher, and what hangs on it."""

    def up(centre: Point) -> Point:
        rise = mm * float(np.exp(-(((centre[2] - DIAPHRAGM) / REACH) ** 2)))
        return centre[0], centre[1], centre[2] + rise

    moving = {shape.name for shape in body.shapes if shape.moves}
    shapes = [replace(s, centre=up(s.centre)) if s.moves else _lung(s, mm) for s in body.shapes]
    lesions = [
        replace(one, centre=up(one.centre)) if one.site in moving or "lung" in one.site else one
        for one in body.lesions
    ]
    return replace(body, shapes=tuple(shapes), lesions=tuple(lesions))


def _lung(shape: Shape, mm: float) -> Shape:
    """A lung loses below what the diaphragm takes."""
    if "lung" not in shape.name:
        return shape
    (x, y, z), (a, b, c) = shape.centre, shape.radii
    return replace(shape, centre=(x, y, z + mm / 2), radii=(a, b, c - mm / 2))


def painted(body: Body, what: str, shape: tuple[int, int, int], affine: NDArray[np.float64],
            empty: float) -> NDArray[np.float32]:  # fmt: skip
    """The body's "hu" or "suv" on a grid (Z, Y, X); `affine` voxel (x, y, z) → the body's mm.

    Edges are a voxel wide, so that a small sphere keeps its volume.
    """
    grid = np.full(shape, empty, np.float32)
    size = float(np.abs(np.linalg.det(affine[:3, :3])) ** (1 / 3))
    for part in body.shapes:
        _paint(grid, affine, part, getattr(part, what), size)
    for one in body.lesions:
        sphere = Shape(one.site, one.centre, (one.radius,) * 3, one.hu, one.suv)
        _paint(grid, affine, sphere, getattr(sphere, what), size)
    return grid


def covered(lesion: Lesion, shape: tuple[int, int, int],
            affine: NDArray[np.float64]) -> NDArray[np.bool_]:  # fmt: skip
    """The voxels (Z, Y, X) whose middle lies in a lesion; the nearest one of a tiny lesion."""
    grid = np.zeros(shape, np.float32)
    sphere = Shape("", lesion.centre, (lesion.radius,) * 3, 0, 1)
    _paint(grid, affine, sphere, 1.0, 1e-3)
    if not grid.any():
        voxel = np.linalg.solve(affine, (*lesion.centre, 1.0))[:3]
        x, y, z = (round(float(v)) for v in voxel)
        grid[z, y, x] = 1
    return grid > 0.5


def _paint(
    grid: NDArray[np.float32], affine: NDArray[np.float64], shape: Shape, value: float, edge: float
) -> None:
    """Mix `value` into the voxels that the shape covers."""
    voxel_from_body = np.linalg.inv(affine)
    centre = voxel_from_body[:3, :3] @ shape.centre + voxel_from_body[:3, 3]
    reach = np.abs(voxel_from_body[:3, :3]) @ shape.radii + 2
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, grid.shape[::-1]).astype(int)
    if (low >= high).any():
        return
    axes = [np.arange(a, b, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    across = [axis.reshape(-1 if k == 0 else 1, -1 if k == 1 else 1, -1 if k == 2 else 1)
              for k, axis in zip((2, 1, 0), axes, strict=True)]  # fmt: skip
    parts = []
    for row in range(3):
        x, y, z = (affine[row, k].astype(np.float32) * across[k] for k in range(3))
        offset = np.float32(affine[row, 3] - shape.centre[row])
        parts.append(((x + offset) + y + z) / np.float32(shape.radii[row]))
    plane = parts[0] ** 2 + parts[1] ** 2
    along = parts[2] ** 2
    norm = np.sqrt(plane + (along**4 if shape.tube else along))
    thick = np.float32(min(shape.radii) / edge)
    inside = np.clip((1 - norm) * thick + np.float32(0.5), 0, 1)
    z, y, x = (slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    part = grid[z, y, x]
    part += inside * (np.float32(value) - part)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
