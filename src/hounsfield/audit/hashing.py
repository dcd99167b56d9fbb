"""What is kept of each image: a hash of its pixels, and a small picture to compare by eye.

The hash is of the values, not of the file: the same pixels as DICOM and as PNG, in grey or in
three equal colours, as int16 or float32, give the same hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield import formats
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source

VERSION = 1  # raise it when a hash or a small picture changes
SIDE = 192  # of the small picture
LEGIBLE = 64  # a shorter side holds too little fine structure to tell near duplicates
KINDS = (np.uint8, np.int16, np.uint16, np.int32, np.int64)


@dataclass(frozen=True, eq=False)
class PixelPrint:
    """`small` is (SIDE, SIDE) uint8, None where not asked for; `problem` says why none was read."""

    pixels: str | None
    blank: bool = False
    small: NDArray[np.uint8] | None = None
    problem: str | None = None


def fingerprint(source: Source, with_small: bool) -> PixelPrint:
    """Read one image; a file that cannot be read becomes a problem, not an error."""
    try:
        array = formats.read(source).array
    except InputError as error:
        return PixelPrint(None, problem=error.problem)
    blank = bool((array == array.flat[0]).all()) or bool(np.isnan(array).all())
    return PixelPrint(pixel_hash(array), blank, small_picture(array) if with_small else None)


def pixel_hash(array: NDArray[Any]) -> str:
    """The blake2b of shape and values of a (C, Z, Y, X) array, whatever type holds them."""
    if array.shape[0] == 3 and (array[0] == array[1]).all() and (array[0] == array[2]).all():
        array = array[:1]  # grey, saved as three equal colours
    plain = canonical(array)
    digest = hashlib.blake2b(repr((plain.shape, plain.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(plain).data)
    return digest.hexdigest()


def canonical(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in the first of KINDS that holds them all, else in float64."""
    if array.dtype.kind == "b":
        return array.astype("<u1")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or (array != np.rint(array)).any():
            plain = array.astype("<f8") + 0.0  # -0.0 becomes 0.0
            plain[np.isnan(plain)] = np.nan  # NaN has many bit patterns
            return plain
        if np.abs(array).max() >= 2**63:
            return array.astype("<f8")
    low, high = int(array.min()), int(array.max())
    for kind in KINDS:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(np.dtype(kind).newbyteorder("<"))
    return array.astype("<u8")


def small_picture(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The middle plane of (C, Z, Y, X), channels averaged, stretched to SIDE × SIDE, 0–255."""
    from PIL import Image as Picture

    plane = array[:, array.shape[1] // 2].astype(np.float32).mean(axis=0)
    finite = np.isfinite(plane)
    plane = np.where(finite, plane, plane[finite].min() if finite.any() else 0)
    # Area averages: what is finer than a small pixel must not fold back into it.
    resized = Picture.fromarray(plane).resize((SIDE, SIDE), Picture.Resampling.HAMMING)
    small = np.asarray(resized, np.float32)
    low, high = np.percentile(small, (0.1, 99.9))
    scaled = (small - low) / max(float(high - low), 1e-12) * 255
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)
