"""Bones as bent tubes with a dense shell and plates, in mm of cortical bone along the ray."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hounsfield.catalog.phantoms.chest_anatomy import Pose, Thorax, lateral_wall
from hounsfield.catalog.phantoms.chest_kernels import add_tubes
from hounsfield.catalog.phantoms.chest_projection import Projection

Floats = NDArray[np.float32]
SOLID = (0.0, 0.0, 1.0)


@dataclass
class Tubes:
    """Collects tubes given in patient coordinates, then adds them to a picture at once."""

    projection: Projection
    density: float = 1.0  # what a millimetre of the tubes' matter adds to the map
    points: list[NDArray[np.float64]] = field(default_factory=list)
    shells: list[tuple[float, float, float]] = field(default_factory=list)

    def add(
        self,
        path: tuple[ArrayLike, ArrayLike, ArrayLike],
        radius: ArrayLike,
        depth: ArrayLike,
        shell: tuple[float, float, float] = SOLID,
    ) -> None:
        """One tube along x, y, z (mm); radius across and full depth along the ray, in mm."""
        x, y, z = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in path))
        scale = self.projection.magnification(z) * self.projection.size / self.projection.field
        where = self.projection.points(x, y, z)
        columns = [where, (np.broadcast_to(radius, x.shape) * scale)[:, None]]
        self.points.append(np.hstack([*columns, np.broadcast_to(depth, x.shape)[:, None]]))
        self.shells.append(shell)

    def add_many(
        self,
        path: tuple[ArrayLike, ArrayLike, ArrayLike],
        radius: ArrayLike,
        depth: ArrayLike,
        starts: NDArray[np.int64],
    ) -> None:
        """Solid tubes one after the other; tube k holds points starts[k]:starts[k+1]."""
        self.add(path, radius, depth)
        joined = self.points.pop()
        self.shells.pop()
        self.points += [joined[a:b] for a, b in pairwise(starts)]
        self.shells += [SOLID] * (len(starts) - 1)

    def draw(self, out: Floats, scratch: Floats) -> None:
        """Add the thickness of all tubes (mm along the ray) to a full-size map."""
        if not self.points:
            return
        starts = np.cumsum([0, *(len(p) for p in self.points)]).astype(np.int64)
        points = np.concatenate(self.points).astype(np.float32)
        # A tube thinner than a pixel keeps its matter: wider, but weaker in the same measure.
        thin = np.maximum(points[:, 2], 0.7)
        points[:, 3] *= np.float32(self.density) * points[:, 2] / thin
        points[:, 2] = thin
        add_tubes(out, points, starts, np.array(self.shells, np.float32), scratch)


def _oblique(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> Floats:
    """How much longer a ray runs in a tube for its slant; bounded where both are parallel."""
    along = np.gradient(z) ** 2
    across = np.gradient(x) ** 2 + np.gradient(y) ** 2
    return np.asarray(1 / np.maximum(np.sqrt(across / (along + across)), 0.42), np.float32)


def ribs(thorax: Thorax, tubes: Tubes) -> None:
    """Ten pairs: from the spine round the side, falling to the cartilage in front."""
    for i in range(1, 11):
        start = -8 + thorax.rib_pitch * (i - 1)
        fall = thorax.rib_slope * float(
            np.interp(i, [1, 2, 3, 5, 8, 10], [34, 56, 74, 96, 108, 104])
        )
        side_y = start + 0.5 * fall
        reach = min(lateral_wall(thorax, side_y), thorax.cage * 1.02) + (4.5 if i > 1 else -12)
        last = np.radians(float(np.interp(i, [1, 3, 6, 8, 10], [150, 146, 139, 126, 104])))
        thick = float(np.interp(i, [1, 2, 4, 10], [5.8, 5.9, 6.0, 5.6])) * (
            1.04 if thorax.male else 0.94
        )
        for side in (-1, 1):
            theta = np.linspace(np.arcsin(min(19 / reach, 0.9)), last, 28)
            x = side * reach * np.sin(theta) + thorax.bend
            y = (
                start
                + 0.5 * fall * (1 - np.cos(theta))
                - 4 * np.sin(2 * np.minimum(theta, np.pi / 2))
            )
            z = 8 + (thorax.depth + 8) * np.cos(theta)
            front = np.clip((theta - 0.82 * last) / (0.18 * last), 0, 1)
            radius = thick * (1 + 0.14 * front) * np.clip((theta - theta[0]) / 0.12 + 0.75, 0, 1)
            depth = 7.6 * _oblique(x, y, z) * thorax.bone * (1 - front) ** 0.6
            tubes.add((x, y, z), radius, depth, (0.80, 0.78, 0.12))


def clavicles(thorax: Thorax, pose: Pose, tubes: Tubes) -> None:
    """An S-shaped rod from the breast bone to the shoulder, denser at its ends' shells."""
    s = np.linspace(0, 1, 24)
    inner, outer = 54 - 24 * pose.reclined, 16 - 18 * pose.reclined
    for side in (-1, 1):
        x = side * (17 + (1.06 * thorax.cage + 2 - 17) * s)
        y = inner + (outer - inner) * s + 9 * np.sin(2 * np.pi * s * 0.95)
        z = -0.8 * thorax.depth + 48 * s - 12 * np.sin(2 * np.pi * s)
        radius = 5.6 + 3.0 * np.exp(-((s / 0.10) ** 2)) + 1.5 * s * s
        tubes.add((x, y, z), radius, 9.5 * thorax.bone, (0.74, 0.72, 0.15))


