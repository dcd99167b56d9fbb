"""AUROC over clusters: DeLong's components, summed by patient (Obuchowski, Biometrics 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats

from hounsfield.evaluation.intervals import (
    UNDEFINED,
    Interval,
    count_patients,
    normal_quantile,
    per_cluster,
    t_quantile,
)
from hounsfield.metrics.contract import Bools, Floats, Ints


def placements(positive: Bools, score: Floats) -> Floats:
    """(N,) the share of the other class that each case is on the right side of, ties half.

    DeLong et al., Biometrics 1988; by mid-ranks after Sun and Xu, IEEE SPL 2014. The mean over
    positives is the AUROC, and so is the mean over negatives.
    """
    ranks = stats.rankdata(score)
    result = np.empty(len(score))
    m, n = int(positive.sum()), int((~positive).sum())
    result[positive] = (ranks[positive] - stats.rankdata(score[positive])) / n
    result[~positive] = 1 - (ranks[~positive] - stats.rankdata(score[~positive])) / m
    return result


def covariance(positive: Bools, placed: Sequence[Floats], cluster: Ints) -> Floats:
    """(A, A) covariance of the AUROCs of A sets of placements on the same cases.

    Obuchowski 1997, eq. for S10, S01 and S11: a patient may give positives and negatives.
    """
    m, n = positive.sum(), (~positive).sum()
    with_positive = per_cluster(positive, cluster) > 0
    with_negative = per_cluster(~positive, cluster) > 0
    above, below = [], []
    for values in placed:
        residual = values - values[positive].mean()
        above.append(per_cluster(np.where(positive, residual, 0.0), cluster) / m)
        below.append(per_cluster(np.where(positive, 0.0, residual), cluster) / n)
    a, b = np.stack(above), np.stack(below)
    mixed = a @ b.T
    result: Floats = _correction(with_positive) * (a @ a.T)
    result += _correction(with_negative) * (b @ b.T)
    result += _correction(with_positive | with_negative) * (mixed + mixed.T)
    return result


def auroc_interval(positive: Bools, score: Floats, cluster: Ints) -> Interval:
    """Logit interval of an AUROC over clusters, (N,) each; NaN without both classes.

    Two measures against few patients, both from the simulation in docs/statistics.md: Student's t
    with one degree of freedom less than the smaller class has patients, and a variance that joins
    DeLong's estimate with Newcombe's, which counts as one patient more.
    """
    if positive.all() or not positive.any():
        return UNDEFINED
    placed = placements(positive, score)
    value = float(placed[positive].mean())
    m = count_patients(positive, cluster)
    n = count_patients(~positive, cluster)
    if value in (0.0, 1.0):
        low = perfect_bound(m, n)
        return Interval(low, 1.0) if value == 1.0 else Interval(0.0, 1 - low)
    few = min(m, n)
    variance = float(covariance(positive, [placed], cluster)[0, 0])
    variance = (few * variance + newcombe_variance(value, m, n)) / (few + 1)
    half = t_quantile(few) * np.sqrt(variance) / (value * (1 - value))
    centre = special.logit(value)
    return Interval(float(special.expit(centre - half)), float(special.expit(centre + half)))


def perfect_bound(m: int, n: int) -> float:
    """Lower bound of an AUROC that is 1 in m positive and n negative patients.

    DeLong's variance is 0 there. So: the value at which 1 is just z standard errors away, the
    errors taken at that value (Newcombe, Statistics in Medicine 2006, method 5), each patient
    counted once. It is 0.64 for 5 and 5 patients, 0.96 for 50 and 50.
    """
    z2 = normal_quantile() ** 2

    def gap(value: float) -> float:
        return (1 - value) - z2 * newcombe_variance(value, m, n) / (1 - value)

    return float(optimize.brentq(gap, 1e-9, 1 - 1e-9))


def newcombe_variance(value: float, m: int, n: int) -> float:
    """Variance of an AUROC of this value in m and n patients; Newcombe 2006, method 4."""
    half = (m + n) / 2 - 1
    spread = 1 + half * ((1 - value) / (2 - value) + value / (1 + value))
    return value * (1 - value) * spread / (m * n)


def _correction(present: Bools) -> float:
    count = np.count_nonzero(present)
    return count / (count - 1) if count > 1 else 1.0
