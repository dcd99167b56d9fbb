"""What plain pictures share: samples to channels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.contract import Header
from hounsfield.image import Image


def as_image(pixels: NDArray[Any], head: Header) -> Image:
    """(Y, X) or (Y, X, samples) -> an image without geometry; alpha is dropped and noted."""
    c, _, y, x = head.shape
    alpha = "none"
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        opaque = bool((pixels[..., -1] == np.iinfo(pixels.dtype).max).all())
        alpha = "opaque" if opaque else "dropped"
        pixels = pixels[..., :-1]
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    if planes.shape != (c, y, x) or planes.dtype != head.dtype:
        raise FormatError(
            f"decodes to {planes.shape} {planes.dtype}",
            expected=f"{(c, y, x)} {head.dtype}, as the header says",
        )
    stored = {"format": head.format, "coding": head.facts.stored, "alpha": alpha}
    return Image(planes[:, None], None, head.channels, stored)


def as_picture(image: Image, name: str) -> NDArray[Any]:
    """An image as (Y, X) or (Y, X, 3) of uint8 or uint16, where that loses nothing.

    Raises:
        FormatError: several planes, or values that are no whole numbers from 0 to 65,535.
    """
    c, z, _, _ = image.shape
    if z != 1 or (c != 1 and not image.is_rgb):
        raise FormatError(
            f"{name} holds one grey or RGB picture, not {c}×{z} planes",
            remedy="write NIfTI or TIFF, or choose one slice",
        )
    pixels = image.array[0, 0] if c == 1 else np.moveaxis(image.array[:, 0], 0, 2)
    return np.ascontiguousarray(_whole(pixels, name))


def _whole(pixels: NDArray[Any], name: str) -> NDArray[Any]:
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if pixels.dtype.kind == "f":
        problem = f"{name} holds whole numbers only, and these are {pixels.dtype}"
    elif pixels.min() < 0:
        problem = f"{name} holds no negative values, and the least here is {pixels.min()}"
    elif pixels.max() > 65_535:
        problem = f"{name} holds at most 65,535, and the greatest here is {pixels.max()}"
    else:
        return pixels.astype(np.uint16)
    raise FormatError(
        problem,
        expected="values that the format can hold without loss",
        remedy="choose a window (centre and width), or write NIfTI, TIFF or NumPy",
    )
