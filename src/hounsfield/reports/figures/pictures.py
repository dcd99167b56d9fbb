"""Images of the catalog as small pictures for the report."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import HounsfieldError
from hounsfield.reports.figures.contract import Figure

SIDE = 260  # pixels of the longer side
SMALLEST = 160  # a picture of 28 pixels is enlarged, pixel by pixel

Grey = NDArray[np.uint8]


def read(catalog: Catalog, images: Sequence[str]) -> list[Grey]:
    """Images as (Y, X) or (Y, X, 3) uint8, the middle slice, from the 1st to the 99th percentile.

    Raises:
        HounsfieldError: the link is gone, or a file cannot be read.
    """
    return [small(formats.read(source).array) for source in catalog.sources(images)]


def small(array: NDArray[Any]) -> Grey:
    """An image's array (C, Z, Y, X) as a small picture."""
    planes = array[:, array.shape[1] // 2]
    step = max(1, min(planes.shape[1:]) // (2 * SIDE))
    planes = planes[:, ::step, ::step].astype(np.float32)
    finite = planes[np.isfinite(planes)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    scaled = np.clip((planes - low) / max(high - low, 1e-6), 0, 1)
    shades = np.nan_to_num(scaled * 255).astype(np.uint8)
    pixels = np.moveaxis(shades[:3], 0, 2) if len(shades) >= 3 else shades[0]
    return _resized(pixels)


def png(pixels: Grey) -> bytes:
    buffer = BytesIO()
    Picture.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def sheet(pictures: Sequence[Grey], gap: int = 6) -> bytes:
    """Pictures side by side on squares of one size, as PNG with transparent gaps."""
    side = max(max(picture.shape[:2]) for picture in pictures)
    canvas = Picture.new("LA", (len(pictures) * (side + gap) - gap, side), (0, 0))
    if any(picture.ndim == 3 for picture in pictures):
        canvas = canvas.convert("RGBA")
    for number, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        at = number * (side + gap) + (side - width) // 2, (side - height) // 2
        canvas.paste(Picture.fromarray(picture).convert(canvas.mode), at)
    buffer = BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def unavailable(name: str, title: str, error: HounsfieldError) -> Figure:
    """The note that stands where pictures would be. No path: the report may travel."""
    reason = f"The pictures are not shown: {error.problem}."
    return Figure(name, title, f"{reason} {error.remedy or ''}".strip())


def _resized(pixels: Grey) -> Grey:
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= SMALLEST:
        times = SMALLEST // longer
        return pixels.repeat(times, axis=0).repeat(times, axis=1)
    if longer <= SIDE:
        return pixels
    size = max(1, round(width * SIDE / longer)), max(1, round(height * SIDE / longer))
    return np.asarray(Picture.fromarray(pixels).resize(size, Picture.Resampling.BOX))
