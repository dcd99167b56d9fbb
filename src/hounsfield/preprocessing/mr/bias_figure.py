"""Before, the bias field, after: one slice in three panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.figures import INK, SMALL, TITLE
from hounsfield.preprocessing.mr.bias_field import BiasCorrected

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UPWARDS, LEFTWARDS = "SAR", "RAS"  # what points up and left in a picture, the first that there is
OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))


def figure(before: Image, found: BiasCorrected) -> Figure:
    """Three panels of the first channel's middle slice: before, the field, after.

    The slice is that of the thickest voxels, turned as radiologists look at it, with letters
    where the body's sides are. Before and after share their grey scale.
    """
    from matplotlib.figure import Figure

    slices = [upright(one)[0] for one in (before, found.field, found.image)]
    _, aspect, (left, below) = upright(before)
    grey = {
        "cmap": "gray",
        "vmin": min(0.0, float(slices[0].min())),
        "vmax": float(np.percentile(np.stack((slices[0], slices[2])), 99.5)),
    }
    rows, columns = slices[0].shape
    height = 4.0 * np.clip(rows * aspect / columns, 0.4, 2)
    drawn = Figure(figsize=(14, height + 1.2), layout="constrained")
    drawn.suptitle("N4 bias field, middle slice", fontsize=TITLE, color=INK)
    titles = (
        f"before: variation {found.cv_before[0]:.3f}",
        "field (1 = unchanged)",
        f"after: variation {found.cv_after[0]:.3f}",
    )
    for axis, picture, title in zip(drawn.subplots(1, 3), slices, titles, strict=True):
        look: dict[str, Any] = {"cmap": "viridis"} if title.startswith("field") else grey
        shown = axis.imshow(picture, aspect=aspect, interpolation="nearest", **look)
        drawn.colorbar(shown, ax=axis, shrink=0.85).ax.tick_params(labelsize=SMALL - 3)
        axis.set(title=title, xticks=[], yticks=[])
        axis.set_ylabel(left, rotation=0, labelpad=10, fontsize=SMALL, color=INK)
        axis.set_xlabel(below, fontsize=SMALL, color=INK)
        axis.spines[:].set_visible(False)
    return drawn


def upright(image: Image) -> tuple[NDArray[Any], float, tuple[str, str]]:
    """The middle slice across the thickest axis, rows over columns, as a radiologist turns it.

    Also the pixels' height over width, and the letters of the sides at the left and below.
    """
    if not isinstance(image.geometry, Patient):
        return image.array[0, image.shape[1] // 2], 1.0, ("", "")
    spacing, codes = image.geometry.spacing, image.geometry.orientation
    through = int(np.argmax(spacing)) if max(spacing) > 1.2 * min(spacing) else 2
    plane = np.take(image.array[0].transpose(2, 1, 0), image.shape[3 - through] // 2, axis=through)
    kept = [axis for axis in range(3) if axis != through]
    # Rows run along the first of S, A, R (or the side opposite) that lies in the plane.
    rows = min(kept, key=lambda axis: UPWARDS.index(_positive(codes[axis])))
    columns = next(axis for axis in kept if axis != rows)
    plane = plane if rows < columns else plane.T
    if codes[rows] in UPWARDS:  # an index that grows upwards is turned over
        plane = plane[::-1]
    if codes[columns] in LEFTWARDS:
        plane = plane[:, ::-1]
    left = _positive(codes[columns])
    return plane, spacing[rows] / spacing[columns], (left, OPPOSITE[_positive(codes[rows])])


def _positive(code: str) -> str:
    """R, A or S for a letter of that axis."""
    return code if code in "RAS" else OPPOSITE[code]
