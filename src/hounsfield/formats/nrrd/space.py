"""Where the samples of an NRRD are, and what the axes outside space hold."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError
from hounsfield.formats.nrrd.fields import Nrrd, vector_of
from hounsfield.formats.places import patient
from hounsfield.formats.remarks import KEY, Remark, understood
from hounsfield.geometry import Geometry, Plane
from hounsfield.image import RGB, Channel

# space -> RAS of its axes; None: right-handed, but which axis is the patient's left is not said
_SPACES: dict[str, tuple[int, int, int] | None] = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
    "scanner-xyz": None, "3d-right-handed": None,
}  # fmt: skip
_LPS = (-1, -1, 1)
_APART = 1e-3  # of a voxel size said twice
_MILLIMETRES = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0,
                "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "microns": 1e-3, "nm": 1e-6,
                "": 1.0, "???": 1.0}  # fmt: skip
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0}


def geometry_of(nrrd: Nrrd) -> tuple[Geometry, str]:
    """Where the voxels are, and the space in which the header says so ("none" if in no one's).

    A space that does not name the patient's sides, or voxel sizes without a space, are taken
    as left-posterior-superior, as ITK does: a convention and not a measurement.

    Raises:
        GeometryError: singular or mirrored beyond knowing, or of unknown units.
    """
    steps = [nrrd.directions[i] for i in nrrd.spatial]
    if any(step is None for step in steps):
        return _from_sizes(nrrd), "none"
    if len({len(step) for step in steps if step is not None}) != 1:
        raise _wrong(nrrd, "the space directions are of different dimensions")
    vectors = np.array([step for step in steps if step is not None])
    sizes = np.array([nrrd.reals("spacings")[i] for i in nrrd.spatial])
    if (np.abs(np.abs(sizes) - np.linalg.norm(vectors, axis=1)) > _APART * np.abs(sizes)).any():
        raise _wrong(nrrd, f"spacings {sizes.tolist()} are not the lengths of the directions")
    signs = _signs(nrrd)
    origin = nrrd.fields.get("spaceorigin")
    start = vector_of(origin, "space origin", nrrd.file) if origin else np.zeros(vectors.shape[1])
    space = vectors.shape[1] - (vectors.shape[1] == 4)
    if len(start) != vectors.shape[1] or vectors[:, space:].any() or len(vectors) > space:
        raise _wrong(nrrd, f"{len(vectors)} axes in a space of {space} dimensions")
    units = [_millimetres(unit, nrrd) for unit in nrrd.quoted("spaceunits", vectors.shape[1])]
    scaled, start = (vectors * units)[:, :space], (start * units)[:space]
    if len(scaled) < 3 or space < 3:
        return _plane(nrrd, scaled), "plane"
    ras_from_voxel = np.eye(4)
    ras_from_voxel[:3, :3] = scaled.T
    ras_from_voxel[:3, 3] = start
    ras_from_voxel[:3] *= np.array(signs or _LPS)[:, None]
    return patient(ras_from_voxel, nrrd.file), "none" if signs is None else "patient"


def _signs(nrrd: Nrrd) -> tuple[int, int, int] | None:
    name = nrrd.fields.get("space", "").lower()
    name = name.removesuffix("-time")
    name = name[:-1] if name in ("rast", "last", "lpst") else name
    if name == "3d-left-handed":
        raise _wrong(
            nrrd, "the space is left-handed, and which of its axes is mirrored is not said"
        )
    if name and name not in _SPACES:
        raise _wrong(nrrd, f"the space {name[:40]!r} is not known")
    return _SPACES.get(name)


def _plane(nrrd: Nrrd, vectors: NDArray[np.float64]) -> Plane:
    """The pixel size of a flat picture; its place in space is not kept."""
    if len(vectors) != 2 or not np.isfinite(vectors).all():
        raise _wrong(nrrd, f"space directions {vectors.tolist()}")
    x, y = np.linalg.norm(vectors, axis=1)
    if x * y == 0 or abs(vectors[0] @ vectors[1]) > 1e-4 * x * y:
        raise _wrong(nrrd, f"the directions of rows and columns are {vectors.tolist()}")
    return Plane((float(x), float(y)), _remark(nrrd).calibration)


def _from_sizes(nrrd: Nrrd) -> Geometry:
    """Voxel sizes alone, from `spacings`, or from minimum, maximum and centering."""
    axes = nrrd.spatial
    units = nrrd.quoted("units", len(nrrd.sizes))
    sizes, starts = [], []
    for i in axes:
        size, start = _along(nrrd, i)
        scale = 1.0 if np.isnan(size) else _millimetres(units[i], nrrd)
        sizes.append(size * scale)
        starts.append(start * scale)
    missing = np.isnan(sizes)
    if len(axes) < 2 or missing[:2].any():
        return None
    if any(not np.isfinite(size) or size == 0 for size in np.array(sizes)[~missing]):
        raise _wrong(nrrd, f"voxel sizes {sizes}")
    if {"space", "spacedimension", "spaceorigin"} & set(nrrd.fields):
        raise _wrong(nrrd, "the header names a space, and gives sizes instead of directions in it")
    if len(axes) == 2 or missing[2]:
        return Plane((abs(sizes[0]), abs(sizes[1])), _remark(nrrd).calibration)
    ras_from_voxel = np.diag([*(np.array(sizes) * _LPS), 1.0])
    ras_from_voxel[:3, 3] = np.array(starts) * _LPS
    return patient(ras_from_voxel, nrrd.file)


def _along(nrrd: Nrrd, axis: int) -> tuple[float, float]:
    """(step, place of the first sample) along one axis; a sample of unknown centering is a cell."""
    low, high = nrrd.reals("axismins")[axis], nrrd.reals("axismaxs")[axis]
    field = "centers" if "centers" in nrrd.fields else "centerings"
    center = nrrd.words(field)[axis]
    size = nrrd.reals("spacings")[axis]
    count = nrrd.sizes[axis] - (center == "node")
    if np.isnan(size) and center in ("cell", "node") and count:
        size = (high - low) / count
    start = low if center == "node" else low + size / 2
    return size, 0.0 if np.isnan(start) else start


def _remark(nrrd: Nrrd) -> Remark:
    count = prod(size for i, size in enumerate(nrrd.sizes) if i not in nrrd.spatial)
    return understood(nrrd.pairs.get(KEY), count, nrrd.file)


def channels_of(nrrd: Nrrd) -> tuple[Channel, ...]:
    """What the axes that are not in space hold, the fastest of them fastest."""
    axes = [i for i in range(len(nrrd.sizes)) if i not in nrrd.spatial]
    return _remark(nrrd).channels or tuple(
        Channel(**{key: value for part in parts for key, value in part.items()})
        for parts in product(*[_parts(nrrd, i) for i in reversed(axes)])
    )


def _parts(nrrd: Nrrd, axis: int) -> list[dict[str, Any]]:
    """What each sample along an axis adds to its channel."""
    count, kind = nrrd.sizes[axis], nrrd.words("kinds")[axis]
    colours: list[dict[str, Any]] = [{"name": c.name, "colour": c.colour} for c in RGB]
    known = {
        ("rgb-color", 3): colours,
        ("rgba-color", 4): [*colours, {"name": "alpha"}],
        ("complex", 2): [{"name": "real"}, {"name": "imaginary"}],
    }
    if (kind, count) in known:
        return known[kind, count]
    times = _times(nrrd, axis) if kind == "time" or nrrd.timed[axis] else None
    return [{"time": times[i]} if times else {} for i in range(count)]


def _times(nrrd: Nrrd, axis: int) -> list[float] | None:
    """Seconds, where a step and its unit are given."""
    step, start = nrrd.reals("spacings")[axis], nrrd.reals("axismins")[axis]
    unit = nrrd.quoted("units", len(nrrd.sizes))[axis]
    direction = nrrd.directions[axis]
    if direction is not None:
        step, unit = direction[3], nrrd.quoted("spaceunits", len(direction))[3]
    seconds = _SECONDS.get(unit)
    if seconds is None or not np.isfinite(step):
        return None
    first = start if np.isfinite(start) else 0.0
    return [float((first + i * step) * seconds) for i in range(nrrd.sizes[axis])]


def _millimetres(unit: str, nrrd: Nrrd) -> float:
    if unit.lower() in _SECONDS and unit.lower() not in _MILLIMETRES:
        return 1.0  # the time axis of a space with time
    if unit.lower() not in _MILLIMETRES:
        raise _wrong(nrrd, f"lengths in {unit[:20]!r}")
    return _MILLIMETRES[unit.lower()]


def _wrong(nrrd: Nrrd, problem: str) -> GeometryError:
    return GeometryError(
        problem, file=nrrd.file, remedy="correct the header; a geometry is never guessed"
    )
