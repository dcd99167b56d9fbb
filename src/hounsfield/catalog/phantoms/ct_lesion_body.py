"""One lung with its vessels, and perhaps a nodule, drawn and then seen by a CT.

Places are millimetres about the middle of the volume, as its voxels run: x to the patient's left,
y to the back, z upwards. A slice averages over its thickness, a pixel over its side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.ct_lesion import Settings
from hounsfield.errors import InputError

AIR, LUNG, FAT, MUSCLE, BLOOD, BONE = -1000.0, -860.0, -100.0, 50.0, 45.0, 500.0
SUBSLICES = 5  # of a slice, whose mean it is
TRIES, GAP = 400, 2.0  # draws of a place; mm between things in the middle slice
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Vessel:
    """A tube through all slices: where it cuts the middle slice, and how it leans and bends."""

    x: float
    y: float
    radius: float  # mm, in the middle slice
    lean: tuple[float, float]  # mm in x and y a mm in z
    bend: tuple[float, float]  # mm of sideways swing
    taper: float  # share of the radius that is lost from bottom to top
    hu: float


@dataclass(frozen=True)
class Nodule:
    """A ball: (x, y, z) and radius in mm."""

    x: float
    y: float
    z: float
    radius: float
    hu: float


@dataclass(frozen=True)
class Chest:
    """A patient: the lung's side (+1 left, -1 right), half axes in mm, wall and heart."""

    side: int
    lung: tuple[float, float]
    wall: float
    fat: float
    heart: float
    turn: float  # of the ribs, radians


@dataclass(frozen=True)
class Scan:
    """What lies in the lung."""

    chest: Chest
    vessels: tuple[Vessel, ...]
    nodule: Nodule | None


def draw_chest(rng: Generator, settings: Settings) -> Chest:
    """A patient's chest; the field of view is fitted to one lung."""
    half = settings.field / 2
    return Chest(
        side=int(rng.choice([-1, 1])),
        lung=(half * rng.uniform(0.66, 0.76), half * rng.uniform(0.82, 0.92)),
        wall=rng.uniform(10, 16),
        fat=rng.uniform(4, 14),
        heart=rng.uniform(0.25, 0.45),
        turn=rng.uniform(0, 2 * np.pi),
    )


def draw_scan(rng: Generator, chest: Chest, settings: Settings, ill: bool) -> Scan:
    """As many round things in the middle slice, ill or not: of the ill, one is a nodule.

    Raises:
        InputError: the things do not fit into the lung.
    """
    low, high = sorted(settings.vessels)
    count = max(int(rng.integers(low, high + 1)), int(ill))
    vessels: list[Vessel] = []
    for _ in range(count):
        vessels.append(_vessel(rng, chest, settings, vessels))
    if not ill:
        return Scan(chest, tuple(vessels), None)
    place = int(rng.integers(count))
    away = vessels.pop(place)
    return Scan(chest, tuple(vessels), _nodule(rng, away, settings))


def _vessel(rng: Generator, chest: Chest, settings: Settings, others: list[Vessel]) -> Vessel:
    low, high = sorted(settings.diameter)
    radius = rng.uniform(low, high) / 2
    a, b = chest.lung
    for _ in range(TRIES):
        # Within the lung, and not where the heart bulges into it.
        r, angle = np.sqrt(rng.random()) * 0.78, rng.uniform(0, 2 * np.pi)
        x, y = r * a * np.cos(angle), r * b * np.sin(angle)
        if -chest.side * x > a * (0.75 - chest.heart) and abs(y) < b * 0.6:
            continue
        apart = [np.hypot(x - o.x, y - o.y) - o.radius - radius for o in others]
        if min(apart, default=GAP) >= GAP:
            lean, bend = rng.uniform(-0.25, 0.25, 2), rng.uniform(-2, 2, 2)
            return Vessel(
                float(x), float(y), float(radius), (float(lean[0]), float(lean[1])),
                (float(bend[0]), float(bend[1])), rng.uniform(0, 0.25), rng.normal(BLOOD, 15),
            )  # fmt: skip
    raise InputError(
        f"{len(others) + 1} vessels of {2 * radius:.1f} mm have no room in a lung "
        f"of {2 * a:.0f} × {2 * b:.0f} mm",
        remedy="fewer --vessels, a smaller --diameter or a larger --field",
    )


def _nodule(rng: Generator, vessel: Vessel, settings: Settings) -> Nodule:
    """The ball that shows the middle slice as much as this vessel does.

    A slice of thickness h at distance d from the centre shows, in the mean over its thickness,
    the area of a disc with the radius squared R² - d² - h² / 12.
    """
    off = float(rng.uniform(-settings.off, settings.off)) * settings.thickness
    radius = np.sqrt(vessel.radius**2 + off**2 + settings.thickness**2 / 12)
    z = middle(settings) + off
    return Nodule(vessel.x, vessel.y, z, float(radius), vessel.hu)


