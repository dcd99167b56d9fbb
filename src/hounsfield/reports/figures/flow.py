"""Which patients went where: patients and images by part and class."""

from __future__ import annotations

import numpy as np

from hounsfield.reports import numbers, style
from hounsfield.reports.facts import PARTS, flow_table
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "data"
CAPTION = (
    "The network learns from the training part, choices are made on the validation part, and the "
    "test part is looked at once, at the end."
)
MOST_CLASSES = 8


@style.styled
def draw(view: View) -> list[Figure]:
    """Stacked bars of cases by class, one a part."""
    table = flow_table(view.run)
    parts = [part for part in PARTS if part in table["part"].to_list()]
    if not parts:
        return []
    labels = table["label"].unique(maintain_order=True).to_list()[:MOST_CLASSES]
    canvas, axes = style.panel(1.0 + 0.55 * len(parts) + 0.2 * (len(labels) // 2))
    left = np.zeros(len(parts))
    counts = {(row["part"], row["label"]): row["cases"] for row in table.iter_rows(named=True)}
    for number, label in enumerate(labels):
        widths = np.array([counts.get((part, label), 0) for part in parts], float)
        name = style.shorten(label)
        axes.barh(parts, widths, 0.62, left, color=style.series(number), label=name)
        left += widths
    for y in range(len(parts)):
        text = numbers.count(int(left[y]), "case")
        axes.text(
            left[y] + left.max() * 0.015, y, text, va="center", color=style.SOFT, fontsize=9.5
        )
    axes.set_yticks(range(len(parts)), [PARTS[part] for part in parts])
    axes.set_xlim(0, left.max() * 1.24)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xticks([])
    style.clear_ticks(axes, ("top", "right", "left", "bottom"))
    style.legend_below(axes, columns=3, at=(0.4, -0.02))
    return [Figure.of(canvas, "flow", "Which cases went where", CAPTION)]
