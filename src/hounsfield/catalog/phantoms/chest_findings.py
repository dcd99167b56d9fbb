"""What may be wrong in a chest: pneumonia, and the harmless things that look a little like it.

Pneumonia fills air spaces with fluid: within the lung only, densest in the middle, patchy, bounded
by fissures. Its strength is drawn so that most are plain and some are next to invisible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.chest_anatomy import Pose, Thorax, lung_centre, lung_half_width
from hounsfield.catalog.phantoms.chest_bones import Tubes
from hounsfield.catalog.phantoms.chest_kernels import enlarge

Floats = NDArray[np.float32]
# Share of opacities drawn from the faint tail, and the two ranges of filled air (log-uniform).
# Set by tests/long/calibrate_chest_xray.py: an observer who knows the place reaches AUROC 0.97.
FAINT_SHARE = 0.065
FAINT = (0.005, 0.05)
PLAIN = (0.30, 0.85)


@dataclass(frozen=True)
class Opacity:
    """One consolidated area; place relative to its lung, radii in mm."""

    side: int  # -1 right, +1 left
    across: float  # of the lung's half-width, outwards
    down: float  # of the lung's height
    radius: tuple[float, float]
    filled: float  # share of the air at its centre that is fluid
    fissure: int  # +1 bounded below by a fissure, -1 above, 0 not
    seed: int


@dataclass(frozen=True)
class Findings:
    """All that one picture shows beyond normal anatomy."""

    opacities: tuple[Opacity, ...] = ()
    heart: float = 1.0  # enlargement
    calibre: float = 1.0  # of the lung vessels
    bands: int = 0  # thin plates of collapsed lung at the bases
    scar: int = 0  # healed strands under an apex, with a grain of chalk
    nipples: bool = False
    leads: bool = False  # electrodes with their wires
    seed: int = 0

    @property
    def normal(self) -> bool:
        """Nipples and wires are no disease."""
        return not self.opacities and self == Findings(
            nipples=self.nipples, leads=self.leads, seed=self.seed
        )

    @property
    def nih_labels(self) -> list[str]:
        """Names in the style of the NIH labels."""
        names = [
            ("Pneumonia", bool(self.opacities)),
            ("Cardiomegaly", self.heart > 1),
            ("Edema", self.calibre > 1),
            ("Atelectasis", self.bands > 0),
            ("Fibrosis", self.scar > 0),
        ]
        return [name for name, present in names if present] or ["No Finding"]


def draw_findings(rng: Generator, pneumonia: bool, portable: bool) -> Findings:
    """The distractors do not depend on pneumonia, so that none of them tells the label."""
    odd = bool(rng.random() < 0.55)
    kinds = rng.permutation(4)[: 1 + int(rng.random() < 0.3)] if odd else ()
    sizes = rng.random(2)
    scars, bands = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    nipples, leads = bool(rng.random() < 0.2), bool(portable and rng.random() < 0.5)
    seed = int(rng.integers(2**31))
    return Findings(
        opacities=draw_opacities(rng) if pneumonia else (),
        heart=1.16 + 0.16 * float(sizes[0]) if 0 in kinds else 1.0,
        calibre=1.25 + 0.25 * float(sizes[1]) if 1 in kinds else 1.0,
        bands=bands if 2 in kinds else 0,
        scar=scars if 3 in kinds else 0,
        nipples=nipples,
        leads=leads,
        seed=seed,
    )


def draw_opacities(rng: Generator) -> tuple[Opacity, ...]:
    """One area or one on each side, of like strength, more often at the bases."""
    low, high = FAINT if rng.random() < FAINT_SHARE else PLAIN
    filled = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    count = int(rng.choice([1, 2], p=[0.6, 0.4]))
    first = -1 if rng.random() < 0.54 else 1
    found = []
    for k in range(count):
        upper = rng.random() < 0.28
        found.append(
            Opacity(
                side=first * (-1) ** k,
                across=float(rng.uniform(-0.45, 0.5)),
                down=float(rng.uniform(0.22, 0.42) if upper else rng.uniform(0.52, 0.88)),
                radius=(float(rng.uniform(28, 56)), float(rng.uniform(28, 56))),
                filled=filled * (1.0 if k == 0 else float(rng.uniform(0.6, 1.0))),
                fissure=int(rng.choice([1, 0, 0])) if upper else int(rng.choice([-1, 0, 0, 0])),
                seed=int(rng.integers(2**31)),
            )
        )
    return tuple(found)


def cloud(rng: Generator, size: int, field: float, cell: float, octaves: int = 3) -> Floats:
    """Smooth noise of variance about 1 on a square of `field` mm, coarsest cells of `cell` mm."""
    out = np.zeros((size, size), np.float32)
    for k in range(octaves):
        n = max(round(field / cell * 2**k), 2)
        lattice = rng.standard_normal((n, n), dtype=np.float32)
        out += np.float32(1.35 * 0.55**k) * enlarge(lattice, size, size)
    return out


def opacity_map(opacity: Opacity, thorax: Thorax, pose: Pose, lung: Floats) -> Floats:
    """Fluid along each ray (mm of water in place of air) on the coarse grid; `lung` in mm."""
    x, y = pose.projection.plane(10.0)
    cx, cy = opacity_centre(opacity, thorax, pose)
    dx, dy = (x - np.float32(cx)) / opacity.radius[0], (y - np.float32(cy)) / opacity.radius[1]
    rng = np.random.default_rng(opacity.seed)
    size, field = pose.projection.coarse, pose.projection.field
    far = np.sqrt(dx * dx + dy * dy)
    ragged = far + np.float32(0.17) * cloud(rng, size, field, 42.0)
    fade = np.clip((1.3 - ragged) / 1.1, 0, 1) * np.clip((1.5 - far) / 0.5, 0, 1)
    shape = fade * fade * (3 - 2 * fade)
    patches = np.clip(1 + np.float32(0.10) * cloud(rng, size, field, 15.0), 0.5, 1.4)
    if opacity.fissure:
        edge = (np.float32(cy) + 0.35 * opacity.fissure * opacity.radius[1] - y) * opacity.fissure
        shape = shape * np.clip((edge + 0.08 * (x - np.float32(cx))) / 3.0, 0, 1)
    air = np.float32(1 - thorax.lung_density) * lung
    return np.asarray(np.minimum(opacity.filled * shape * patches, 0.95) * air, np.float32)


def opacity_centre(opacity: Opacity, thorax: Thorax, pose: Pose) -> tuple[float, float]:
    """Where an opacity lies, in mm."""
    y = opacity.down * (thorax.height - pose.raised)
    at = np.array([y], np.float32)
    middle, half = float(lung_centre(thorax, at)[0]), float(lung_half_width(thorax, at)[0])
    return opacity.side * (middle + opacity.across * half), y


def add_soft_distractors(findings: Findings, thorax: Thorax, pose: Pose, tubes: Tubes) -> None:
    """Plates of collapsed lung and scars, as tubes of water."""
    rng = np.random.default_rng(findings.seed)
    floor, cage = thorax.height - pose.raised, thorax.cage
    for _ in range(findings.bands):
        side, length, slope = rng.choice([-1, 1]), rng.uniform(28, 70), rng.normal(0, 0.25)
        s = np.linspace(-0.5, 0.5, 9)
        x = side * rng.uniform(0.42, 0.66) * cage + length * s
        y = floor - rng.uniform(4, 42) + slope * length * s + 6 * rng.normal() * s * s
        thick = rng.uniform(0.9, 2.1) * np.sqrt(1.05 - (2 * s) ** 2)
        tubes.add((x, y, 20.0), thick, rng.uniform(8, 18))
    side = rng.choice([-1, 1])
    for _ in range(findings.scar):
        s = np.linspace(0, 1, 7)
        x = side * (cage * rng.uniform(0.30, 0.48) + rng.uniform(-14, 18) * s)
        y = rng.uniform(22, 42) + rng.uniform(18, 40) * s + 4 * rng.normal() * s * (1 - s)
        tubes.add((x, y, 15.0), rng.uniform(0.6, 1.3), rng.uniform(4, 8))


def add_nipples(findings: Findings, thorax: Thorax, tubes: Tubes) -> None:
    """Their shadows over the lower lungs, as tubes of water on the skin."""
    if not findings.nipples:
        return
    rng = np.random.default_rng([findings.seed, 2])
    reach, level = 0.62 * thorax.cage, (0.68 if thorax.male else 0.76) * thorax.height
    for side in (-1, 1):
        x = side * (reach + rng.normal(0, 4)) + np.array([0, 0.4])
        tubes.add((x, level + rng.normal(0, 4), -thorax.depth - 28), 4.6, rng.uniform(5, 8))


def add_hard_distractors(findings: Findings, thorax: Thorax, pose: Pose, tubes: Tubes) -> None:
    """Grains of chalk in scars, electrodes and their wires, as tubes in mm of bone."""
    rng = np.random.default_rng([findings.seed, 1])
    for _ in range(findings.scar // 2):
        x = rng.choice([-1, 1]) * thorax.cage * rng.uniform(0.3, 0.55) + np.array([0, 0.4])
        tubes.add((x, rng.uniform(25, 110), 10.0), rng.uniform(1.6, 3.0), rng.uniform(2.5, 5))
    if not findings.leads:
        return
    front = -thorax.depth - 26
    s = np.linspace(0, 1, 30)
    for side, reach, level in ((-1, 0.75, 48), (1, 0.75, 52), (1, 0.95, 175)):
        x0 = side * thorax.cage * reach + rng.normal(0, 8)
        y0 = level + rng.normal(0, 9)
        tubes.add((x0 + np.array([0, 0.4]), y0, front), 4.5, 3.0)
        end_x, end_y = rng.uniform(-30, 30), thorax.height + 140
        sway = rng.normal(0, 30) * np.sin(np.pi * s) + rng.normal(0, 12) * np.sin(2 * np.pi * s)
        wire = (x0 + (end_x - x0) * s + sway, y0 + (end_y - y0) * s, front)
        tubes.add(wire, 0.7, 4.0)
