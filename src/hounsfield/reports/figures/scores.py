"""How the scores lie: the probability by true class, or a task's value for each case."""

from __future__ import annotations

import numpy as np

from hounsfield.metrics import METRICS, metric
from hounsfield.metrics.classification import actual
from hounsfield.metrics.contract import Floats
from hounsfield.reports import style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.figures.curves import one_against_rest
from hounsfield.reports.view import View

SECTION: Section = "results"
BINS = [k / 25 for k in range(26)]
MOST_PANELS = 4
APART = "The less the two hills overlap, the better the scores tell the cases apart."
EACH = "One value a case; a long tail to the {} means that the model fails on some."


@style.styled
def draw(view: View) -> list[Figure]:
    """Two hills for two classes or each label, right and wrong for many classes, or columns."""
    cases = view.cases
    if not cases.classes:
        return [_column(n, name, values) for n, (name, values) in enumerate(_columns(view))]
    if len(cases.classes) > 2 and not cases.multilabel:
        given = cases.probability[np.arange(len(cases)), cases.decision]
        right = cases.truth == cases.decision
        hills = {"called wrong": given[~right], "called right": given[right]}
        of = "Calibrated probability of the class chosen"
        return [_hills(0, "Scores of right and wrong answers", of, hills)]
    figures = []
    for number, (k, name) in enumerate(one_against_rest(view)[:MOST_PANELS]):
        told = cases.told(name)
        mine, score = actual(told, k), told.probability[:, k]
        hills = {f"truly {_rest(view, name)}": score[~mine], f"truly {name}": score[mine]}
        of = f"Calibrated probability of {style.shorten(name)}"
        figures.append(_hills(number, f"Scores: {name}", of, hills))
    return figures


def _hills(number: int, title: str, of: str, hills: dict[str, Floats]) -> Figure:
    canvas, axes = style.panel(2.9)
    for colour, (name, values) in enumerate(hills.items()):
        label = f"{style.shorten(name)} ({len(values):,})"
        axes.hist(values, BINS, color=style.series(colour), alpha=0.55, label=label)
    axes.set_xlim(0, 1)
    axes.set_xlabel(of)
    axes.set_ylabel("Cases")
    style.legend_below(axes, columns=2)
    return Figure.of(canvas, _file(number), title, APART)


def _column(number: int, name: str, values: Floats) -> Figure:
    canvas, axes = style.panel(2.9)
    axes.hist(values, 25, color=style.series(0), alpha=0.75)
    axes.set_xlabel(name)
    axes.set_ylabel("Cases")
    good = metric(name.partition(":")[0]).higher_is_better
    caption = EACH.format("left" if good else "right")
    return Figure.of(canvas, _file(number), f"Values of {name}", caption)


def _columns(view: View) -> list[tuple[str, Floats]]:
    """What is measured of each case, but for yes and no."""
    own = {n: v for n, v in view.cases.columns.items() if n.partition(":")[0] in METRICS}
    defined = {name: values[~np.isnan(values)] for name, values in own.items()}
    shown = [(name, values) for name, values in defined.items() if len(np.unique(values)) > 2]
    return shown[:MOST_PANELS]


def _rest(view: View, name: str) -> str:
    others = [one for one in view.cases.classes if one != name]
    return others[0] if len(others) == 1 and not view.cases.multilabel else f"not {name}"


def _file(number: int) -> str:
    return f"scores-{number + 1}" if number else "scores"