def middle(settings: Settings) -> float:
    """z of the middle slice, array[n // 2], in mm about the middle of the volume."""
    return float(centres(settings)[settings.slices // 2])


def centres(settings: Settings) -> Floats:
    """z of each slice's centre, bottom first."""
    n = settings.slices
    return np.asarray((np.arange(n) - (n - 1) / 2) * settings.thickness, np.float64)


def pixels(settings: Settings) -> Floats:
    """x, or y, of each pixel's centre."""
    side = settings.field / settings.size
    return np.asarray((np.arange(settings.size) - (settings.size - 1) / 2) * side, np.float64)


def see(scan: Scan, settings: Settings, rng: Generator) -> NDArray[np.int16]:
    """HU (Z, Y, X): with noise."""
    chest, side = scan.chest, settings.field / settings.size
    along = pixels(settings)
    y, x = along[:, None], along[None, :]
    seen = np.empty((settings.slices, settings.size, settings.size))
    thin = (np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5
    body = _body(chest, x, y, side)
    for k, z in enumerate(centres(settings)):
        seen[k] = body
        for vessel in scan.vessels:
            cover = [
                _disc(*_at(vessel, z + t * settings.thickness, settings), x, y, side) for t in thin
            ]
            seen[k] += np.mean(cover, 0) * (vessel.hu - seen[k])
        if scan.nodule is not None:
            ball = scan.nodule
            squares = ball.radius**2 - (z + thin * settings.thickness - ball.z) ** 2
            radii = np.sqrt(np.maximum(squares, 0))
            cover = [_disc(ball.x, ball.y, r, x, y, side) for r in radii]
            seen[k] += np.mean(cover, 0) * (ball.hu - seen[k])
    return _noisy(seen, settings, rng)


def _at(vessel: Vessel, z: float, settings: Settings) -> tuple[float, float, float]:
    """x, y and radius of a vessel at a height; those of the middle slice there."""
    up = z - middle(settings)
    reach = settings.slices * settings.thickness
    swing = np.sin(2 * np.pi * up / reach)
    x = vessel.x + vessel.lean[0] * up + vessel.bend[0] * swing
    y = vessel.y + vessel.lean[1] * up + vessel.bend[1] * swing
    return x, y, vessel.radius * (1 - vessel.taper * up / reach)


def _disc(cx: float, cy: float, radius: float, x: Floats, y: Floats, side: float) -> Floats:
    """The share of each pixel that a disc covers, nearly."""
    if radius <= 0:
        return np.zeros(np.broadcast_shapes(x.shape, y.shape))
    near: Floats = np.clip((radius - np.hypot(x - cx, y - cy)) / side + 0.5, 0, 1)
    return near * min(1.0, np.pi * (radius / side) ** 2)  # a disc within one pixel


def _body(chest: Chest, x: Floats, y: Floats, side: float) -> Floats:
    """A slice without vessels: chest wall about an elliptic lung, heart on the inner side."""
    a, b = chest.lung

    def within(grow: float) -> Floats:
        """1 inside the lung grown by so many mm; half a pixel soft."""
        distance = (np.hypot(x / (a + grow), y / (b + grow)) - 1) * np.minimum(a, b)
        shares: Floats = np.clip(0.5 - distance / side, 0, 1)
        return shares

    seen = AIR + within(chest.wall + chest.fat) * (FAT - AIR)
    seen += within(chest.wall) * (MUSCLE - seen)
    ribs = np.cos(9 * np.arctan2(y, x) + chest.turn) > 0.55
    seen += ribs * (within(chest.wall * 0.7) - within(chest.wall * 0.25)) * (BONE - seen)
    inwards = -chest.side * x  # mm towards the middle of the body
    middle_of_body = np.clip(0.5 + (inwards - 0.7 * a) / side, 0, 1)
    seen += middle_of_body * (BLOOD - seen)
    seen += within(0) * (LUNG - seen)
    across = np.hypot((inwards - a) / (a * chest.heart), y / (b * 0.6))
    heart = np.clip(0.5 - (across - 1) * a * chest.heart / side, 0, 1)
    seen += heart * (BLOOD - seen)
    return np.asarray(seen)


def _noisy(seen: Floats, settings: Settings, rng: Generator) -> NDArray[np.int16]:
    """Noise that neighbours in a slice share, as a reconstruction's kernel leaves it."""
    white = rng.normal(size=seen.shape)
    near = white + 0.5 * (np.roll(white, 1, 1) + np.roll(white, 1, 2))
    near *= settings.noise / np.sqrt(1.5)
    return np.clip(np.rint(seen + near), -1024, 3071).astype(np.int16)
