"""Before and after a registration: contours of the moving image on slices of the fixed one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.figures import ACCENT, INK, OTHER, SMALL, TITLE
from hounsfield.preprocessing.pet.registration import Registration, moved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINE = 3.0  # mm: pixels of the figure
LEVELS = (20.0, 92.0)  # percentiles of what is above nothing: the outline, and the hot parts
BAR = 100.0  # mm


def figure(fixed: Image, moving: Image, found: Registration) -> Figure:
    """Coronal and sagittal slices through the fixed volume's middle, before and after.

    Contours of the moving image lie on the fixed one: where they leave its edges after the
    registration, it is wrong. Seen as radiologists do: the patient's right is on the left.
    """
    from matplotlib.figure import Figure

    from hounsfield.spatial import Grid, reorient, resample

    there = resample(reorient(_first(fixed), "RAS"), spacing=FINE)
    grid = Grid(there.shape[1:], Patient(Grid.of(there).geometry.affine))
    befores = resample(_first(_anywhere(moving)), grid=grid, fill=0.0)
    afters = resample(_first(moved(moving, found)), grid=grid, fill=0.0)
    low, high = np.percentile(there.array, (25, 99.5)) if there.array.min() >= 0 else (-300, 300)
    values = afters.array[afters.array > 0.02 * np.percentile(afters.array, 99.5)]
    levels = np.percentile(values if values.size else afters.array, LEVELS)
    z, y, x = there.shape[1:]
    height = 4.6 * np.clip(z / x, 0.5, 2.2)
    drawn = Figure(figsize=(2 * 4.6 * (1 + y / x), height + 0.9), layout="constrained")
    x_mm, y_mm, z_mm = found.shift
    drawn.suptitle(
        f"Moved by {x_mm:+.1f} mm right, {y_mm:+.1f} front, {z_mm:+.1f} up, {found.degrees:.1f}°; "
        f"mutual information {found.before:.3f} → {found.after:.3f}; "
        f"there and back {found.residual:.1f} mm off",
        fontsize=TITLE,
        color=INK,
    )
    axes = drawn.subplots(1, 4, width_ratios=(x, y, x, y))
    for pair, image, when in ((axes[:2], befores, "before"), (axes[2:], afters, "after")):
        for axis, cut in zip(pair, (_coronal, _sagittal), strict=True):
            axis.imshow(cut(there), cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
            _contours(axis, cut(image), levels)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        pair[0].set_title(when, fontsize=SMALL, color=INK)
        _marked(pair)
    return drawn


def _first(image: Image) -> Image:
    return replace(image, array=image.array[:1], channels=image.channels[:1])


def _anywhere(image: Image) -> Image:
    """Where its header puts it, whatever frame of reference that is."""
    assert isinstance(image.geometry, Patient)
    return replace(image, geometry=Patient(image.geometry.affine))


def _coronal(image: Image) -> NDArray[Any]:
    """Rows from head to foot, columns from the patient's right to the left."""
    return np.asarray(image.array[0, ::-1, image.shape[2] // 2, ::-1])


def _sagittal(image: Image) -> NDArray[Any]:
    """Rows from head to foot, columns from front to back."""
    return np.asarray(image.array[0, ::-1, ::-1, image.shape[3] // 2])


def _contours(axis: Any, picture: NDArray[Any], levels: NDArray[Any]) -> None:
    from scipy.ndimage import gaussian_filter

    picture = gaussian_filter(picture, 1.5)  # an outline, not the noise
    for level, colour in zip(levels, (ACCENT, OTHER), strict=True):
        if picture.min() < level < picture.max():
            axis.contour(picture, levels=[level], colors=[colour], linewidths=1.4)


def _marked(pair: Any) -> None:
    """Letters of the sides, and a bar of `BAR` mm."""
    for axis, left in zip(pair, ("R", "A"), strict=True):
        axis.text(0.02, 0.5, left, color="white", fontsize=SMALL, transform=axis.transAxes)
    rows = pair[0].get_images()[0].get_array().shape[0]
    pair[0].plot([6, 6 + BAR / FINE], [rows - 6] * 2, color="white", linewidth=2.5)
    pair[0].text(6, rows - 10, f"{BAR:g} mm", color="white", fontsize=SMALL - 3)
