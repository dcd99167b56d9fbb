"""Pictures of what the network is given: raw and augmented sheets, intensities before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError, UsageError
from hounsfield.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, ACCENT, OTHER = "#1d2733", "#1f6f8b", "#c8553d"
CELL = 1.7  # inches a picture
SMALL, TITLE = 13, 14  # points: four cells fill the report's column, and are read on a telephone


def sheet(
    pictures: Sequence[NDArray[Any]], labels: Sequence[str], title: str, *, columns: int = 4
) -> Figure:
    """A sheet of pictures (C, Z, Y, X) of any sizes, the middle slice of each, with its label.

    Each is shown from its 0.5th to its 99.5th percentile; three channels are shown as colour.
    """
    _refuse_other_counts(pictures, labels)
    rows = -(-len(pictures) // columns)
    figure = _figure((columns * CELL, rows * (CELL + 0.32) + 0.5), title)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, label in zip(axes.flat, pictures, labels, strict=False):
        _show(axis, picture)
        axis.set_title(_short(label, 16), fontsize=SMALL, color=INK, pad=3)
    return figure


def augmented_sheet(
    originals: Sequence[NDArray[Any]],
    augmented: Sequence[Sequence[NDArray[Any]]],
    labels: Sequence[str],
    title: str,
) -> Figure:
    """A row a picture: as prepared, then `augmented[i]`, several draws of it, on one scale."""
    _refuse_other_counts(originals, labels)
    draws = max(len(several) for several in augmented)
    figure = _figure(((draws + 1) * CELL, len(labels) * (CELL - 0.12) + 0.75), title)
    axes = figure.subplots(len(labels), draws + 1, squeeze=False)
    for row, original, several, label in zip(axes, originals, augmented, labels, strict=True):
        scale = limits(original)
        for axis, picture in zip(row, (original, *several), strict=False):
            _show(axis, picture, scale)
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(_short(label, 16), fontsize=SMALL, color=INK)
    axes[0][0].set_title("prepared", fontsize=SMALL, color=INK, pad=3)
    for draw, axis in enumerate(axes[0][1:], 1):
        axis.set_title(f"draw {draw}", fontsize=SMALL, color=INK, pad=3)
    return figure


def histograms(before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]], title: str) -> Figure:
    """Intensities of the same images before and after preparing: a thin line each, all in bold."""
    _refuse_other_counts(before, after)
    figure = _figure((4 * CELL, 5.2), title)
    panels = (
        ("before: physical values", before, OTHER),
        ("after: what the network is given", after, ACCENT),
    )
    for axis, (name, arrays, colour) in zip(figure.subplots(2, 1), panels, strict=True):
        values = [_finite(array) for array in arrays]
        bins = _bins(values)
        centres = (bins[1:] + bins[:-1]) / 2
        shares = np.array([np.histogram(v, bins)[0] / max(v.size, 1) for v in values]) * 100
        for share in shares:
            axis.step(centres, share, where="mid", color=colour, alpha=0.18, lw=0.7)
        axis.step(centres, shares.mean(0), where="mid", color=colour, lw=1.8)
        axis.set_xlabel(name, fontsize=SMALL, color=INK)
        axis.set_ylabel("pixels (%)", fontsize=SMALL, color=INK)
        top = float(np.percentile(shares, 99.5)) * 1.15
        axis.set_ylim(0, max(top, float(shares.mean(0)[1:-1].max()) * 1.1, 1e-6))
        axis.tick_params(labelsize=SMALL - 1)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def refuse_suffix(path: Path | None) -> None:
    """Refuse a name that says no PNG; None is not drawn.

    Raises:
        UsageError: another suffix.
    """
    if path is not None and path.suffix.lower() != ".png":
        raise UsageError(
            f"no picture is drawn with the suffix {path.suffix!r}", file=path, expected=".png"
        )


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with whole_file(path) as file:
        # No date or version inside: the same figure has the same bytes.
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return path


def _figure(size: tuple[float, float], title: str) -> Figure:
    from matplotlib.figure import Figure  # not pyplot: no global state, no window

    figure = Figure(figsize=(max(size[0], 3.0), size[1]), layout="constrained")
    figure.suptitle(title, fontsize=TITLE, color=INK)
    return figure


def _show(axis: Any, picture: NDArray[Any], scale: tuple[float, float] | None = None) -> None:
    low, high = scale or limits(picture)
    middle = np.asarray(picture[:, picture.shape[1] // 2], np.float32)
    unit = np.clip((np.nan_to_num(middle, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    if len(unit) == 3:
        axis.imshow(np.moveaxis(unit, 0, 2), interpolation="nearest")
    else:
        axis.imshow(unit[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def limits(picture: NDArray[Any]) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of what is finite; 0 and 1 where nothing is."""
    values = _finite(picture)
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (0.5, 99.5))
    return (float(low), float(high)) if low < high else (float(values.min()), float(values.max()))


def _finite(array: NDArray[Any]) -> NDArray[Any]:
    flat = np.asarray(array).reshape(-1)
    return flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat


def _bins(values: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """About 80 bins for all; of whole numbers each holds as many, or the bars would beat."""
    filled = [v for v in values if v.size]
    if not filled:
        return np.linspace(0, 1, 81)
    low, high = min(float(v.min()) for v in filled), max(float(v.max()) for v in filled)
    if all(v.dtype.kind in "iu" for v in filled):
        width = max(1, -(-int(high - low + 1) // 80))
        return np.arange(low - 0.5, high + width, width)
    return np.linspace(low, high, 81) if low < high else np.linspace(low - 0.5, high + 0.5, 81)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _refuse_other_counts(one: Sequence[Any], other: Sequence[Any]) -> None:
    if not one or len(one) != len(other):
        raise InputError(f"{len(one)} and {len(other)} of what must be as many, and at least one")
