"""What ROC and precision-recall figures share: one curve a class, with its band."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hounsfield.evaluation import Curve, Resampling
from hounsfield.evaluation.intervals import count_patients
from hounsfield.metrics.classification import actual
from hounsfield.metrics.contract import Bools, Floats, Ints
from hounsfield.reports import numbers, style
from hounsfield.reports.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 6
MOST_BANDS = 3  # more bands cover one another
BAND_RESAMPLES = 1000  # a band drawn half a millimetre off is the same band

ENOUGH = 5  # patients on either side: with fewer a curve is a step or two of chance

Make = Callable[[Bools, Floats, Ints, Resampling], Curve]


def one_against_rest(view: View) -> list[tuple[int, str]]:
    """The classes that have a curve: the positive one of two, or each of many."""
    classes = view.cases.classes
    if len(classes) == 2 and not view.cases.multilabel:
        return [(1, classes[1])]
    return list(enumerate(classes))


def too_few(view: View) -> bool:
    """Whether no class has enough patients for a curve, on either side."""
    return not any(
        min(count_patients(mine, told.cluster), count_patients(~mine, told.cluster)) >= ENOUGH
        for k, name in one_against_rest(view)
        for told in [view.cases.told(name)]
        for mine in [actual(told, k)]
    )


def score_text(view: View, metric: str, class_name: str) -> str:
    """ "AUROC 0.93 (0.88 to 0.96)", as the table has it; empty where it has none."""
    looks = one_against_rest(view)
    wanted = None if len(looks) == 1 else class_name
    for one in view.evaluation.estimates:
        if (one.metric, one.group, one.class_name) == (metric, "all", wanted):
            short = one.title.partition(" (")[0]
            return f"{short} {numbers.value(one)} ({numbers.interval(one)})"
    return ""


def draw_curves(view: View, axes: Axes, make: Make, metric: str) -> list[Curve]:
    """Draw the curves of the first classes with bands; returns those with points."""
    drawn, looks = [], one_against_rest(view)
    alone, bands = len(looks) == 1, len(looks) <= MOST_BANDS
    resamples = min(view.resampling.resamples, BAND_RESAMPLES) if bands else 2
    resampling = Resampling(resamples, view.resampling.seed)
    for number, (k, name) in enumerate(looks[:MOST_CURVES]):
        told = view.cases.told(name)
        curve = make(actual(told, k), told.probability[:, k], told.cluster, resampling)
        if not len(curve.x):
            continue
        colour = style.series(number)
        score = score_text(view, metric, name)
        label = score if alone and score else f"{style.shorten(name)}: {score}".removesuffix(": ")
        stairs = "steps-post" if curve.kind == "roc" else "steps-pre"
        axes.plot(curve.x, curve.y, drawstyle=stairs, color=colour, label=label)
        if bands:
            axes.fill_between(curve.grid, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        drawn.append(curve)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    return drawn


def height(view: View) -> float:
    """Inches, with room for a legend of all curves."""
    return 3.7 + 0.19 * min(len(one_against_rest(view)), MOST_CURVES)


def remarks(view: View) -> str:
    """What the bands are, and which classes have no curve."""
    number = len(one_against_rest(view))
    said = " Band: 95 % interval over patients." if number <= MOST_BANDS else ""
    more = number - MOST_CURVES
    return said + f" The first {MOST_CURVES} classes are drawn; {more} more are in the table." * (
        more > 0
    )
