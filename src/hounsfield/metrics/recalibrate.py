"""Numbers after training: a straight line where it helps, and an interval that keeps its word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.metrics.contract import Floats

LEVEL = 0.95  # of the prediction interval
ENOUGH = 20  # cases that a line is fitted on


@dataclass(frozen=True, eq=False)
class Line:
    """prediction -> intercept + slope · prediction, and each case's error without that case."""

    intercept: float
    slope: float
    residuals: Floats  # (N,) truth - prediction, of a line fitted to the other cases
    reason: str


def straightened(predicted: Floats, truth: Floats, wanted: bool = True) -> Line:
    """The least-squares line of (N,) truths on (N,) predictions, where it lowers the error.

    Left alone where the mean absolute error of leaving each case out in turn is no smaller, under
    20 cases, and where the slope would turn predictions round. The residuals are those of the
    left-out cases (Allen's PRESS, 1974), so that an interval made of them is not too narrow.
    """
    plain = truth - predicted
    alone = Line(0.0, 1.0, plain, f"line: none, on {len(truth)} validation cases")
    if not wanted or len(truth) < ENOUGH or np.ptp(predicted) == 0:
        return alone
    middle = predicted.mean()
    off = predicted - middle
    slope = float(off @ truth / (off @ off))
    intercept = float(truth.mean() - slope * middle)
    pull = 1 / len(truth) + off**2 / (off @ off)
    left_out = (truth - intercept - slope * predicted) / np.maximum(1 - pull, 1e-12)
    if slope <= 0 or np.abs(left_out).mean() >= np.abs(plain).mean():
        return alone
    reason = f"line: {intercept:.4g} + {slope:.4g} × prediction, on {len(truth)} validation cases"
    return Line(intercept, slope, left_out, reason)


def margin(residuals: Floats, level: float = LEVEL) -> tuple[float | None, str]:
    """Half the width of the prediction interval, and how it was found.

    The ceil((n + 1) level)-th smallest of n absolute errors: a new case that is exchangeable with
    these lies within it with at least this chance (Vovk et al. 2005; Lei et al. 2018, theorem 2.2).
    None under 19 cases, which cannot promise 95 %.
    """
    count = len(residuals)
    rank = int(np.ceil((count + 1) * level - 1e-9))
    if rank > count:
        return None, f"no prediction interval: {count} validation cases cannot promise {level:.0%}"
    half = float(np.sort(np.abs(residuals))[rank - 1])
    return half, f"prediction interval of {level:.0%}: ± {half:.4g}, by {count} validation errors"
