"""Smooth organs as lengths of tissue along each ray: trunk, lungs, heart, great vessels, gas.

The rays of the coarse grid meet each organ at its own depth (so it has its own magnification);
along a ray each organ is one interval of z, and the lungs are what no other organ covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_anatomy import (
    Pose,
    Thorax,
    dome_top,
    hilum,
    lung_centre,
    lung_half_width,
)
from hounsfield.catalog.phantoms.chest_kernels import uncovered
from hounsfield.catalog.phantoms.chest_projection import Projection

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pair = tuple[Floats, Floats]
Interval = tuple[Floats, Floats]
FAT = 0.91  # attenuation of fat relative to water (NIST XCOM, adipose 0.95 g/cm³, 50–80 keV)


@dataclass(frozen=True)
class Organs:
    """Maps on the coarse grid, in mm along the ray; index 0 is the right lung, 1 the left."""

    trunk: Floats  # all that is not air, lungs counted as solid, fat as its worth in water
    lungs: tuple[Floats, Floats]  # air-bearing lung
    gas: Floats  # stomach and bowel


@dataclass(frozen=True)
class Ball:
    """An ellipsoid with one axis along the ray; lengths in mm, turned by `angle` in the picture."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    angle: float = 0.0

    def row(self, projection: Projection) -> list[float]:
        """From the plate to the unit disc (matrix rows with shift), then z and half depth."""
        x, y, z = self.centre
        m = float(projection.magnification(z))
        right, down = -projection.turn * z - x, projection.middle - y
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        a, b, c = self.axes
        return [
            *(cos / (m * a), sin / (m * a), (cos * right + sin * down) / a),
            *(-sin / (m * b), cos / (m * b), (cos * down - sin * right) / b),
            *(z, c),
        ]


def heart(thorax: Thorax, pose: Pose) -> list[Ball]:
    """Ventricles, right atrium, the base and the pulmonary trunk."""
    s = thorax.heart * (thorax.cage / 132)
    floor = dome_top(thorax, pose, -1) + 10
    squat = 1 - 0.004 * pose.raised  # a high diaphragm lays the heart down
    angle = thorax.heart_angle * squat
    return [
        Ball((29 * s, floor - 30 * s, -20), (64 * s, 44 * s, 50 * s), angle),
        Ball((-12 * s, floor - 40 * s, -4), (31 * s, 46 * s, 44 * s)),
        Ball((8 * s, floor - 80 * s, -4), (31 * s, 48 * s, 38 * s), 0.25),
        Ball((22 * s, floor - 104 * s, -4), (17 * s, 32 * s, 24 * s), 0.15),
    ]


def _arch_and_roots(thorax: Thorax, pose: Pose) -> list[Ball]:
    """The aortic arch and the roots of both lungs."""
    knob, v = thorax.knob, thorax.vessels
    balls = [Ball((8 + 0.5 * knob, 62, 10), (1.15 * knob, 1.35 * knob, 34), 0.4)]
    for side in (-1, 1):
        x, y, z = hilum(thorax, side)
        balls.append(Ball((0.80 * x, y + 6, z), (13 * v, 25 * v, 13 * v), side * -0.35))
    return balls


def _mediastinum(thorax: Thorax, pose: Pose) -> list[Interval]:
    """The column of vessels, gullet and windpipe, and the descending aorta."""
    x, y = pose.projection.plane(0.0)
    k = np.float32(thorax.cage / 132)
    top, lower = np.clip((70 - y) / 90, 0, 1), np.clip((y - 62) / 70, 0, 1)
    half_width = k * (26 + 12 * top * top - 11 * lower * (2 - lower))
    q = ((x + np.float32(2 - thorax.bend)) / half_width) ** 2
    half = np.float32(0.72 * thorax.depth) * np.sqrt(np.maximum(1 - q, 0, dtype=np.float32))
    column = (4 - half, 4 + half)
    x, y = pose.projection.plane(42.0)
    reach = np.clip((y - 55) / 190, 0, 1)
    d = (x - (24 - 14 * reach)) / np.float32(0.88 * thorax.knob)
    inside = np.maximum(1 - d * d, 0) * (y > 58)
    half = np.float32(0.88 * thorax.knob) * np.sqrt(inside)
    return [column, (42 - half, 42 + half)]


def _dome(thorax: Thorax, pose: Pose, side: int) -> Interval:
    """The part of each ray under one diaphragm dome; behind it the lung reaches deeper."""
    centre_z = np.float32(-14)
    x, y = pose.projection.plane(float(centre_z))
    x = x * side
    apex = dome_top(thorax, pose, side)
    base = np.float32(apex + thorax.dome)
    middle = 0.50 * thorax.cage
    rx = np.where(x > middle, 0.56 * thorax.cage, 0.74 * thorax.cage).astype(np.float32)
    up = np.clip((base - y) / np.float32(thorax.dome), 0, None)
    left_over = 1 - up * up - ((x - np.float32(middle)) / rx) ** 2
    half = np.float32(1.12 * thorax.depth) * np.sqrt(np.maximum(left_over, 0, dtype=np.float32))
    return centre_z - half, centre_z + half


