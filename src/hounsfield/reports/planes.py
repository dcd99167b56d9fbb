"""The planes of an image as a radiologist looks at them: which way round, how large, how grey.

Axial planes are seen from the feet, coronal ones from the front (the patient's right on the left
of the picture), sagittal ones from the left side (the front on the left). Planes follow the
voxel axes, each named after the anatomical plane that it is nearest to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import UsageError
from hounsfield.formats.choices import windowed
from hounsfield.geometry import Geometry, Patient
from hounsfield.image import Channel, Image

ANATOMICAL = ("sagittal", "coronal", "axial")  # by the world axis that they are at right angles to
ENDS = ("LR", "PA", "IS")  # of each world axis, from its low end to its high one
OBLIQUE = 0.1  # degrees: less is rounding
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Cut:
    """One plane: `pixels` (rows, columns), or (rows, columns, 3) uint8 where it has colours.

    step: from column to column and from row to row, in mm, or in pixels where no size is known.
    lean: the cosine of the angle between the directions of columns and rows; 0 unless sheared.
    turn: the angle (radians, clockwise) that a sheared plane is turned by to stand upright.
    edges: the letters of left, right, top, bottom; empty where the file does not say.
    """

    title: str
    pixels: NDArray[Any]
    step: tuple[float, float] = (1.0, 1.0)
    lean: float = 0.0
    turn: float = 0.0
    edges: str = ""

    @property
    def paper_from_pixel(self) -> NDArray[np.float64]:
        """(2, 2): where a step to the next column and to the next row leads, right and down."""
        across, down = self.step
        upright = float(np.sqrt(1 - min(self.lean**2, 1.0)))
        level = np.array([[across, down * self.lean], [0.0, down * upright]])
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.asarray(np.array([[cos, -sin], [sin, cos]]) @ level)


@dataclass(frozen=True)
class Pose:
    """How a grid lies in the patient, in degrees.

    turned: from the body's axes, about whatever axis. leaning: the slices' stack from their
    normal (a gantry's tilt). skewed: rows and columns from a right angle.
    """

    turned: float
    leaning: float
    skewed: float


def pose_of(geometry: Patient) -> Pose:
    """The angles of a grid; 0 for one along the body's axes."""
    x, y, z = (geometry.affine[:3, :3] / np.array(geometry.spacing)).T
    upright = y - (x @ y) * x
    upright = upright / np.linalg.norm(upright)
    normal = np.cross(x, upright) * (1.0 if np.cross(x, upright) @ z > 0 else -1.0)
    nearest = np.zeros((3, 3))
    for voxel, letter in enumerate(geometry.orientation):
        nearest[_world(letter), voxel] = 1.0 if letter in "RAS" else -1.0
    off = np.linalg.norm(np.column_stack((x, upright, normal)) - nearest)  # = 2√2 sin(angle / 2)
    return Pose(
        turned=float(np.degrees(2 * np.arcsin(min(off / np.sqrt(8), 1.0)))),
        leaning=float(np.degrees(np.arctan2(np.linalg.norm(np.cross(normal, z)), normal @ z))),
        skewed=float(np.degrees(np.arcsin(np.clip(abs(x @ y), 0, 1)))),
    )


def sides_known(image: Image) -> bool:
    """Whether the file says where the patient's sides are; some have a convention only."""
    said = image.stored
    return said.get("orientation") != "none" and said.get("handedness") != "undefined"


def cut(array: NDArray[Any], geometry: Geometry, along: int, at: int) -> Cut:
    """The plane of (C, Z, Y, X) at one index of the voxel axis `along` (0 is x, 2 is z)."""
    plane = np.moveaxis(array, 3 - along, 1)[:, at]  # (C, rows, columns), the higher axis first
    if not isinstance(geometry, Patient):
        step = (1.0, 1.0) if geometry is None else geometry.spacing
        return Cut("", _channels_last(plane), step)
    letters = geometry.orientation
    # Across goes x where the plane has it, else y: so rows run along z, or along y if axial.
    across, down = sorted((v for v in range(3) if v != along), key=lambda v: _world(letters[v]))
    if across > down:
        plane = plane.swapaxes(1, 2)
    steps, edges = [], ""
    for axis, voxel in ((2, across), (1, down)):
        column = geometry.affine[:3, voxel]
        low, high = tuple(ENDS[_world(letters[voxel])])
        if letters[voxel] == high:  # pictures begin at the right, the front and the head
            plane = np.flip(plane, axis)
            column = -column
        steps.append(column)
        edges += high + low
    size = float(np.linalg.norm(steps[0])), float(np.linalg.norm(steps[1]))
    lean = float(steps[0] @ steps[1]) / (size[0] * size[1])
    made = Cut(ANATOMICAL[_world(letters[along])], _channels_last(plane), size, lean, edges=edges)
    if abs(lean) < np.sin(np.radians(OBLIQUE)):
        return made
    # Which way is up in a sheared plane? Nearest to where the body's axes are.
    body = -np.array([[step[_world(letters[v])] for step in steps] for v in (across, down)])
    both = body @ made.paper_from_pixel.T
    return replace(made, turn=float(np.arctan2(both[1, 0] - both[0, 1], both[0, 0] + both[1, 1])))


def _world(letter: str) -> int:
    return next(axis for axis, ends in enumerate(ENDS) if letter in ends)


def _channels_last(plane: NDArray[Any]) -> NDArray[Any]:
    """(1, rows, columns) -> (rows, columns); (3, rows, columns) -> (rows, columns, 3)."""
    return plane[0] if plane.shape[0] == 1 else np.moveaxis(plane, 0, 2)


def middle_cuts(image: Image) -> list[Cut]:
    """The middle planes of a volume, axial first; the one picture of what is flat."""
    sizes = image.shape[:0:-1]
    return cuts_at(image, [_middle(sizes[v], image.geometry, v) for v in range(3)])


def cuts_at(image: Image, at: Sequence[int]) -> list[Cut]:
    """As `middle_cuts`, at these slices along x, y and z."""
    return [cut(image.array, image.geometry, axis, at[axis]) for axis in shown_axes(image)]


def shown_axes(image: Image) -> list[int]:
    """The voxel axes that planes are cut along, axial first."""
    sizes = image.shape[:0:-1]  # x, y, z
    if isinstance(image.geometry, Patient):
        letters = image.geometry.orientation
        axes = sorted(range(3), key=lambda v: -_world(letters[v]))
        deep = [v for v in axes if sizes[v] == min(sizes)] if min(sizes) == 1 else axes
        return deep if len(deep) in (1, 3) else [2]
    return [2]


def _middle(size: int, geometry: Geometry, axis: int) -> int:
    """The middle slice; of an even number the same one, whichever way they are counted."""
    backwards = isinstance(geometry, Patient) and geometry.orientation[axis] in "RAS"
    return (size - 1) // 2 if backwards else size // 2


def layers(channels: Sequence[Channel]) -> list[list[int]]:
    """Which channels make one picture: red, green and blue together, every other by itself."""
    told = [channel.colour for channel in channels]
    if told and len(told) % 3 == 0 and tuple(told) == COLOURS * (len(told) // 3):
        return [[i, i + 1, i + 2] for i in range(0, len(told), 3)]
    return [[i] for i in range(len(told))]


def layer(image: Image, wanted: str | None) -> tuple[Image, str]:
    """One picture of an image, by its channel's name or number from 0; and which it is, in words.

    Raises:
        UsageError: there is no such channel.
    """
    found = layers(image.channels)
    chosen = 0
    if wanted is not None:
        chosen = _chosen(image, found, wanted)
    index = found[chosen]
    channel = image.channels[index[0]]
    one = replace(
        image,
        array=image.array[index[0] : index[-1] + 1],
        channels=tuple(image.channels[i] for i in index),
    )
    if len(found) == 1:
        return one, ""
    more = [
        f"{value:g} {unit}"
        for value, unit in (
            (channel.time, "s"), (channel.b_value, "s/mm²"), (channel.wavelength, "nm")
        )
        if value is not None
    ]  # fmt: skip
    kind = "frame" if len(index) == 3 else "channel"
    told = f" ({', '.join(more)})" if more else ""
    return one, f"{kind} {chosen} of 0 to {len(found) - 1}{told}"


def _chosen(image: Image, found: list[list[int]], wanted: str) -> int:
    names = [image.channels[index[0]].name for index in found]
    if wanted in names:
        return names.index(wanted)
    if wanted.isdigit() and int(wanted) < len(found):
        return int(wanted)
    known = f", or {', '.join(filter(None, names[:8]))}" if any(names) else ""
    raise UsageError(f"no channel {wanted!r}", expected=f"0 to {len(found) - 1}{known}")


def grey(
    cuts: Sequence[Cut], window: tuple[float, float] | None
) -> tuple[list[Cut], tuple[float, float] | None]:
    """The cuts in 8 bits, and the values that are black and white; None of colours.

    Without a window, all cuts share the range from the 1st to the 99th percentile.
    """
    if cuts[0].pixels.ndim == 3:
        return [replace(one, pixels=_eight_bits(one.pixels)) for one in cuts], None
    if window is None:
        low, high = _range(cuts)
        window = (low + high) / 2, high - low
    centre, width = window
    shades = [np.nan_to_num(windowed(one.pixels, centre, width)) * 255 for one in cuts]
    made = [
        replace(one, pixels=np.rint(values).astype(np.uint8))
        for one, values in zip(cuts, shades, strict=True)
    ]
    return made, (centre - width / 2, centre + width / 2)


def number(value: float) -> str:
    """Four digits, and no powers of ten where they can be avoided."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def _range(cuts: Sequence[Cut]) -> tuple[float, float]:
    values = np.concatenate([one.pixels.ravel() for one in cuts]).astype(np.float32)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = map(float, np.percentile(values, (1, 99)))
    if low == high:  # most of it is one value
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of more bits, from 0 to the brightest."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    values = np.nan_to_num(pixels.astype(np.float32))
    top = float(values.max()) or 1.0
    shades: NDArray[np.uint8] = np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)
    return shades
