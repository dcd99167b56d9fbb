"""Pictures of what infrared cameras see: temperatures beside the palette, and spectra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats import thermal
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.preprocessing.figures import ACCENT, INK, SMALL, limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TALLEST = 6.0  # inches of a panel


def temperature_figure(path: Path, image: Image) -> Figure:
    """The picture that the camera shows, beside the map of temperatures with its scale in °C.

    The scale ends at the 0.5th and 99.5th percentile; the hottest and the coldest pixel are marked.
    """
    celsius = image.array[0, 0]
    shown = thermal.read(Source.of(path, thermal.PALETTE)).array[:, 0]
    rows, columns = celsius.shape
    width = min(5.0, TALLEST * columns / rows)
    figure = _figure((2 * width + 1.6, width * rows / columns + 0.75))
    left, right = figure.subplots(1, 2)
    left.imshow(np.moveaxis(shown, 0, 2))
    left.set_title("as the camera shows it", fontsize=SMALL, color=INK)
    low, high = limits(celsius)
    drawn = right.imshow(celsius, cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
    right.set_title("temperature", fontsize=SMALL, color=INK)
    for axis in (left, right):
        axis.set_axis_off()
    _mark(right, celsius)
    bar = figure.colorbar(drawn, ax=right, extend="both", fraction=0.05, pad=0.03)
    bar.ax.set_title("°C", fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL - 2)
    return figure


def spectra_figure(nm: NDArray[Any], values: NDArray[Any], picture: Image, unit: str) -> Figure:
    """The mean of spectra (pixels, bands) with the middle 90 % of pixels, beside a picture."""
    figure = _figure((9.6, 4.2))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    with np.errstate(invalid="ignore"):
        known = values[np.isfinite(values).all(1)]
    if known.size:
        low, high = np.percentile(known, (5, 95), axis=0)
        left.fill_between(nm, low, high, color=ACCENT, alpha=0.2, lw=0, label="90 % of pixels")
        left.plot(nm, known.mean(0), color=ACCENT, lw=1.8, label="mean")
        left.legend(frameon=False, fontsize=SMALL - 2)
    left.set_xlabel("wavelength (nm)", fontsize=SMALL, color=INK)
    left.set_ylabel(unit, fontsize=SMALL, color=INK)
    left.tick_params(labelsize=SMALL - 2)
    left.spines[["top", "right"]].set_visible(False)
    plane = picture.array[0, 0]
    low, high = limits(plane)
    drawn = right.imshow(plane, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
    name = picture.channels[0].name
    at = picture.channels[0].wavelength
    right.set_title(f"{at:g} nm" if at is not None else name, fontsize=SMALL, color=INK)
    right.set_axis_off()
    bar = figure.colorbar(drawn, ax=right, fraction=0.05, pad=0.03)
    bar.ax.tick_params(labelsize=SMALL - 2)
    return figure


def _mark(axis: Any, celsius: NDArray[Any]) -> None:
    """A ring and a number at the hottest and the coldest pixel."""
    for found, colour in ((np.nanargmax(celsius), "white"), (np.nanargmin(celsius), "#7fd3ff")):
        y, x = np.unravel_index(int(found), celsius.shape)
        ring = axis.plot(x, y, "o", mfc="none", mec=colour, ms=9, mew=1.6)[0]
        ring.set_path_effects(_outline())
        to_left = x > celsius.shape[1] / 2
        axis.annotate(
            f"{celsius[y, x]:.1f} °C", (x, y), (-8 if to_left else 8, 0),
            textcoords="offset points", ha="right" if to_left else "left", va="center",
            color=colour, fontsize=SMALL - 2,
        ).set_path_effects(_outline())  # fmt: skip


def _outline() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="#101010")]


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure  # not pyplot: no global state, no window

    return Figure(figsize=size, layout="constrained")
