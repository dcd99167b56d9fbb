"""One exposure from its plan: organs, bones, findings, beam, detector, processing, markers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.phantoms import chest_airways, chest_bones
from hounsfield.catalog.phantoms.chest_anatomy import Pose, Thorax
from hounsfield.catalog.phantoms.chest_bones import Tubes
from hounsfield.catalog.phantoms.chest_exposure import expose
from hounsfield.catalog.phantoms.chest_findings import (
    Findings,
    add_hard_distractors,
    add_nipples,
    add_soft_distractors,
    cloud,
    opacity_map,
)
from hounsfield.catalog.phantoms.chest_kernels import enlarge
from hounsfield.catalog.phantoms.chest_markers import Marker, draw_marker
from hounsfield.catalog.phantoms.chest_organs import Organs, lung_fields, organs
from hounsfield.catalog.phantoms.chest_scanner import SCANNERS, TOP, develop

Floats = NDArray[np.float32]
Box = tuple[int, int, int, int]  # column, row, width, height in pixels
LEAD_MM = 70.0  # of bone: as good as opaque


@dataclass(frozen=True)
class Exposure:
    """All that decides the pixels of one picture."""

    thorax: Thorax
    pose: Pose
    findings: Findings
    scanner: str
    markers: tuple[Marker, ...]
    shade: float
    noise_seed: int


@dataclass(frozen=True)
class Picture:
    """What comes out: pixels are 12-bit, bone bright."""

    pixels: NDArray[np.uint16]
    boxes: tuple[Box, ...]


def render(exposure: Exposure, opacities: bool = True) -> Picture:
    """Take the picture; with `opacities=False` the same one without its pneumonia."""
    pose, findings, thorax = exposure.pose, exposure.findings, seen_thorax(exposure)
    size = pose.projection.size
    rng = np.random.Generator(np.random.SFC64(exposure.noise_seed))  # the quickest for noise
    body = organs(thorax, pose)
    fluid, boxes = _pneumonia(findings if opacities else Findings(), thorax, pose, body)
    water = _water(thorax, pose, body, rng) + fluid
    bone = chest_bones.spine(thorax, pose) + chest_bones.blades(thorax, pose)
    full_water, full_bone = enlarge(water, size, size), enlarge(bone, size, size)
    air = (body.lungs[0] + body.lungs[1]) * np.float32(1 - thorax.lung_density)
    _add_tubes(exposure, thorax, full_water, full_bone, enlarge(air, size, size))
    words = [(m, *draw_marker(m, size)) for m in exposure.markers]
    for marker, where, strokes in words:
        if marker.lead:
            full_bone[where] += np.float32(LEAD_MM) * strokes
    scanner = SCANNERS[exposure.scanner]
    seen = expose(full_water, full_bone, scanner.beam, pose.projection.field, rng)
    pixels = develop(seen, scanner, exposure.shade)
    for marker, where, strokes in words:
        if not marker.lead:
            text = (strokes * np.float32(0.96 * TOP)).astype(np.uint16)
            pixels[where] = np.maximum(pixels[where], text)
    return Picture(pixels, boxes)


def seen_thorax(exposure: Exposure) -> Thorax:
    """The patient's thorax with what this exposure's findings have changed."""
    return replace(exposure.thorax, heart=exposure.thorax.heart * exposure.findings.heart)


def lung_mask(exposure: Exposure) -> NDArray[np.uint8]:
    """Lung fields of an exposure on the full grid: 1 the right lung, 2 the left."""
    fields = lung_fields(seen_thorax(exposure), exposure.pose)
    labels = np.where(fields[0], 1, np.where(fields[1], 2, 0)).astype(np.uint8)
    scale = exposure.pose.projection.size // len(labels)
    return labels.repeat(scale, axis=0).repeat(scale, axis=1)


def _water(thorax: Thorax, pose: Pose, body: Organs, rng: np.random.Generator) -> Floats:
    """Soft tissue with the air taken out, on the coarse grid (mm); lung is grainy tissue."""
    air = (body.lungs[0] + body.lungs[1]) * np.float32(1 - thorax.lung_density)
    grain = cloud(rng, pose.projection.coarse, pose.projection.field, 16.0, 4)
    air *= 1 - np.float32(0.012) * grain
    return np.asarray(body.trunk - air - body.gas, np.float32)


def _pneumonia(
    findings: Findings, thorax: Thorax, pose: Pose, body: Organs
) -> tuple[Floats, tuple[Box, ...]]:
    """Fluid on the coarse grid (mm) and a box about each opacity."""
    fluid = np.zeros_like(body.trunk)
    boxes = []
    for opacity in findings.opacities:
        lung = body.lungs[0 if opacity.side < 0 else 1]
        added = opacity_map(opacity, thorax, pose, lung)
        fluid += added
        boxes.append(_bounds(added, pose.projection.size))
    air = (body.lungs[0] + body.lungs[1]) * np.float32(1 - thorax.lung_density)
    return np.minimum(fluid, air), tuple(box for box in boxes if box is not None)


def _bounds(added: Floats, size: int) -> Box | None:
    """The box about all that exceeds a twelfth of the peak, in pixels of the full picture."""
    if added.max() <= 0:
        return None
    strong = added > added.max() / 12
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    scale = size // added.shape[0]
    x, y = int(columns[0]) * scale, int(rows[0]) * scale
    return x, y, (int(columns[-1]) + 1) * scale - x, (int(rows[-1]) + 1) * scale - y


def _add_tubes(
    exposure: Exposure, thorax: Thorax, water: Floats, bone: Floats, air: Floats
) -> None:
    """Add bones, airways, vessels and distractors to `water` and `bone`, in place.

    All maps are full-size and in mm; `air` is what blood and scars can displace.
    """
    pose, findings = exposure.pose, exposure.findings
    scratch = np.empty((2, *water.shape), np.float32)
    hard = Tubes(pose.projection)
    chest_bones.ribs(thorax, hard)
    chest_bones.clavicles(thorax, pose, hard)
    chest_bones.shoulders(thorax, pose, hard)
    add_hard_distractors(findings, thorax, pose, hard)
    hard.draw(bone, scratch)
    skin = Tubes(pose.projection)
    add_nipples(findings, thorax, skin)
    skin.draw(water, scratch)
    gas = Tubes(pose.projection, density=-1.0)
    chest_airways.airways(thorax, gas)
    gas.draw(water, scratch)
    soft = Tubes(pose.projection, density=1 - thorax.lung_density)
    tree = chest_airways.vessels(exposure.thorax)
    squeeze = 1 - pose.raised / thorax.height
    chest_airways.add_vessels(tree, soft, squeeze, findings.calibre)
    add_soft_distractors(findings, thorax, pose, soft)
    blood = np.zeros_like(water)
    soft.draw(blood, scratch)
    water += np.minimum(blood, air, out=blood)  # blood takes the place of air, if there is any
