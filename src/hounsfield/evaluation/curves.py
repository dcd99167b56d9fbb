"""ROC and precision-recall curves with pointwise bands over patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hounsfield.evaluation.bootstrap import Resampling, bootstrap
from hounsfield.evaluation.intervals import LEVEL, count_patients, wilson
from hounsfield.metrics.contract import Bools, Floats, Ints

POINTS = 101


@dataclass(frozen=True, eq=False)
class Curve:
    """x, y: the curve itself. grid, low, high: its 95 % band at each grid point of x.

    roc: x is 1 - specificity, y sensitivity. pr: x is recall, y precision; `chance` is where a
    coin would be (None for the ROC curve, whose chance line is the diagonal).
    """

    kind: Literal["roc", "pr"]
    x: Floats
    y: Floats
    grid: Floats
    low: Floats
    high: Floats
    chance: float | None


def roc_curve(
    positive: Bools, score: Floats, cluster: Ints, resampling: Resampling | None = None
) -> Curve:
    """ROC curve of (N,) scores, from (0, 0) to (1, 1); NaN band and no points without both classes.

    The band holds sensitivity at a given false positive rate. Where resamples hardly vary (near 0
    and 1) it is as wide as Wilson's interval for the patients of the smaller class.
    """
    order, starts = _steps(score)

    def points(weights: Floats) -> tuple[Floats, Floats]:
        hits, called = _cumulative(weights[:, order], positive[order], starts)
        return _share(called - hits), _share(hits)

    return _curve("roc", points, (positive, cluster), resampling)


def pr_curve(
    positive: Bools, score: Floats, cluster: Ints, resampling: Resampling | None = None
) -> Curve:
    """Precision-recall curve of (N,) scores, recall rising; precision at the first point that
    reaches a recall.
    """
    order, starts = _steps(score)

    def points(weights: Floats) -> tuple[Floats, Floats]:
        hits, called = _cumulative(weights[:, order], positive[order], starts)
        hits, called = hits[:, 1:], called[:, 1:]
        precision = np.divide(hits, called, out=np.ones_like(hits), where=called > 0)
        total = hits[:, -1:]
        return np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0), precision

    return _curve("pr", points, (positive, cluster), resampling)


Points = Callable[[Floats], tuple[Floats, Floats]]


def _curve(
    kind: Literal["roc", "pr"],
    points: Points,
    data: tuple[Bools, Ints],
    resampling: Resampling | None,
) -> Curve:
    positive, cluster = data
    grid = np.linspace(0, 1, POINTS)
    chance = float(positive.mean()) if kind == "pr" and len(positive) else None
    if positive.all() or not positive.any():
        none = np.full(POINTS, np.nan)
        return Curve(kind, np.empty(0), np.empty(0), grid, none, none, chance)

    def at_grid(weights: Floats) -> Floats:
        return np.stack([_read(kind, x, y, grid) for x, y in zip(*points(weights), strict=True)])

    (x,), (y,) = points(np.ones((1, len(positive))))
    draws = bootstrap(cluster, at_grid, resampling or Resampling())
    draws = draws[~np.isnan(draws).any(axis=1)]
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    middle = _read(kind, x, y, grid)
    few = min(count_patients(positive, cluster), count_patients(~positive, cluster))
    floor = np.array([wilson(float(share), few) for share in middle])
    thin = (high - low) < 0.5 * (floor[:, 1] - floor[:, 0])
    low = np.where(thin, np.minimum(low, floor[:, 0]), np.minimum(low, middle))
    high = np.where(thin, np.maximum(high, floor[:, 1]), np.maximum(high, middle))
    if kind == "roc":  # calling everything finds everything: nothing is uncertain there
        low[-1] = high[-1] = 1.0
    return Curve(kind, x, y, grid, low, high, chance)


def _read(kind: str, x: Floats, y: Floats, grid: Floats) -> Floats:
    """The height of a curve at each grid point; NaN where the curve has no x."""
    if np.isnan(x).any():
        return np.full(len(grid), np.nan)
    if kind == "roc":
        # Of a vertical step, the top: np.interp takes the last of equal x.
        heights: Floats = np.interp(grid, x, y)
        return heights
    first = np.searchsorted(x, grid - 1e-12, side="left")
    reached: Floats = y[np.minimum(first, len(y) - 1)]
    return reached


def _steps(score: Floats) -> tuple[Ints, Ints]:
    """The order of falling scores, and where each run of equal scores begins in it."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    starts = np.flatnonzero(np.concatenate([[True], falling[1:] != falling[:-1]]))
    return order.astype(np.int64), starts.astype(np.int64)


def _cumulative(ordered: Floats, positive: Bools, starts: Ints) -> tuple[Floats, Floats]:
    """(R, G + 1) weight of hits and of called cases down to each distinct score, from 0."""
    sums = [np.add.reduceat(one, starts, axis=1) for one in (ordered * positive, ordered)]
    hits, called = (np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1) for one in sums)
    return hits, called


def _share(cumulative: Floats) -> Floats:
    total = cumulative[:, -1:]
    return np.divide(cumulative, total, out=np.full_like(cumulative, np.nan), where=total > 0)
