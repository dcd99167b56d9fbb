"""Motion and ghosting as the scanner makes them: lines of k-space measured of a moved body.

An MR image is measured line by line of k-space along the phase-encoding axis. A pose that
changes during the scan, or a brightness that pulsates, therefore spreads along this axis alone:
M. L. Wood and R. M. Henkelman, "MR image artifacts from periodic motion", Med. Phys. 12 (1985).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient
from hounsfield.image import Image

Axis = Literal["x", "y", "z"]
_AXES = {"x": 3, "y": 2, "z": 1}  # of an image's array (C, Z, Y, X)


@dataclass(frozen=True)
class Pose:
    """Where the body is from a time on: `start` 0 ≤ t < 1 of the scan.

    Turned by `degrees` about the world's x, y, z (right, front, head) through the grid's centre,
    in this order, then shifted by `millimetres` along them.
    """

    start: float
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    millimetres: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def ras_from_rest(self) -> NDArray[np.float64]:
        """(4, 4), about the world's origin, mm."""
        turned = np.eye(3)
        for axis, angle in enumerate(np.radians(self.degrees)):
            one, other = (axis + 1) % 3, (axis + 2) % 3
            turn = np.eye(3)
            turn[one, one] = turn[other, other] = np.cos(angle)
            turn[other, one] = np.sin(angle)
            turn[one, other] = -np.sin(angle)
            turned = turn @ turned
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = turned, self.millimetres
        return whole


@dataclass(frozen=True)
class Motion:
    """Rigid motion during a scan whose k-space lines along `axis` are measured one by one.

    Lines come in order of their spatial frequency, the centre of k-space at half time. Before
    the first pose the body is at rest. Apply it by calling: `Motion(poses, "y")(image)`.
    """

    poses: tuple[Pose, ...]
    axis: Axis = "y"

    def __post_init__(self) -> None:
        starts = [pose.start for pose in self.poses]
        if sorted(set(starts)) != starts or any(not 0 <= start < 1 for start in starts):
            raise InputError(
                f"poses that start at {starts}", expected="rising times from 0 to below 1"
            )

    def __call__(self, image: Image) -> Image:
        """The magnitude image that this motion leaves, float32, on the same grid.

        Raises:
            GeometryError: the image has no millimetres.
            InputError: values are not finite, or one voxel along the axis.
        """
        index = _checked(image, self.axis)
        spectrum = _lines(image.array, index)
        when = np.arange(image.array.shape[index]) / image.array.shape[index]
        for number, pose in enumerate(self.poses):
            later = [other.start for other in self.poses[number + 1 :]] or [1.0]
            during = (when >= pose.start) & (when < later[0])
            if during.any():
                chosen = tuple(during if axis == index else slice(None) for axis in range(4))
                spectrum[chosen] = _lines(moved(image, pose).array, index)[chosen]
        return _magnitude(image, spectrum, index)


@dataclass(frozen=True)
class Ghosting:
    """Brightness that pulsates during the scan, by breath or blood, or from line to line.

    Line k of k-space along `axis` is multiplied by 1 + strength · cos(2π k / period), which lays
    copies of the body, of half the strength, 1/period of the field of view to either side.
    A period of 2 lines is the Nyquist ghost of EPI: one copy of the whole strength, half the
    field of view away.
    """

    strength: float
    period: float = 2.0
    axis: Axis = "y"

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and self.period >= 2):
            raise InputError(
                f"ghosting of strength {self.strength:g} and period {self.period:g}",
                expected="a strength from 0 to 1, and a period of at least 2 lines",
            )

    def __call__(self, image: Image) -> Image:
        """The magnitude image with these ghosts, float32, on the same grid.

        Raises:
            InputError: values are not finite, or one voxel along the axis.
        """
        index = _checked(image, self.axis)
        size = image.array.shape[index]
        lines = np.arange(size) - size // 2
        weights = 1 + self.strength * np.cos(2 * np.pi * lines / self.period)
        shape = [size if axis == index else 1 for axis in range(4)]
        return _magnitude(image, _lines(image.array, index) * weights.reshape(shape), index)


