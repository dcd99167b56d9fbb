"""A volume behind a text header (NRRD, MetaImage): its numbers become an image's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Header, Like, as_small
from hounsfield.formats.payload import Payload, mapped, numbers
from hounsfield.image import Image


@dataclass(frozen=True, eq=False)
class Volume:
    """A parsed header: where the numbers are, and how they become (C, Z, Y, X)."""

    payload: Payload
    head: Header
    planes: tuple[int, int]  # first ≤ z < last
    as_image: Callable[[NDArray[Any]], NDArray[Any]]  # of all numbers, the slowest axis first
    stored: Mapping[str, object]
    scale: tuple[float, float] = (1.0, 0.0)  # slope, intercept


def whole(volume: Volume, like: Like | None) -> Image:
    """All numbers read, the planes asked for kept."""
    return _image(volume, numbers(volume.payload), like)


def some(volume: Volume) -> Image:
    """The planes asked for; of raw numbers in one file the others are not read."""
    values = mapped(volume.payload)
    return whole(volume, None) if values is None else _image(volume, values, None)


def _image(volume: Volume, values: NDArray[Any], like: Like | None) -> Image:
    first, last = volume.planes
    array = volume.as_image(values)[:, first:last]
    if isinstance(array, np.memmap):
        array = np.array(array)  # the file may change or go
    if volume.scale != (1, 0):
        scaled = array * np.float64(volume.scale[0]) + volume.scale[1]
        array = np.asarray(scaled, volume.head.dtype)
    array = as_small(chosen(array, like, volume.payload.header))
    return Image(array, volume.head.geometry, volume.head.channels, volume.stored)
