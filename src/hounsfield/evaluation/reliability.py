"""The reliability diagram: do cases of 80 % come true four times in five?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.evaluation.intervals import wilson_clustered
from hounsfield.metrics.contract import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of equal mass, (B,) each: mean probability, observed share with interval, cases."""

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    cases: Ints


def reliability(positive: Bools, probability: Floats, cluster: Ints, bins: int = 10) -> Reliability:
    """The reliability diagram of (N,) probabilities; intervals are Wilson's over patients.

    Equal probabilities stay in one bin, so that there may be fewer bins than asked for.
    """
    order = np.argsort(probability, kind="stable")
    cuts = np.linspace(0, len(order), min(bins, len(order)) + 1).astype(np.int64)[1:-1]
    edges = np.unique(probability[order][cuts])
    of_case = np.searchsorted(edges, probability, side="right")
    rows = []
    for one in np.unique(of_case):
        inside = of_case == one
        low, high = wilson_clustered(positive, inside, cluster)
        rows.append((probability[inside].mean(), positive[inside].mean(), low, high, inside.sum()))
    predicted, observed, lows, highs, cases = np.array(rows, np.float64).reshape(-1, 5).T
    return Reliability(predicted, observed, lows, highs, cases.astype(np.int64))
