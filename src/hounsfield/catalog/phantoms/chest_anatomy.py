"""One patient's thorax in numbers, and how one exposure of it is set up.

Sizes follow adult means with their usual spread; lengths in mm in the frame of chest_projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_projection import Projection

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Thorax:
    """What stays the same from one picture of a patient to the next."""

    male: bool
    age: int
    cage: float  # half of the inner width of the rib cage
    depth: float  # half of its inner depth
    height: float  # lung apex to the right dome, full inspiration
    fat: float  # thickness of the fat under the skin
    lung_density: float  # g/cm³
    bone: float  # mineral relative to a young man
    heart: float  # linear size relative to normal
    heart_angle: float  # of the long axis below the horizontal, radians
    knob: float  # radius of the aortic arch
    left_lower: float  # how much lower the left dome stands
    dome: float  # height of the domes above the costophrenic angles
    breast: float  # thickness; 0 for none
    bend: float  # sideways bend of the spine
    rib_pitch: float  # distance of the posterior ribs at the spine
    rib_slope: float  # how steeply ribs fall, relative
    bubble: float  # size of the gas in the stomach, relative; 0 for none
    vessels: float  # calibre of the lung vessels, relative
    vessel_seed: int


def draw_thorax(rng: Generator) -> Thorax:
    """A patient: sex and age first, then sizes that go with them."""
    male = bool(rng.random() < 0.56)
    age = int(np.clip(rng.normal(47, 17), 18, 92))
    stature = rng.normal(0, 1)
    habitus = rng.normal(0, 1)  # lean to stout
    height = (232 if male else 208) + 11 * stature - 5 * habitus + rng.normal(0, 6)
    cage = (137 if male else 124) + 4 * stature + 3 * habitus + rng.normal(0, 3)
    return Thorax(
        male=male,
        age=age,
        cage=cage,
        depth=0.53 * cage + 2.5 * habitus + 0.06 * (age - 45) + rng.normal(0, 2.5),
        height=height,
        fat=float(np.clip(13 * np.exp(0.5 * habitus), 5, 42)),
        lung_density=float(np.clip(rng.normal(0.25, 0.025), 0.19, 0.32)),
        bone=float(np.clip(1.0 - 0.1 * (not male) - 0.006 * max(age - 50, 0), 0.55, 1.05)),
        heart=float(np.clip(rng.normal(0.97, 0.05) + 0.0012 * (age - 45), 0.84, 1.08)),
        heart_angle=float(np.clip(rng.normal(0.72, 0.1) - 0.09 * habitus, 0.4, 1.0)),
        knob=float(np.clip(rng.normal(14.5, 1.3) + 0.06 * (age - 45), 11, 20)),
        left_lower=float(np.clip(rng.normal(14, 4), 4, 24)),
        dome=float(np.clip(rng.normal(50, 6), 36, 64)),
        breast=0.0 if male else float(np.clip(rng.normal(34, 11) + 6 * habitus, 10, 62)),
        bend=float(rng.normal(0, 2.5)),
        rib_pitch=height / 9.4 + float(rng.normal(0, 0.5)),
        rib_slope=float(np.clip(rng.normal(1.0, 0.1), 0.75, 1.25)),
        bubble=float(np.clip(rng.normal(0.9, 0.4), 0, 1.6)) if rng.random() < 0.85 else 0.0,
        vessels=float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.15)),
        vessel_seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Pose:
    """How the patient stands or lies for one exposure."""

    portable: bool  # AP, half lying, short distance
    raised: float  # domes above their place at full inspiration
    reclined: float  # clavicles and shoulders pulled up, relative
    projection: Projection


def draw_pose(rng: Generator, thorax: Thorax, portable: bool, size: int) -> Pose:
    """Stand the patient before the plate (PA) or lay them on it (AP)."""
    raised = abs(rng.normal(0, 9)) + (rng.uniform(8, 24) if portable else 0.0)
    body = thorax.depth + 24 + thorax.fat
    enlarged = 1.12 if portable else 1.07
    field = 2 * thorax.cage * enlarged * rng.uniform(1.14, 1.36)
    projection = Projection(
        size=size,
        field=float(field),
        source=float(rng.uniform(1000, 1250) if portable else rng.uniform(1800, 1850)),
        gap=float(body + rng.uniform(15, 40)),
        from_front=portable,
        turn=float(rng.normal(0, 0.05 if portable else 0.022)),
        tilt=float(rng.normal(0, 0.035 if portable else 0.014)),
        shift=(float(rng.normal(0, 8 if portable else 4)), float(rng.normal(0, 7))),
        middle=float((thorax.height - raised) * 0.5 + rng.uniform(8, 22)),
    )
    return Pose(
        portable, float(raised), float(rng.uniform(0.4, 1.2) if portable else 0.0), projection
    )


def lung_half_width(thorax: Thorax, y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half-width of one lung at height y (mm), 0 above its apex."""
    t = np.clip(y / (0.66 * thorax.height), 0, 1)
    u = 1 - t
    # An upright ellipse whose lower half is drawn out; then a slight waist at the base.
    width = (0.51 * thorax.cage) * np.sqrt(np.maximum(1 - u * u * np.sqrt(u), 0))
    below = np.clip((y - 0.8 * thorax.height) / thorax.height, 0, 1)
    return np.asarray(width * (1 - 0.12 * below), np.float32)


def lung_centre(thorax: Thorax, y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of a lung's middle from the midline at height y (mm)."""
    t = np.clip(y / (0.8 * thorax.height), 0, 1)
    smooth = t * t * (3 - 2 * t)
    top = 0.33 * thorax.cage
    return np.asarray(top + (0.51 * thorax.cage - top) * smooth, np.float32)


def lateral_wall(thorax: Thorax, y: float) -> float:
    """Distance of the chest wall's inside from the midline at height y (mm)."""
    at = np.array([max(y, 2.0)], np.float32)
    return float(lung_centre(thorax, at)[0] + lung_half_width(thorax, at)[0])


def dome_top(thorax: Thorax, pose: Pose, side: int) -> float:
    """Height of the top of a dome (mm); side -1 right, +1 left: the right stands higher."""
    return thorax.height - pose.raised + (thorax.left_lower if side > 0 else 0.0)


def hilum(thorax: Thorax, side: int) -> Point:
    """Where vessels and bronchi enter a lung; the left one stands a little higher."""
    return side * 0.25 * thorax.cage, (0.46 if side < 0 else 0.42) * thorax.height, 12.0
