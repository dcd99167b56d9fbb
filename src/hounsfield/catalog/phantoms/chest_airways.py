"""Airways and lung vessels: trees of tubes that leave each hilum and thin out in their lung."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_anatomy import (
    Point,
    Thorax,
    hilum,
    lung_centre,
    lung_half_width,
)
from hounsfield.catalog.phantoms.chest_bones import Tubes

# Directions of the great branches (degrees below the horizontal, outwards) and their radii in mm.
GREAT = ((-70, 4.2), (-45, 3.8), (-14, 3.2), (18, 3.6), (42, 4.5), (62, 5.6), (80, 4.9))


@dataclass(frozen=True)
class Tree:
    """Vessels of both lungs at full inspiration; branch k holds points starts[k]:starts[k+1]."""

    points: NDArray[np.float64]  # (N, 3), mm
    radii: NDArray[np.float64]  # (N,), mm
    starts: NDArray[np.int64]


def airways(thorax: Thorax, tubes: Tubes) -> None:
    """Windpipe and main bronchi as tubes of air; the right bronchus is steeper and wider."""
    fork = 0.38 * thorax.height
    wide = 8.6 if thorax.male else 7.4
    s = np.linspace(-95, fork, 24)
    drift = -3.5 * np.exp(-(((s - 58) / 25) ** 2))  # pushed aside by the aortic arch
    tubes.add((drift + thorax.bend * 0.5, s, 5.0), wide, 1.8 * wide)
    for side, slope, radius in ((-1, 0.95, 6.6), (1, 0.62, 5.6)):
        x = side * np.linspace(3, 34, 8)
        radii = np.linspace(radius, 0.7 * radius, 8)
        tubes.add((x, fork - 4 + slope * np.abs(x), 10.0), radii, 1.3 * radius)


@lru_cache(maxsize=2)
def vessels(thorax: Thorax) -> Tree:
    """Arteries and veins of both lungs, from 5 mm radius down to half a millimetre."""
    rng = np.random.default_rng(thorax.vessel_seed)
    heights = np.arange(0, thorax.height + thorax.dome, dtype=np.float32)
    centre, width = lung_centre(thorax, heights).tolist(), lung_half_width(thorax, heights).tolist()
    room = [(c - w + 2, c + w - 2) for c, w in zip(centre, width, strict=True)]
    branches: list[list[tuple[float, float, float, float]]] = []
    for side in (-1, 1):
        x, y, z = hilum(thorax, side)
        for degrees, radius in GREAT:
            heading = (degrees + rng.normal(0, 7)) * pi / 180
            start = (side * x + rng.normal(0, 3), y + 9 * sin(heading) + rng.normal(0, 2), z)
            grown = _grow(start, heading, radius * thorax.vessels, room, rng)
            branches += [[(side * a, b, c, r) for a, b, c, r in branch] for branch in grown]
    flat = np.array([p for branch in branches for p in branch])
    starts = np.cumsum([0, *(len(branch) for branch in branches)])
    return Tree(flat[:, :3], flat[:, 3], starts.astype(np.int64))


def _grow(
    start: Point, heading: float, radius: float, room: list[tuple[float, float]], rng: Generator
) -> list[list[tuple[float, float, float, float]]]:
    """Walk out from `start` and split in two until vessels grow too thin to see or leave the lung.

    `room[y]` bounds the distance from the midline at each millimetre of height.
    """
    waiting = [(*start, heading, radius, 0)]
    branches = []
    chances, chance = rng.random((256, 3)).tolist(), 0
    while waiting:
        x, y, z, angle, r, level = waiting.pop()
        share, bend, far = chances[chance % 256]
        chance += 1
        length = (4.0 + 3.2 * far) * (r + 0.9)
        steps = 3 if level > 2 else 5
        points = [(x, y, z, r)]
        for k in range(1, steps + 1):
            angle += (0.8 * bend - 0.4) / steps
            x, y = x + cos(angle) * length / steps, y + sin(angle) * length / steps
            z += 6.0 * share - 3.0
            inside = 6 < y < len(room) and room[int(y)][0] < x < room[int(y)][1]
            if level and not inside:
                break
            points.append((x, y, z, r * (1 - 0.14 * k / steps)))
        else:
            if r > 0.55 and level < 9:
                big, turn = 0.62 + 0.26 * share, (0.45 + 0.5 * far) * (1 if bend > 0.5 else -1)
                thick, thin = 0.86 * r * big**0.33, 0.86 * r * (1 - big) ** 0.33
                waiting.append((x, y, z, angle + turn * (1 - big), thick, level + 1))
                waiting.append((x, y, z, angle - turn * big, thin, level + 1))
        if len(points) > 1:
            branches.append(points)
    return branches


def add_vessels(tree: Tree, tubes: Tubes, squeeze: float, calibre: float) -> None:
    """Put the tree into a picture; `squeeze` shortens it as far as the diaphragm has risen."""
    x, y, z = tree.points.T
    radii = tree.radii * calibre
    tubes.add_many((x, squeeze * y, z), radii, 2 * radii, tree.starts)
