"""A search at a glance: the score of each trial, and which values mattered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.metrics import METRICS
from hounsfield.metrics import metric as named
from hounsfield.metrics.contract import Bools, Floats
from hounsfield.reports import style

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

MOST_BARS = 10
LONG = 30  # letters of a value's path


@style.styled
def figure(trials: pl.DataFrame, importances: Mapping[str, float], metric: str) -> bytes:
    """PNG of trials (columns trial, state and the metric) and of shares of variance by value."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    wide = 2 if importances else 1
    canvas = Canvas(figsize=(4.6 * wide, 3.4), layout="constrained")
    FigureCanvasAgg(canvas)
    panels = canvas.subplots(1, wide, squeeze=False)[0]
    _history(panels[0], trials, metric)
    if importances:
        _bars(panels[1], importances)
    return style.png(canvas)


def _history(axes: Axes, trials: pl.DataFrame, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    known = trials.drop_nulls(metric)
    finished = known["state"].to_numpy() == "finished"
    number, score = known["trial"].to_numpy(), known[metric].to_numpy()
    axes.plot(number[finished], score[finished], "o", color=style.series(0), label="trial")
    if not finished.all():
        axes.plot(
            *(number[~finished], score[~finished], "o"),
            mfc="none",
            color=style.SOFT,
            label="stopped early (its best, where near)",
        )
    rising = metric not in METRICS or named(metric).higher_is_better
    best = np.maximum if rising else np.minimum
    line = np.append(best.accumulate(score[finished]), best.reduce(score[finished]))
    at = np.append(number[finished], number.max())
    axes.plot(at, line, drawstyle="steps-post", color=style.INK, label="best so far")
    axes.set_xlabel("Trial")
    axes.set_ylabel(f"{named(metric).title if metric in METRICS else metric}, validation")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _near(axes, score, finished)
    style.legend_below(axes, columns=3)


def _near(axes: Axes, score: Floats, finished: Bools) -> None:
    """The scale of the finished trials: one that went astray would hide their differences."""
    low, high = score[finished].min(), score[finished].max()
    room = max(high - low, 1e-3 * abs(high), 1e-6)
    axes.set_ylim(max(axes.get_ylim()[0], low - room), min(axes.get_ylim()[1], high + room))


def _bars(axes: Axes, importances: Mapping[str, float]) -> None:
    shown = sorted(importances.items(), key=lambda pair: -pair[1])[:MOST_BARS]
    plain = [name.removeprefix("training.").removeprefix("model.settings.") for name, _ in shown]
    names = [style.shorten(name.replace("_", " ").replace(".", " "), LONG) for name in plain]
    axes.barh(names, [share for _, share in shown], 0.6, color=style.series(2))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("Share of the scores' variance (fANOVA)")
    style.clear_ticks(axes)
