"""Before, the bias field, after: one slice in three panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.figures import INK, SMALL, TITLE
from hounsfield.preprocessing.mr.bias_field import BiasCorrected
from hounsfield.reports.planes import Cut, cut, sides_known

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(before: Image, found: BiasCorrected) -> Figure:
    """Three panels of the first channel's middle slice: before, the field, after.

    The slice is that of the thickest voxels, turned as radiologists look at it, with letters
    where the body's sides are. Before and after share their grey scale.
    """
    from matplotlib.figure import Figure

    cuts = [middle(one) for one in (before, found.field, found.image)]
    slices, (across, down) = [one.pixels for one in cuts], cuts[0].step
    left, _, _, below = list(cuts[0].edges if sides_known(before) else "") or [""] * 4
    aspect = down / across
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


def middle(image: Image) -> Cut:
    """The first channel's middle slice across the thickest voxels, as a radiologist turns it."""
    through = 2
    if isinstance(image.geometry, Patient):
        spacing = image.geometry.spacing
        through = int(np.argmax(spacing)) if max(spacing) > 1.2 * min(spacing) else 2
    return cut(image.array[:1], image.geometry, through, image.shape[3 - through] // 2)