def shoulders(thorax: Thorax, pose: Pose, tubes: Tubes) -> None:
    """Humerus with its head; the shoulder blade's edges, turned off the lungs when standing."""
    out = 1.17 * thorax.cage + (0 if pose.portable else 10)
    lift = 20 * pose.reclined
    for side in (-1, 1):
        s = np.linspace(0, 1, 16)
        x = side * (out + 22 + 38 * s)
        radius = 13 + 10 * np.sqrt(np.maximum(1 - (5 * s - 0.9) ** 2, 0)) * (s < 0.4)
        humerus = (x, 20 - lift + 130 * s, 10.0)
        tubes.add(humerus, radius, 1.1 * radius * thorax.bone, (0.93, 0.93, 0.22))
        tip = (side * (out - 38), 142 - lift)
        neck = (side * (out - 14), 40 - lift)
        inner = (side * (out - 72), 30 - lift)
        border = (np.linspace(neck[0], tip[0], 8), np.linspace(neck[1], tip[1], 8), 55.0)
        tubes.add(border, 4.2, 5.0 * thorax.bone, (0.6, 0.6, 0.2))
        medial_x = np.linspace(inner[0], tip[0], 8) - side * 8 * np.sin(np.linspace(0, np.pi, 8))
        tubes.add((medial_x, np.linspace(inner[1], tip[1], 8), 62.0), 2.2, 2.2 * thorax.bone)
        spine = (np.linspace(inner[0], neck[0] + side * 12, 8), np.linspace(38, 6, 8) - lift, 70.0)
        tubes.add(spine, np.linspace(2.5, 6, 8), 4.0 * thorax.bone, (0.6, 0.6, 0.2))


def blades(thorax: Thorax, pose: Pose) -> Floats:
    """The thin plate of both shoulder blades on the coarse grid (mm of bone)."""
    out = 1.17 * thorax.cage + (0 if pose.portable else 10)
    x, y = pose.projection.plane(58.0)
    lift = 20 * pose.reclined
    t = np.clip((y - (30 - lift)) / 112, 0, 1)
    inner = (out - 72) + 34 * t + 8 * np.sin(np.pi * t)
    outer = (out - 10) - 28 * t
    wide = np.abs(x)
    edge = np.minimum(wide - inner, outer - wide)
    inside = (
        np.clip(edge / 3, 0, 1)
        * np.clip((y - 20 + lift) / 8, 0, 1)
        * np.clip((142 - lift - y) / 8, 0, 1)
    )
    return np.asarray(2.0 * thorax.bone * inside, np.float32)


def spine(thorax: Thorax, pose: Pose) -> Floats:
    """Vertebrae: bodies with dense plates, pedicles, processes; coarse grid, mm of bone."""
    whole_x, whole_y = pose.projection.plane(52.0)
    near = np.flatnonzero((np.abs(whole_x) < 42).any(axis=0))
    band = slice(near[0], near[-1] + 1) if near.size else slice(0)
    x, y = whole_x[:, band], whole_y[:, band]
    x = np.asarray(x - thorax.bend * np.sin((y + 20) / 75), np.float32)
    pitch = np.float32(thorax.rib_pitch)
    phase = (y + 4) / pitch - np.floor((y + 4) / pitch)  # 0..1 down each vertebra with its disc
    half_width = 14.5 + 0.016 * y + 2.2 * np.abs(2 * phase - 1) ** 2  # waisted bodies
    across = np.abs(x) / half_width
    round_off = np.sqrt(np.maximum(1 - across * across * across, 0))
    disc = np.clip((np.abs(phase - 0.5) - 0.40) / 0.03, 0, 1)
    plate = np.exp(-(((np.abs(phase - 0.5) - 0.385) * pitch / 1.2) ** 2))
    body = (1.6 * (1 - disc) + 1.0 * plate) * round_off
    wall = 0.9 * np.exp(-(((np.abs(x) - half_width + 1.6) / 1.3) ** 2)) * (1 - disc)
    pedicle = np.sqrt(((np.abs(x) - 10.5) / 3.6) ** 2 + ((phase - 0.36) * pitch / 5.2) ** 2)
    ring = 1.4 * np.exp(-(((pedicle - 0.85) / 0.32) ** 2))
    process = 2.0 * np.exp(-((x / 2.6) ** 4) - (((phase - 0.78) * pitch / 5.5) ** 4))
    arms = (
        0.9 * np.exp(-(((phase - 0.30) * pitch / 4.0) ** 4)) * np.clip((30 - np.abs(x)) / 4, 0, 1)
    )
    out = np.zeros_like(whole_x)
    out[:, band] = np.float32(thorax.bone) * (body + wall + ring + process + arms)
    return out