@dataclass(frozen=True)
class RandomMotion:
    """Chance makes a `Motion`: `count` poses at random times, each axis within these bounds."""

    count: int = 3
    degrees: float = 3.0
    millimetres: float = 3.0
    axis: Axis = "y"

    def draw(self, rng: np.random.Generator) -> Motion:
        """A plain motion, which can be kept and applied again."""
        starts = np.sort(rng.uniform(0, 1, self.count))
        bounds = np.repeat((self.degrees, self.millimetres), 3)
        drawn = rng.uniform(-1, 1, (self.count, 6)) * bounds
        poses = [
            Pose(float(start), _three(one[:3]), _three(one[3:]))
            for start, one in zip(starts, drawn, strict=True)
        ]
        return Motion(tuple(poses), self.axis)


@dataclass(frozen=True)
class RandomGhosting:
    """Chance makes a `Ghosting` of up to this strength, with a period of 2 to 8 lines."""

    strength: float = 0.3
    periods: tuple[float, float] = field(default=(2.0, 8.0))
    axis: Axis = "y"

    def draw(self, rng: np.random.Generator) -> Ghosting:
        """A plain ghosting, which can be kept and applied again."""
        return Ghosting(
            float(rng.uniform(0, self.strength)), float(rng.uniform(*self.periods)), self.axis
        )


def moved(image: Image, pose: Pose) -> Image:
    """The body in another pose on the same grid, linearly interpolated; 0 where none was.

    Raises:
        GeometryError: the image has no place in space, so no millimetres.
    """
    from scipy.ndimage import affine_transform

    if not isinstance(image.geometry, Patient):
        raise GeometryError(
            f"motion is measured in millimetres, and the image's geometry is {image.geometry}",
            expected="an affine",
            remedy="give Image.from_numpy a spacing of three axes, or an affine",
        )
    ras_from_voxel = image.geometry.affine
    centre = ras_from_voxel @ [*((np.array(image.shape[:0:-1]) - 1) / 2), 1]
    ras_from_centred = np.eye(4)
    ras_from_centred[:3, 3] = centre[:3]
    ras_from_rest = ras_from_centred @ pose.ras_from_rest @ np.linalg.inv(ras_from_centred)
    rest_voxel_from_voxel = np.linalg.inv(ras_from_rest @ ras_from_voxel) @ ras_from_voxel
    rest_voxel_from_voxel[:3] = rest_voxel_from_voxel[2::-1]  # the array's axes are z, y, x
    rest_voxel_from_voxel[:, :3] = rest_voxel_from_voxel[:, 2::-1]
    planes = [
        affine_transform(channel, rest_voxel_from_voxel, order=1, mode="grid-constant")
        for channel in image.array.astype(np.float32)
    ]
    return replace(image, array=np.stack(planes), stored={})


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _checked(image: Image, axis: Axis) -> int:
    index = _AXES[axis]
    if image.array.shape[index] < 2:
        raise InputError(f"the image has one voxel along {axis}", expected="at least two lines")
    if not np.isfinite(image.array).all():
        raise InputError("some values are not finite", expected="numbers, for k-space to exist")
    return index


def _lines(array: NDArray[Any], index: int) -> NDArray[np.complexfloating[Any, Any]]:
    """k-space along one axis only: along the others the scanner's lines are whole."""
    spectrum = np.fft.fft(array.astype(np.float32), axis=index)
    return np.fft.fftshift(spectrum, axes=index)


def _magnitude(image: Image, spectrum: NDArray[Any], index: int) -> Image:
    values = np.fft.ifft(np.fft.ifftshift(spectrum, axes=index), axis=index)
    return replace(image, array=np.abs(values).astype(np.float32), stored={})
