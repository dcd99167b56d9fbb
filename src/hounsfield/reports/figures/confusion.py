"""Which class was taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.evaluation import confusion
from hounsfield.metrics.contract import Floats, Ints
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECTION: Section = "results"
CAPTION = (
    "Each row holds the cases that truly are of a class; each column, what the model called them. "
    "Right answers lie on the diagonal. Shade: the share of the row."
)
MOST_NUMBERED = 12
MOST_PANELS = 4


@style.styled
def draw(view: View) -> list[Figure]:
    """One matrix, or one a label where cases can have several."""
    if not view.cases.classes or not len(view.cases):
        return []
    found = confusion(view.cases)
    if found.counts.ndim == 2:
        return [_draw(found.classes, found.counts, found.shares, "confusion", "Confusion matrix")]
    return [
        _draw(
            ("no", "yes"),
            found.counts[k],
            found.shares[k],
            f"confusion-{k + 1}",
            f"Confusion matrix: {name}",
        )
        for k, name in enumerate(found.classes[:MOST_PANELS])
    ]


def _draw(names: tuple[str, ...], counts: Ints, shares: Floats, file: str, title: str) -> Figure:
    size = len(names)
    canvas, axes = style.panel(1.4 + min(max(size, 2), 12) * 0.85 if size < 5 else 4.3)
    axes.pcolormesh(np.nan_to_num(shares), cmap=style.SHADES, vmin=0, vmax=1, lw=2, ec=style.CARD)
    axes.invert_yaxis()
    axes.grid(visible=False)
    style.clear_ticks(axes, ("top", "right", "left", "bottom"))
    if size <= MOST_NUMBERED:
        _number(axes, counts, shares)
    middles = np.arange(size) + 0.5
    labels = [style.shorten(name, 14) for name in names]
    turned = max(map(len, labels)) * size > 44
    axes.set_xticks(middles, labels, rotation=90 if turned else 0)
    upright = size <= 4
    axes.set_yticks(middles, labels, rotation=90 if upright else 0, va="center")
    axes.set_xlabel("The model says")
    axes.set_ylabel("Truth")
    return Figure.of(canvas, file, title, CAPTION)


def _number(axes: Axes, counts: Ints, shares: Floats) -> None:
    size = len(counts)
    for i, j in np.ndindex(counts.shape):
        share = shares[i, j]
        # The cell's shade is drawn, not themed: dark text on light cells in both themes.
        colour = "#ffffff" if share > 0.5 else "#10202f"
        dy = 0.0 if size > 5 or np.isnan(share) else 0.1
        number = axes.text(j + 0.5, i + 0.5 - dy, f"{counts[i, j]:,}", color=colour)
        number.set(ha="center", va="center", fontsize=9 if size > 5 else 14)
        if dy:
            below = axes.text(j + 0.5, i + 0.64, f"{100 * share:.0f} %", color=colour)
            below.set(ha="center", va="center", fontsize=9.5)
