"""Planes of label maps: where most is marked, and a colour for each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.reports.planes import Cut

MOST = 64  # values: more are an image's brightness
_LOOK = 1 << 16  # values that are looked at first
_RUN = 1 << 22  # values that are sorted at a time
# M. Okabe and K. Ito, "Color Universal Design" (2008): told apart by the colour-blind, too
COLOURS = {
    "orange": (230, 159, 0), "sky blue": (86, 180, 233), "green": (0, 158, 115),
    "yellow": (240, 228, 66), "red": (213, 94, 0), "pink": (204, 121, 167),
    "white": (255, 255, 255),
}  # fmt: skip


def labels_of(image: Image) -> list[int]:
    """The values but 0 of a volume's label map, or of a mask; none where it shows brightness.

    A DICOM file says what it is. Of others whole numbers from 0 on that have no unit are taken for
    labels where they are few.
    """
    array, said = image.array, image.stored
    if (
        array.dtype.kind not in "iub"
        or array.shape[0] > 1
        or not isinstance(image.geometry, Patient)
    ):
        return []
    if said.get("values") not in ("labels", "masks") and (
        said.get("format") == "dicom" or image.channels[0].unit or min(array.shape[1:]) < 2
    ):
        return []
    flat = array.reshape(-1)
    if len(np.unique(flat[:: max(1, flat.size // _LOOK)])) > MOST:
        return []
    found: set[int] = set()
    for start in range(0, flat.size, _RUN):
        found |= set(np.unique(flat[start : start + _RUN]).tolist())
        if len(found) > MOST:
            return []
    return sorted(int(value) for value in found - {0}) if min(found) >= 0 else []


def fullest(image: Image) -> tuple[int, int, int]:
    """The slices along x, y and z with the most voxels that are not 0; of equal ones the middle."""
    marked = image.array[0] != 0
    along_z = np.count_nonzero(marked, axis=(1, 2))
    over_z = np.count_nonzero(marked, axis=0)  # (Y, X)
    return _most(over_z.sum(axis=0)), _most(over_z.sum(axis=1)), _most(along_z)


def _most(counts: NDArray[Any]) -> int:
    best = np.flatnonzero(counts == counts.max())
    return int(best[len(best) // 2])


def coloured(cuts: Sequence[Cut], values: Sequence[int]) -> tuple[list[Cut], str]:
    """The cuts in colours on black, and which value has which."""
    palette = np.array([(0, 0, 0), *_palette(len(values))], np.uint8)
    known = np.array([0, *values])
    made = []
    for one in cuts:
        pixels = palette[np.searchsorted(known, one.pixels.astype(np.int64))]
        made.append(replace(one, pixels=pixels))
    if len(values) > len(COLOURS):
        return made, f"{len(values)} labels, {values[0]} to {values[-1]}, a colour each"
    named = (f"{value} {name}" for value, name in zip(values, COLOURS, strict=False))
    return made, f"Labels: {', '.join(named)}"


def _palette(count: int) -> list[tuple[int, int, int]]:
    """The named colours; for more labels hues a golden section apart, bright and dark in turn."""
    if count <= len(COLOURS):
        return list(COLOURS.values())[:count]
    from colorsys import hsv_to_rgb

    made = []
    for i in range(count):
        r, g, b = hsv_to_rgb(i * 0.618034 % 1, (0.9, 0.55)[i % 2], (1.0, 0.75)[i // 2 % 2])
        made.append((round(255 * r), round(255 * g), round(255 * b)))
    return made
