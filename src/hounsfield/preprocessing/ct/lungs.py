"""The lungs of a chest CT, found by their HU: a mask to crop to, measure in, or look at.

A threshold, the air around the body taken away, two lungs and the airways told apart by what
erosion leaves of them, vessels and nodules closed in. After S. Hu, E. A. Hoffman and
J. M. Reinhardt, "Automatic lung segmentation for accurate quantitation of volumetric X-ray CT
images", IEEE Trans. Med. Imaging 20 (2001). All distances are in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.ct.windows import refuse_other_units

RIGHT, LEFT = 1, 2
SIDES = {RIGHT: "right", LEFT: "left"}
AIR = -400.0  # HU: between lung and soft tissue
BODY = -200.0  # HU: fat and everything denser
AIRWAY = -930.0  # HU: the mean within a trachea or a stomach; lungs are brighter as a whole
RADII = (3.0, 5.0, 7.0, 9.0)  # mm of erosion that cut airways, and where two lungs touch
CLOSING = 6.0  # mm: vessels, and nodules at the wall, up to twice as wide are closed in
BRONCHUS = 5.0  # mm of erosion that always are tried: they cut the windpipe from a lung
COARSE = 1.5  # mm: erosion and closing need no finer grid
LEAST = 0.02  # of all the air within the body: a smaller core is a piece of bowel or bronchus
ACROSS = 0.2  # a core with more than this beyond the midline is two lungs in one
AIRWAY_ML = 500.0  # larger dark air is a lung with emphysema
LEAK = 20  # voxels of contact that are no noise
LEAST_ML = 50.0  # both lungs of a newborn hold more; sinuses and bowel may hold less
USUAL_ML = (300.0, 5000.0)  # one lung of an adult, from deep expiration to a tall man's inspiration


@dataclass(frozen=True, eq=False)
class Lungs:
    """`mask` on the CT's grid, uint8: 1 the right lung, 2 the left one, 0 elsewhere.

    `millilitres` of both, 0 where none was found. `notes` tell what to distrust: a lung that is
    missing, cut off, open to the air outside (a leak), of unusual size, or one of two that could
    not be separated.
    """

    mask: Image
    millilitres: tuple[float, float]
    notes: tuple[str, ...] = ()


def lungs(image: Image, *, threshold: float = AIR, closing: float = CLOSING) -> Lungs:
    """The lungs of a CT (1, Z, Y, X) in HU; right and left are the patient's own.

    Raises:
        InputError: no HU, several channels, or no lung is found.
        GeometryError: the image has no place in space.
    """
    geometry = _checked(image)
    values = image.array[0]
    inner, outside = _air(values, threshold)
    box = _box(inner)
    steps = [max(1, int(COARSE // mm)) for mm in geometry.spacing[::-1]]  # of Z, Y, X
    coarse = tuple(slice(None, None, step) for step in steps)
    sampling = np.array(geometry.spacing[::-1]) * steps
    right_of_middle = _right_of_middle(values, geometry)[box]
    owners, joined = _owners(
        inner[box][coarse], values[box][coarse], right_of_middle[coarse], sampling
    )
    labels = _repeated(owners, steps, inner[box].shape)
    labels[~inner[box]] = 0
    for side in SIDES:
        added = _closed_in(labels[coarse] == side, closing, sampling)
        labels[_repeated(added, steps, labels.shape) & ~inner[box]] = side
    whole = np.zeros(values.shape, np.uint8)
    whole[box] = labels
    volumes = _millilitres(whole, geometry)
    if sum(volumes) < LEAST_ML:
        raise _none_found()
    mask = Image(whole[None], geometry, (Channel("lungs"),))
    return Lungs(mask, volumes, (*joined, *_odd(whole, volumes), *_open(whole, outside)))


def _checked(image: Image) -> Patient:
    refuse_other_units(image, "a lung mask")
    if image.shape[0] != 1:
        raise InputError(f"the image has {image.shape[0]} channels", expected="one, of HU")
    if not isinstance(image.geometry, Patient):
        raise GeometryError(
            f"right, left and millimetres are asked for, and the geometry is {image.geometry}",
            expected="an affine, as a CT series or a NIfTI file has",
        )
    return image.geometry


def _air(values: NDArray[Any], threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Air within the body, and outside of it: connected to the sides of its slice.

    Slice by slice, because the windpipe leads from the lungs to the air before the face.
    """
    from scipy.ndimage import generate_binary_structure, label

    in_plane = generate_binary_structure(3, 1)
    in_plane[[0, 2]] = False
    parts, count = label(values < threshold, in_plane)
    sides = (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1])
    at_sides = np.zeros(count + 1, bool)
    at_sides[np.unique(np.concatenate([np.unique(side) for side in sides]))] = True
    at_sides[0] = False
    outside = at_sides[parts]
    inner: NDArray[np.bool_] = (parts > 0) & ~outside
    if not inner.any():
        raise _none_found()
    return inner, outside


def _none_found() -> InputError:
    return InputError(
        "no lung is found",
        expected="a chest CT in HU, with air within the body",
        remedy="check that the values are HU, and that the body is not cut by the picture's sides",
    )


def _box(inner: NDArray[np.bool_]) -> tuple[slice, ...]:
    found = []
    for axis in range(3):
        filled = np.flatnonzero(inner.any(tuple(a for a in range(3) if a != axis)))
        found.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(found)


