"""From an image of any size and type to the network's grid: values in [0, 1], geometry kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image
from hounsfield.preprocessing.contract import Prepared, Preprocessing, Summary
from hounsfield.preprocessing.field import Crop, crop_of
from hounsfield.preprocessing.intensity import SUMMARY_PERCENTS, as_kernel_type, limits, measured
from hounsfield.preprocessing.resize import placed, resized
from hounsfield.preprocessing.slices import picked

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in DICOM PS3.3 C.7.6.3.1.2
COLOURS = ("red", "green", "blue")


def prepare(image: Image, settings: Preprocessing, crop: Crop | None = None) -> Prepared:
    """Colour, slices, clip, scale to [0, 1] and resize in plane: (C, Z, Y, X) on the plan's grid.

    `crop` is what is looked at, by default what the settings say: all of it, or its field.

    Shrinking averages with a triangle filter, growing interpolates linearly. fit=pad fills the
    border with 0, the value of the lower limit. NaN pixels become 0 and are counted, infinite
    ones the limit; a constant image becomes 0. Colours share their limits, other channels
    have their own.

    Raises:
        InputError: `colour` is asked of an image with neither one nor three channels, or the
            image has fewer slices than are asked for.
    """
    array, together = _channels(image, settings)
    crop = crop or crop_of(image, settings)
    array = crop.cut(picked(array, settings))
    groups = [slice(None)] if together else [slice(c, c + 1) for c in range(len(array))]
    placement = placed(_plane(array), _spacing(image), settings)
    out = np.zeros((*array.shape[:2], *settings.size), np.float32)
    summaries: list[Summary] = []
    for group in groups:
        cut, summary = limits(array[group], settings)
        summaries.append(summary)
        for source, target in zip(array[group], out[group], strict=True):
            resized(as_kernel_type(source), cut, placement, target)
    if settings.colour and len(out) == 1:
        out = np.repeat(out, 3, axis=0)
    whole = summaries[0] if len(groups) == 1 else measured(array, SUMMARY_PERCENTS).summary()
    original_from_prepared = crop.original_from_cut @ placement.original_from_prepared
    return Prepared(out, original_from_prepared, _plane(image.array), whole)


def prepare_case(images: Sequence[Image], settings: Preprocessing) -> list[Prepared]:
    """The images of one case, each prepared; all on the first one's grid, cut as it is.

    Raises:
        InputError: they differ in size, or as `prepare`.
    """
    crop = crop_of(images[0], settings)
    # Of another size, it keeps its own; that is refused below.
    crops = [crop if one.shape[2:] == images[0].shape[2:] else None for one in images]
    parts = [prepare(one, settings, mine) for one, mine in zip(images, crops, strict=True)]
    first = parts[0]
    for part in parts[1:]:
        if (part.original, part.array.shape[1]) != (first.original, first.array.shape[1]):
            raise InputError(
                f"the case's images differ in size: {first.original} and {part.original}",
                expected="images on one grid",
            )
    return parts


def prepare_mask(image: Image, prepared: Prepared) -> NDArray[np.uint8]:
    """A label map on the grid of a prepared image, (Z, Y, X): the nearest label, 0 outside.

    Raises:
        InputError: another size than the image's, several channels, or labels beyond 0 to 255.
    """
    shape = (prepared.array.shape[1], *prepared.original)
    if image.shape != (1, *shape):
        raise InputError(
            f"the mask is {image.shape}, its image {(1, *shape)} (C, Z, Y, X)",
            expected="one channel on the image's own grid",
        )
    labels = image.array[0]
    low, high = labels.min(), labels.max()
    if not (low >= 0 and high <= 255) or (labels.dtype.kind == "f" and (labels % 1).any()):
        raise InputError(
            f"the mask's values lie within {low} to {high}",
            expected="whole labels from 0 to 255",
            remedy="renumber the labels",
        )
    inside, index = [], []
    for axis, size in ((1, shape[1]), (0, shape[2])):  # rows are y
        matrix = prepared.original_from_prepared
        target = np.arange(prepared.array.shape[3 - axis])
        nearest = np.floor(target * matrix[axis, axis] + matrix[axis, 2] + 0.5).astype(np.int64)
        inside.append((nearest >= 0) & (nearest < size))
        index.append(np.clip(nearest, 0, size - 1))
    moved: NDArray[np.uint8] = labels[:, index[0]][:, :, index[1]].astype(np.uint8)
    moved[:, ~inside[0]] = 0
    moved[:, :, ~inside[1]] = 0
    return moved


def _channels(image: Image, settings: Preprocessing) -> tuple[NDArray[Any], bool]:
    """The channels to prepare, and whether they share their limits."""
    array = image.array
    colours = tuple(channel.colour for channel in image.channels)
    if settings.colour and len(array) not in (1, 3):
        raise InputError(
            f"the image has {len(array)} channels", expected="one or three for colour=true"
        )
    if settings.colour or len(array) == 1:
        return array, True
    if colours == COLOURS:
        grey = np.tensordot(LUMA, array.astype(np.float32), 1)
        return grey[None], True
    return array, False


def _plane(array: NDArray[Any]) -> tuple[int, int]:
    return int(array.shape[2]), int(array.shape[3])


def _spacing(image: Image) -> tuple[float, float]:
    """In-plane (x, y); 1, 1 where none is known, because only the ratio matters."""
    if isinstance(image.geometry, Plane | Patient):
        return image.geometry.spacing[0], image.geometry.spacing[1]
    return 1.0, 1.0
