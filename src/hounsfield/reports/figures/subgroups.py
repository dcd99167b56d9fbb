"""Is it equally good for everyone? The headline metric by sex, age, source and view."""

from __future__ import annotations

import numpy as np

from hounsfield.evaluation.estimate import Estimate
from hounsfield.reports import numbers, style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "subgroups"
CAPTION = (
    "Each line is the 95 % interval of one group; the dashed line is the value over all cases. "
    "An interval that misses the dashed line calls for a closer look. Hollow: too few patients "
    "to rely on."
)
MOST_ROWS = 30


@style.styled
def draw(view: View) -> list[Figure]:
    """A forest plot; none where no subgroup could be measured."""
    whole = view.evaluation.first()
    rows = [one for one in of_headline(view) if np.isfinite([one.value, one.low, one.high]).all()]
    if not rows or not np.isfinite(whole.value):
        return []
    shown = [whole, *rows[:MOST_ROWS]]
    canvas, axes = style.panel(0.9 + 0.3 * len(shown))
    axes.axvline(whole.value, ls=(0, (4, 3)), lw=1, color=style.SOFT)
    for y, one in enumerate(shown):
        colour = style.INK if one is whole else style.series(0)
        axes.plot([one.low, one.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
        fill = colour if one.reliable else style.CARD
        axes.plot(one.value, y, "D" if one is whole else "o", ms=6, color=colour, mfc=fill)
    labels = [f"{words(one.group)}  ({one.patients:,})" for one in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    style.clear_ticks(axes)
    axes.set_xlabel(f"{whole.title}, 95 % interval (patients in brackets)")
    more = len(rows) - MOST_ROWS
    cut = f" {numbers.count(more, 'more group')} in the table." if more > 0 else ""
    return [Figure.of(canvas, "subgroups", f"{whole.title} by subgroup", CAPTION + cut)]


def of_headline(view: View) -> list[Estimate]:
    """The headline metric in each subgroup."""
    return [
        one
        for one in view.evaluation.estimates
        if one.group != "all" and one.class_name is None and one.metric == view.evaluation.headline
    ]


def words(group: str) -> str:
    """ "sex=F" as a reader says it."""
    if group == "all":
        return "All"
    name, _, value = group.partition("=")
    if name == "sex":
        return {"F": "Women", "M": "Men", "O": "Other sex"}.get(value, f"sex {value}")
    if name in ("age", "age_band"):
        return f"Age {value.replace('-', '–').replace('<', 'under ')}"
    return f"{name.replace('_', ' ').capitalize()} {style.shorten(value, 18)}"