def _right_of_middle(values: NDArray[Any], geometry: Patient) -> NDArray[np.bool_]:
    """Which voxels (Z, Y, X) lie on the patient's right of the body's centre of mass."""
    sizes = zip(geometry.affine[0, :3], values.shape[::-1], strict=True)
    x, y, z = (step * np.arange(size, dtype=np.float32) for step, size in sizes)
    right = z[:, None, None] + y[:, None] + x  # RAS+ mm, but for the origin
    body = values > BODY
    found: NDArray[np.bool_] = right > (right[body].mean(dtype=np.float64) if body.any() else 0)
    return found


def _owners(
    inner: NDArray[np.bool_],
    values: NDArray[Any],
    right: NDArray[np.bool_],
    sampling: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Which lung each voxel of a box would belong to (0: to airways or bowel), and notes.

    The air is eroded more and more, until no core lies on both sides of the body.
    """
    from scipy.ndimage import distance_transform_edt, label

    depth = distance_transform_edt(np.pad(inner, 1), sampling)[1:-1, 1:-1, 1:-1]
    airway, seeds = np.zeros_like(inner), np.zeros(inner.shape, np.uint8)
    notes: tuple[str, ...] = ("the two lungs could not be separated, and have one label",)
    for radius in RADII:
        cores, count = label(depth > radius)
        side, dark, across = _judged(cores, count, values, right, inner, sampling)
        airway |= _grown(dark[cores], radius + float(sampling.max()), sampling)
        if notes and side.any():
            seeds, notes = side[cores], notes if across else ()
        if radius >= BRONCHUS and not (notes and side.any()):
            break
    if not seeds.any():
        raise _none_found()
    if notes:
        seeds[seeds > 0] = RIGHT
    nearest = distance_transform_edt(
        seeds == 0, sampling, return_distances=False, return_indices=True
    )
    owners = seeds[tuple(nearest)]
    parts, _ = label(inner)
    owners[~np.isin(parts, np.unique(parts[seeds > 0]))] = 0  # air that no lung has a core in
    owners[airway] = 0
    return owners, notes


def _judged(
    cores: NDArray[Any],
    count: int,
    values: NDArray[Any],
    right: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    sampling: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], bool]:
    """Of each core: the side of a lung or 0, whether it is an airway; is a lung on both sides?"""
    number = np.bincount(cores.ravel(), minlength=count + 1)
    mean = np.bincount(cores.ravel(), values.ravel(), count + 1) / np.maximum(number, 1)
    share = np.bincount(cores.ravel(), right.ravel(), count + 1) / np.maximum(number, 1)
    millilitres = number * float(sampling.prod()) / 1000
    dark = (mean < AIRWAY) & (millilitres < AIRWAY_ML)
    lung = (number >= LEAST * np.count_nonzero(inner)) & ~dark
    dark[0] = lung[0] = False
    side = np.where(lung, np.where(share > 0.5, RIGHT, LEFT), 0).astype(np.uint8)
    return side, dark, bool((lung & (np.minimum(share, 1 - share) > ACROSS)).any())


def _grown(
    mask: NDArray[np.bool_], radius: float, sampling: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """A mask and all within a radius of it."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask
    found: NDArray[np.bool_] = distance_transform_edt(~mask, sampling) <= radius
    return found


def _closed_in(
    lung: NDArray[np.bool_], radius: float, sampling: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """What closing adds to a lung: dilation, then erosion, of all but the picture's own edge."""
    from scipy.ndimage import distance_transform_edt

    if not lung.any() or radius <= 0:
        return np.zeros_like(lung)
    edge = [(int(np.ceil(radius / mm)) + 1,) * 2 for mm in sampling]
    wide = _grown(np.pad(lung, edge, mode="edge"), radius, sampling)
    closed = distance_transform_edt(wide, sampling) > radius
    inside = tuple(slice(before, -after) for before, after in edge)
    found: NDArray[np.bool_] = closed[inside] & ~lung
    return found


def _repeated(coarse: NDArray[Any], steps: list[int], shape: tuple[int, ...]) -> NDArray[Any]:
    """A coarse grid on the fine one that every `steps`-th voxel was taken from."""
    for axis, step in enumerate(steps):
        coarse = np.repeat(coarse, step, axis)
    return np.ascontiguousarray(coarse[tuple(slice(size) for size in shape)])


def _millilitres(labels: NDArray[np.uint8], geometry: Patient) -> tuple[float, float]:
    each = abs(float(np.linalg.det(geometry.affine[:3, :3]))) / 1000
    right, left = (int(np.count_nonzero(labels == side)) * each for side in SIDES)
    return right, left


def _odd(labels: NDArray[np.uint8], volumes: tuple[float, float]) -> tuple[str, ...]:
    notes = []
    for (side, name), volume in zip(SIDES.items(), volumes, strict=True):
        lung = labels == side
        if not volume:
            notes.append(f"no {name} lung: absent, collapsed, or open to the air outside")
            continue
        if not USUAL_ML[0] <= volume <= USUAL_ML[1]:
            notes.append(f"the {name} lung has {volume:,.0f} ml, unusual for an adult")
        ends = [word for word, end in (("first", 0), ("last", -1)) if lung[end].any()]
        if ends:
            notes.append(f"the {name} lung is cut off at the {' and '.join(ends)} slice")
    return tuple(notes)


def _open(labels: NDArray[np.uint8], outside: NDArray[np.bool_]) -> tuple[str, ...]:
    """A lung that touches outside air in the next slice is open there, and that slice is lost."""
    notes = []
    for side, name in SIDES.items():
        lung = labels == side
        touching = (lung[1:] & outside[:-1]) | (lung[:-1] & outside[1:])
        slices = np.count_nonzero(touching.sum((1, 2)) >= LEAK)
        if slices:
            notes.append(
                f"the {name} lung is open to the air outside (a leak): beside {slices} slices it "
                "is lost"
            )
    return tuple(notes)
