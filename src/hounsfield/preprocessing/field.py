"""The field of view of a camera: what a dark surround encloses, as in retina and endoscopy.

The surround differs with the camera and tells nothing of the patient, but a network reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.image import Image
from hounsfield.preprocessing.settings import Preprocessing

LOOKED_AT = 512  # pixels of the longer side that are looked at, at most twice as many
DARK = 0.1  # of the way from the darkest to the brightest percent
LEAST_SIDE = 0.5  # of the picture's: a smaller field is none
LEAST_FILLED = 0.6  # of its box: a disc fills 0.79, cells on black far less
LEAST_SHARE = 0.9  # of all that is bright: what is beside it are letters and specks


@dataclass(frozen=True)
class Crop:
    """The part of a picture that is looked at, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, plane: tuple[int, ...]) -> Crop:
        """All of a picture (Y, X)."""
        return cls(0, 0, plane[0], plane[1])

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """This part of (C, Z, Y, X); the array itself where it is all."""
        if (self.height, self.width) == array.shape[2:]:
            return array
        bottom, right = self.top + self.height, self.left + self.width
        return np.ascontiguousarray(array[:, :, self.top : bottom, self.left : right])

    @property
    def original_from_cut(self) -> NDArray[np.float64]:
        """(3, 3), pixel centres (x, y) of the part to those of the picture."""
        matrix = np.eye(3)
        matrix[:2, 2] = self.left, self.top
        return matrix


def crop_of(image: Image, settings: Preprocessing) -> Crop:
    """What of an image is looked at: the same of all its channels and slices."""
    return field(image.array) if settings.crop == "field" else Crop.whole(image.shape[2:])


def field(array: NDArray[Any]) -> Crop:
    """The bounding box of the field in (C, Z, Y, X); the whole picture where there is none.

    A pixel is of the field where any channel is brighter than a tenth of the way from the
    darkest to the brightest percent. The largest component counts, letters and a clock do not.
    The box is at most a looked-at pixel too large on each side, never too small. A field that is
    narrow, or has much beside it or dark within its box, is none: cells on black.
    """
    from scipy.ndimage import find_objects, label

    plane = array.shape[2:]
    step = max(1, max(plane) // LOOKED_AT)
    seen = array[:, :, ::step, ::step].astype(np.float32).max((0, 1))
    finite = seen[np.isfinite(seen)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 0.0)
    if not low < high:
        return Crop.whole(plane)
    parts, _ = label(seen > low + DARK * (high - low))  # NaN compares false
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if not sizes.any():
        return Crop.whole(plane)
    largest = int(sizes.argmax())
    ends = [(one.start, one.stop) for one in find_objects(parts)[largest - 1]]
    sides = [stop - start for start, stop in ends]
    small = any(side < LEAST_SIDE * of for side, of in zip(sides, seen.shape, strict=True))
    filled = sizes[largest] / (sides[0] * sides[1])
    several = sizes[largest] < LEAST_SHARE * sizes.sum()
    if small or several or filled < LEAST_FILLED:
        return Crop.whole(plane)
    return _full(ends, step, plane)


def _full(ends: list[tuple[int, int]], step: int, plane: tuple[int, ...]) -> Crop:
    """A box of looked-at pixels in those of the picture, outwards to the next dark one."""
    (top, bottom), (left, right) = (
        (max(0, (start - 1) * step + 1), min(size, stop * step))
        for (start, stop), size in zip(ends, plane, strict=True)
    )
    return Crop(top, left, bottom - top, right - left)
