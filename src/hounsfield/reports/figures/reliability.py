"""Do the probabilities mean what they say? Before and after calibration."""

from __future__ import annotations

import numpy as np

from hounsfield.evaluation import Reliability, reliability
from hounsfield.metrics.contract import Bools, Cases, Floats, Ints
from hounsfield.reports import numbers, style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

SECTION: Section = "calibration"
CAPTION = (
    "Cases are grouped by the probability that the model gave (right); up is the share that truly "
    "had the finding. On the diagonal, 70 % means 70 of 100. Lines: 95 % intervals over patients."
)
MOST_PANELS = 4
ENOUGH = 20  # cases: fewer are noise
MOST_BINS, A_BIN = 10, 10  # bins, and cases in each where that leaves fewer


@style.styled
def draw(view: View) -> list[Figure]:
    """One figure a look: the positive class, the predicted class of many, or each label."""
    if view.cases.classes and len(view.cases) < ENOUGH:
        few = numbers.count(len(view.cases), "case")
        why = f"Not drawn: {few} cannot show whether a probability comes true; {ENOUGH} may."
        return [Figure("reliability", "Reliability", why)]
    bins = min(MOST_BINS, len(view.cases) // A_BIN)
    before = dict(_looks(view.before)) if view.before is not None else {}
    figures = []
    for number, (name, look) in enumerate(_looks(view.cases)[:MOST_PANELS]):
        after = reliability(*look, bins)
        raw = None
        if name in before and not np.allclose(before[name][1], look[1]):
            raw = reliability(*before[name], bins)
        figures.append(_draw(name, number, raw, after))
    return figures


def _draw(name: str, number: int, raw: Reliability | None, after: Reliability) -> Figure:
    canvas, axes = style.panel(3.9)
    axes.plot([0, 1], [0, 1], ls=(0, (4, 3)), lw=1, color=style.SOFT)
    if raw is not None:
        axes.plot(
            raw.predicted, raw.observed, "s--", ms=4, lw=1, color=style.series(1),
            mfc=style.CARD, label="before calibration",
        )  # fmt: skip
    errors = [after.observed - after.low, after.high - after.observed]
    axes.errorbar(
        after.predicted, after.observed, yerr=np.maximum(errors, 0), fmt="o-", ms=5,
        color=style.series(0), elinewidth=1, label="after calibration" if raw else "as predicted",
    )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(f"Predicted probability of {style.shorten(name)}")
    axes.set_ylabel("Observed share")
    style.legend_below(axes, columns=2)
    suffix = f"-{number + 1}" if number else ""
    title = f"Reliability: {name}"
    return Figure.of(canvas, f"reliability{suffix}", title, CAPTION)


def _looks(cases: Cases) -> list[tuple[str, tuple[Bools, Floats, Ints]]]:
    """What is looked at: (N,) whether it came true, the probability given, and the patient."""
    if not cases.classes:
        return []
    if cases.multilabel:
        told = [(name, cases.told(name)) for name in cases.classes]
        return [
            (name, (mine.truth[:, k] == 1, mine.probability[:, k], mine.cluster))
            for k, (name, mine) in enumerate(told)
            if len(mine)
        ]
    if len(cases.classes) == 2:
        return [(cases.classes[1], (cases.truth == 1, cases.probability[:, 1], cases.cluster))]
    top, surest = cases.probability.argmax(axis=1), cases.probability.max(axis=1)
    return [("the likeliest class", (cases.truth == top, surest, cases.cluster))]
