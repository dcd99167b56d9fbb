"""The precision-recall curve with its band."""

from __future__ import annotations

from hounsfield.evaluation import pr_curve
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.figures.curves import draw_curves, height, remarks, too_few
from hounsfield.reports.view import View

SECTION: Section = "results"
CAPTION = (
    "How many of the model's alarms are true (up) when it is to find this share of the patients "
    "(right). Dotted: what a coin would reach, which is the share of such cases here; where the "
    "finding is rarer, the curve lies lower."
)


@style.styled
def draw(view: View) -> list[Figure]:
    """One panel; none where a class is missing."""
    if too_few(view):
        return []
    canvas, axes = style.panel(height(view))
    drawn = draw_curves(view, axes, pr_curve, "auprc")
    if not drawn:
        return []
    for number, curve in enumerate(drawn):
        if curve.chance is not None:
            axes.axhline(curve.chance, ls=":", lw=1, color=style.series(number))
    axes.set_xlabel("Found (recall)")
    axes.set_ylabel("True alarms (precision)")
    style.legend_below(axes)
    return [Figure.of(canvas, "pr", "Precision and recall", CAPTION + remarks(view))]
