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
    table = flow_table(view)
    parts = [part for part in PARTS if part in table["part"].to_list()]
    if not parts:
        return []
    counts = {(row["part"], row["label"]): row["cases"] for row in table.iter_rows(named=True)}
    groups = _groups(table["label"].unique().sort().to_list())
    canvas, axes = style.panel(1.0 + 0.55 * len(parts) + 0.2 * (len(groups) // 2))
    left = np.zeros(len(parts))
    for number, (name, labels) in enumerate(groups.items()):
        widths = [sum(counts.get((part, label), 0) for label in labels) for part in parts]
        colour = style.series(number)
        axes.barh(parts, widths, 0.62, left, color=colour, label=style.shorten(name))
        left += widths
    for y, width in enumerate(left):
        text = numbers.count(int(width), "case")
        at = width + left.max() * 0.015
        axes.text(at, y, text, va="center", color=style.SOFT, fontsize=9.5)
    axes.set_yticks(range(len(parts)), [PARTS[part] for part in parts])
    axes.set_xlim(0, left.max() * 1.24)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xticks([])
    style.clear_ticks(axes, ("top", "right", "left", "bottom"))
    style.legend_below(axes, columns=3, at=(0.4, -0.02))
    return [Figure.of(canvas, "flow", "Which cases went where", CAPTION)]


def _groups(labels: list[str]) -> dict[str, list[str]]:
    """What has a colour of its own, by name; many classes share the last one."""
    if len(labels) <= MOST_CLASSES:
        return {label: [label] for label in labels}
    own, rest = labels[: MOST_CLASSES - 1], labels[MOST_CLASSES - 1 :]
    return {label: [label] for label in own} | {f"{len(rest)} other classes": rest}
