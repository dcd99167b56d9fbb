"""How far off are the grades? Cases by the distance of the predicted from the true grade."""

from __future__ import annotations

import numpy as np

from hounsfield.reports import numbers, style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "results"
CAPTION = (
    "Left of 0 the model gives a lower grade than the truth, right of it a higher one. One grade "
    "off is often a matter of opinion between readers, two are not."
)


@style.styled
def draw(view: View) -> list[Figure]:
    """A bar a distance; none for a task without classes, or with labels that do not exclude."""
    cases = view.cases
    if not cases.classes or cases.multilabel or not len(cases):
        return []
    most = len(cases.classes) - 1
    distances = np.arange(-most, most + 1)
    off = cases.decision - cases.truth
    counts = np.array([int((off == one).sum()) for one in distances])
    canvas, axes = style.panel(2.9)
    colours = [style.series(0 if one == 0 else 1) for one in distances]
    axes.bar(distances, counts, 0.7, color=colours)
    for x, count in zip(distances.tolist(), counts.tolist(), strict=True):
        if count:
            share = numbers.percent(count, len(cases))
            axes.text(x, count, share, ha="center", va="bottom", color=style.SOFT, fontsize=9)
    axes.set_xticks(distances, [f"{one:+d}".replace("-", "−") if one else "0" for one in distances])
    axes.set_ylim(0, counts.max() * 1.12)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("Predicted − true, in grades")
    axes.set_ylabel("Cases")
    return [Figure.of(canvas, "grades", "How far off the grades are", CAPTION)]
