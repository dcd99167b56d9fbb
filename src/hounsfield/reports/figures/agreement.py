"""Do the numbers agree? Predicted against true, and the differences after Bland and Altman."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.metrics.contract import Floats
from hounsfield.metrics.regression import LIMITS, PREDICTED, TRUTH
from hounsfield.reports import numbers, style
from hounsfield.reports.figures.contract import Figure, Section
from hounsfield.reports.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECTION: Section = "results"
AGAINST = (
    "Each dot is a case; on the dashed line the prediction is the truth. Dots that lie flatter "
    "than the line: small values are overestimated and large ones underestimated."
)
BLAND = (
    "The error of each case against the mean of prediction and truth (Bland and Altman, Lancet "
    "1986). Line: the mean error; dashed: the limits between which 95 % of the errors lie where "
    "they are normally distributed. A slope or a funnel means that the limits do not hold "
    "everywhere."
)


@style.styled
def draw(view: View) -> list[Figure]:
    """Two panels; none for a task without numbers."""
    columns = view.cases.columns
    if not {TRUTH, PREDICTED} <= set(columns):
        return []
    truth, predicted = columns[TRUTH], columns[PREDICTED]
    known = np.isfinite(truth) & np.isfinite(predicted)
    if not known.any():
        return []
    target = style.shorten(view.plan.task.target or "value")
    run = view.run
    margin = run.calibration.margin if run.calibration_file.exists() else None
    return [
        _against(truth[known], predicted[known], target, margin),
        _bland_altman(truth[known], predicted[known], target),
    ]


def _against(truth: Floats, predicted: Floats, target: str, margin: float | None) -> Figure:
    canvas, axes = style.panel(3.9)
    ends = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
    if margin is not None:
        line = np.array(ends)
        axes.fill_between(
            line, line - margin, line + margin, color=style.series(0), alpha=0.12, lw=0
        )
    axes.plot(ends, ends, ls=(0, (4, 3)), lw=1, color=style.SOFT)
    _dots(axes, truth, predicted)
    axes.set_xlabel(f"True {target}")
    axes.set_ylabel(f"Predicted {target}")
    band = " Band: the 95 % prediction interval; 95 of 100 dots should lie in it." if margin else ""
    return Figure.of(canvas, "agreement", "Predicted against true", AGAINST + band)


def _bland_altman(truth: Floats, predicted: Floats, target: str) -> Figure:
    canvas, axes = style.panel(3.9)
    difference = predicted - truth
    middle, half = float(difference.mean()), LIMITS * float(difference.std())
    _dots(axes, (truth + predicted) / 2, difference)
    places = numbers.digits(middle - half, middle + half, 40)
    for at, name in ((middle, "mean"), (middle - half, "lower"), (middle + half, "upper")):
        axes.axhline(at, lw=1.2, color=style.INK, ls="-" if name == "mean" else (0, (4, 3)))
        value = numbers.plain(at, places, sign=True)
        axes.annotate(
            value,
            (1.0, at),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=9,
        )
    axes.set_xlabel(f"Mean of true and predicted {target}")
    axes.set_ylabel("Predicted − true")
    return Figure.of(canvas, "bland-altman", "Limits of agreement", BLAND)


def _dots(axes: Axes, x: Floats, y: Floats) -> None:
    size, alpha = (22, 0.6) if len(x) <= 500 else (8, 0.25)
    axes.scatter(x, y, s=size, alpha=alpha, color=style.series(0), lw=0, rasterized=len(x) > 2000)
