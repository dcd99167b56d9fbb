"""From the patient to the plate: a point source, a flat detector, and how the patient stands.

Patient coordinates in millimetres: x to the patient's left (which is the picture's right),
y down from the tops of the lungs, z from the breast bone (negative) to the back (positive).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """One exposure's geometry; angles in radians, lengths in mm."""

    size: int
    field: float  # side of the square detector
    source: float  # source to detector
    gap: float  # body centre to detector
    from_front: bool  # AP: the source is in front, the detector at the back
    turn: float  # about the body's long axis: moves deep structures sideways
    tilt: float  # in the plane of the picture
    shift: tuple[float, float]  # of the body centre on the detector, to the right and down
    middle: float  # patient's y that meets the central ray

    def magnification(self, z: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """How much larger than life a structure at depth z is drawn."""
        to_detector = self.gap + (-np.asarray(z) if self.from_front else np.asarray(z))
        return np.asarray(self.source / (self.source - to_detector))

    def points(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Columns and rows (N, 2), in pixels, of points given in mm."""
        xs, ys, zs = (np.asarray(v, np.float64) for v in (x, y, z))
        m = self.magnification(zs)
        u, v = m * (xs + self.turn * zs), m * (ys - self.middle)
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        right, down = cos * u - sin * v + self.shift[0], sin * u + cos * v + self.shift[1]
        scale = self.size / self.field
        return np.stack(
            [right * scale + self.size / 2 - 0.5, down * scale + self.size / 2 - 0.5], axis=-1
        )

    @cached_property
    def coarse(self) -> int:
        """Side of the grid for smooth organs: half the picture, where that is fine enough."""
        return self.size // 2 if self.size >= 512 else self.size

    @cached_property
    def plate(self) -> tuple[Floats, Floats]:
        """Each coarse ray's place on the detector, turned into the patient's upright frame (mm)."""
        centres = ((np.arange(self.coarse) + 0.5) / self.coarse - 0.5) * self.field
        u, v = np.meshgrid(centres - self.shift[0], centres - self.shift[1])
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return (cos * u + sin * v).astype(np.float32), (cos * v - sin * u).astype(np.float32)

    def plane(self, z: float) -> tuple[Floats, Floats]:
        """Patient's x and y (mm) at which each coarse ray meets the plane of depth z."""
        u, v = self.plate
        m = np.float32(self.magnification(z))
        return u / m - np.float32(self.turn * z), v / m + np.float32(self.middle)