def lungs(thorax: Thorax, pose: Pose) -> Pair:
    """Air-bearing lung along each ray (mm), right then left."""
    projection = pose.projection
    x, y = projection.plane(6.0)
    width, centre = lung_half_width(thorax, y), lung_centre(thorax, y)
    rise = np.clip(y / np.float32(0.6 * thorax.height), 0, 1)
    half_depth = np.float32(thorax.depth) * (0.5 + 0.5 * rise * (2 - rise))
    middle = 6 + 12 * (1 - rise)
    balls = [*heart(thorax, pose), *_arch_and_roots(thorax, pose)]
    table = np.array([ball.row(projection) for ball in balls], np.float32)
    plate = np.stack(projection.plate)
    fixed = _mediastinum(thorax, pose)
    covers = np.empty((len(fixed) + 1, 2, *x.shape), np.float32)
    for cover, interval in zip(covers, fixed, strict=False):  # the last is for the dome
        cover[0], cover[1] = interval
    lengths = []
    for side in (-1, 1):
        xi = np.abs((side * x - centre) / np.maximum(width, 1e-3))
        inside = np.maximum(1 - xi * xi * np.sqrt(xi), 0)
        base = dome_top(thorax, pose, side) + thorax.dome
        ends = np.clip((base + 30 - y) / 26, 0, 1)  # the recess closes below the angles
        half = half_depth * np.sqrt(inside * ends) * (width > 0)
        covers[-1, 0], covers[-1, 1] = _dome(thorax, pose, side)
        length = np.empty_like(half)
        uncovered(middle - half, middle + half, plate, table, covers, length)
        lengths.append(length)
    return lengths[0], lengths[1]


def lung_fields(thorax: Thorax, pose: Pose) -> tuple[Mask, Mask]:
    """Lung seen beside heart and diaphragm, right then left, on the coarse grid."""
    u, v = pose.projection.plate
    beside_heart = np.ones(u.shape, np.bool_)
    for ball in heart(thorax, pose):
        a, b, c, d, e, f, *_ = ball.row(pose.projection)
        beside_heart &= (a * u + b * v + c) ** 2 + (d * u + e * v + f) ** 2 >= 1
    fields = []
    for side, length in zip((-1, 1), lungs(thorax, pose), strict=True):
        low, high = _dome(thorax, pose, side)
        fields.append((length > 12) & beside_heart & (high <= low))
    return fields[0], fields[1]


def trunk(thorax: Thorax, pose: Pose) -> Floats:
    """Chest wall, shoulders, neck and breasts as a length of water (mm)."""
    x, y = pose.projection.plane(0.0)
    wide = np.abs(x)
    half = np.float32(thorax.depth + 24 + thorax.fat)
    width = np.float32(thorax.cage + 24 + 1.1 * thorax.fat)
    q = np.minimum(wide / width, 1) ** 2
    slope = np.clip((y + 66 - 0.36 * wide) / 80, 0, 1)
    body = 2 * half * np.sqrt(np.maximum(1 - q * q, 0)) * np.sqrt(slope * (2 - slope))
    neck_width = np.float32(56 + 0.7 * thorax.fat)
    neck = 2 * neck_width * np.sqrt(np.maximum(1 - (x / neck_width) ** 2, 0)) * (y < 40)
    lift, fat = 18 * pose.reclined, thorax.fat
    joint_q = ((wide - 0.9 * thorax.cage) / (92 + fat)) ** 2 + ((y - 30 + lift) / (66 + fat)) ** 2
    joint = (112 + 1.5 * fat) * np.sqrt(np.maximum(1 - joint_q, 0))
    along = np.clip((y - 30 + lift) / 150, 0, None)
    arm_q = (wide - (1.32 * thorax.cage + 14 + 42 * along)) / (46 + 0.8 * fat)
    arm = (88 + fat) * np.sqrt(np.maximum(1 - arm_q * arm_q, 0)) * (y > 30 - lift)
    solid = np.maximum(np.maximum(body, neck), np.maximum(joint, arm))
    water = solid - np.float32(1 - FAT) * np.minimum(solid, np.float32(2.4 * thorax.fat))
    if thorax.breast:
        water = water + _breasts(thorax, pose)
    return np.asarray(water, np.float32)


def _breasts(thorax: Thorax, pose: Pose) -> Floats:
    x, y = pose.projection.plane(float(-thorax.depth - 30))
    hang = 0.0 if pose.portable else 14.0
    size = np.float32(42 + 0.75 * thorax.breast)
    dx = (np.abs(x) - np.float32(0.60 * thorax.cage + (10 if pose.portable else 0))) / size
    dy = y - np.float32(0.66 * thorax.height + hang)
    dy = np.where(dy > 0, dy / (0.85 * size), dy / (1.35 * size))
    rest = np.maximum(1 - dx * dx - dy * dy, 0)
    return np.asarray(0.94 * thorax.breast * np.power(rest, 0.7), np.float32)


def gas(thorax: Thorax, pose: Pose) -> Floats:
    """Air under the left dome: flat below when the patient stands, round when lying."""
    x, y = pose.projection.plane(-5.0)
    empty = np.zeros_like(x)
    if not thorax.bubble:
        return empty
    s = np.float32(thorax.bubble)
    top = np.float32(dome_top(thorax, pose, 1) + 9)
    q = ((x - 0.40 * thorax.cage) / (27 * s)) ** 2 + ((y - top - 15 * s) / (16 * s)) ** 2
    air = 40 * s * np.sqrt(np.maximum(1 - q, 0))
    if not pose.portable:
        air = air * np.clip((top + 21 * s - y) / 1.5, 0, 1)
    return np.asarray(air, np.float32)


def organs(thorax: Thorax, pose: Pose) -> Organs:
    """All smooth organs of one exposure."""
    air = lungs(thorax, pose)
    solid = trunk(thorax, pose)
    return Organs(
        trunk=solid,
        lungs=(np.minimum(air[0], solid), np.minimum(air[1], solid)),
        gas=np.minimum(gas(thorax, pose), solid),
    )
