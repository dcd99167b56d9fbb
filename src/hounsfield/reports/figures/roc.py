"""The ROC curve with its band, and where the chosen threshold stands on it."""

from __future__ import annotations

from hounsfield.evaluation import roc_curve
from hounsfield.metrics.classification import actual, called
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.figures.curves import (
    ENOUGH,
    draw_curves,
    height,
    one_against_rest,
    remarks,
    too_few,
)
from hounsfield.reports.view import View

SECTION: Section = "results"
CAPTION = (
    "How many of the patients with the finding are found (up) at the price of how many false "
    "alarms (right). The dashed diagonal is a coin's toss."
)
TOO_FEW = f"Not drawn: no class has {ENOUGH} patients with it and {ENOUGH} without it here."


@style.styled
def draw(view: View) -> list[Figure]:
    """One panel; none where a class is missing."""
    if view.cases.classes and too_few(view):
        return [Figure("roc", "ROC and precision-recall curves", TOO_FEW)]
    canvas, axes = style.panel(height(view))
    axes.plot([0, 1], [0, 1], ls=(0, (4, 3)), lw=1, color=style.SOFT)
    drawn = draw_curves(view, axes, roc_curve, "auroc")
    if not drawn:
        return []
    looks = one_against_rest(view)
    point = ""
    if len(looks) == 1:
        truth, decision = actual(view.cases, looks[0][0]), called(view.cases, looks[0][0])
        x, y = decision[~truth].mean(), decision[truth].mean()
        axes.plot(x, y, "o", ms=7, mfc=style.CARD, mec=style.INK, mew=1.5, label="chosen threshold")
        point = " Circle: the threshold in use."
    axes.set_xlabel("False alarms (1 − specificity)")
    axes.set_ylabel("Found (sensitivity)")
    style.legend_below(axes)
    return [Figure.of(canvas, "roc", "ROC curve", CAPTION + point + remarks(view))]
