"""The one image: an array, where it is, and what its channels mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Geometry, Patient, Plane


@dataclass(frozen=True)
class Channel:
    """What one plane of C holds. Time in s, b-value in s/mm², wavelength in nm."""

    name: str = ""
    unit: str | None = None
    time: float | None = None
    b_value: float | None = None
    wavelength: float | None = None
    colour: str | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """Physical values `array` (C, Z, Y, X), their `geometry`, one `Channel` for each C.

    Frozen: a change is a new value (`dataclasses.replace`); the array is never written to.
    """

    array: NDArray[Any]
    geometry: Geometry = None
    channels: tuple[Channel, ...] = ()
    stored: Mapping[str, Any] = field(default_factory=dict)  # what a writer needs to invert reading

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or 0 in self.array.shape:
            raise InputError(
                f"an image's array must be (C, Z, Y, X) and not empty, got {self.array.shape}",
                remedy="Image.from_numpy takes 2-D and 3-D arrays",
            )
        if self.array.dtype.kind not in "iufb":
            raise InputError(f"an image holds real numbers, got {self.array.dtype}")
        object.__setattr__(self, "array", np.ascontiguousarray(self.array))
        channels = self.channels or tuple(Channel() for _ in range(self.array.shape[0]))
        if len(channels) != self.array.shape[0]:
            raise InputError(f"{len(channels)} channels named for {self.array.shape[0]} planes")
        object.__setattr__(self, "channels", tuple(channels))
        object.__setattr__(self, "stored", MappingProxyType(dict(self.stored)))

    @classmethod
    def from_numpy(
        cls,
        array: NDArray[Any],
        *,
        spacing: Sequence[float] | None = None,
        affine: NDArray[Any] | None = None,
        colour: bool = False,
    ) -> Image:
        """An image from (Y, X), (Z, Y, X), (C, Z, Y, X), or with `colour` (Y, X, 3).

        `spacing` is (x, y) or (x, y, z) in mm, `affine` voxel (x, y, z) → RAS+ mm.
        """
        array = np.asarray(array)
        if colour:
            if array.ndim != 3 or array.shape[2] not in (3, 4):
                raise InputError(f"a colour picture is (Y, X, 3), got {array.shape}")
            planes = np.moveaxis(array[..., :3], 2, 0)[:, None]
            return cls(planes, _geometry(spacing, affine), RGB)
        if not 2 <= array.ndim <= 4:
            raise InputError(f"an image has 2 to 4 axes, got shape {array.shape}")
        return cls(array[(None,) * (4 - array.ndim)], _geometry(spacing, affine))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        c, z, y, x = self.array.shape
        return c, z, y, x

    @property
    def spacing(self) -> tuple[float, ...]:
        """Pixel or voxel size in mm, (x, y) or (x, y, z); an error where none is known."""
        if self.geometry is None:
            raise GeometryError(
                "this image has no geometry, so it has no millimetres",
                remedy="give Image.from_numpy a spacing or an affine",
            )
        return self.geometry.spacing

    @property
    def is_rgb(self) -> bool:
        """One colour picture: red, green and blue, in this order, whatever their times."""
        return tuple(channel.colour for channel in self.channels) == ("red", "green", "blue")

    def __repr__(self) -> str:
        c, z, y, x = self.shape
        units = ", ".join(dict.fromkeys(ch.unit for ch in self.channels if ch.unit))
        what = f"{c}×{z}×{y}×{x} {self.array.dtype}"
        return f"Image({what}{', ' + units if units else ''}, {self.geometry})"

    def _repr_png_(self) -> bytes:
        """The middle slice, for Jupyter."""
        from io import BytesIO

        from PIL import Image as Picture

        middle = self.array[:, self.shape[1] // 2].astype(np.float32)
        low, high = np.nanpercentile(middle, (1, 99))
        grey = np.nan_to_num(np.clip((middle - low) / max(high - low, 1e-6), 0, 1) * 255)
        pixels = np.moveaxis(grey, 0, 2) if self.shape[0] == 3 else grey[0]
        buffer = BytesIO()
        Picture.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()


RGB = tuple(Channel(name=name, colour=name) for name in ("red", "green", "blue"))


def _geometry(spacing: Sequence[float] | None, affine: NDArray[Any] | None) -> Geometry:
    if affine is not None and spacing is not None:
        raise GeometryError("spacing and affine were given", remedy="give one; an affine has both")
    if affine is not None:
        return Patient(affine)
    if spacing is None:
        return None
    if len(spacing) == 2:
        return Plane((float(spacing[0]), float(spacing[1])))
    if len(spacing) != 3 or not all(np.isfinite(size) and size > 0 for size in spacing):
        raise GeometryError(
            f"a spacing of {tuple(spacing)}", expected="(x, y) or (x, y, z), each above 0 mm"
        )
    return Patient(np.diag([*map(float, spacing), 1.0]))
