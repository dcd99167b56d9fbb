"""Scores of numbers: how far predictions are from the truth, in the target's own unit.

Cases bring the columns `truth`, `predicted`, `mae` (the absolute error) and `coverage` (1 where
the interval of prediction holds the truth, 0 where not, NaN without an interval).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.metrics.contract import Bools, Cases, Floats, Metric, column_of, divide, mean_of

NEEDS = "columns"
TRUTH, PREDICTED, ERROR, COVERED = "truth", "predicted", "mae", "coverage"
NAMES = ("mae", "rmse", "r2", "pearson", "spearman", "bias", "agreement", "coverage")
LIMITS = 1.96  # standard deviations of the difference: Bland and Altman, Lancet 1986

Value = Callable[[Cases, Floats], Floats]


def build(name: str, class_name: str | None = None) -> Metric:
    """A metric of this file by name; numbers have no classes."""
    if name == "mae":
        title, limits = "Mean absolute error", (0.0, np.inf)
        return mean_of(name, title, ERROR, higher_is_better=False, bounds=limits)
    if name == "coverage":
        covered = mean_of(name, "Coverage of the 95 % prediction interval", COVERED)
        return Metric(
            name, covered.title, "proportion", covered.value, column=COVERED, counts=_covered
        )
    if name not in BUILDERS:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, NAMES))
    title, value, higher, bounds = BUILDERS[name]
    return Metric(name, title, "other", value, higher, bounds, column=ERROR)


def rmse(cases: Cases, weights: Floats) -> Floats:
    """Root of the mean squared error."""
    squares = _known(cases, _difference(cases) ** 2)
    return np.sqrt(divide(weights @ squares, weights @ _defined(cases)))


def r2(cases: Cases, weights: Floats) -> Floats:
    """1 - squared error / squared error of the truth's own mean; below 0: worse than that mean.

    The mean is of the cases measured. NaN where all truths are equal.
    """
    weights = weights * _defined(cases)
    truth = _centred(column_of(cases, TRUTH))
    spread = (
        divide(weights @ truth**2, weights.sum(1)) - divide(weights @ truth, weights.sum(1)) ** 2
    )
    error = divide(weights @ _known(cases, _difference(cases) ** 2), weights.sum(1))
    return 1 - divide(error, _positive(spread, truth))


def pearson(cases: Cases, weights: Floats) -> Floats:
    """Linear correlation of truth and prediction; NaN where either does not vary."""
    weights = weights * _defined(cases)
    truth, predicted = (_centred(column_of(cases, name)) for name in (TRUTH, PREDICTED))
    shape = weights.shape
    return _correlation(np.broadcast_to(truth, shape), np.broadcast_to(predicted, shape), weights)


def spearman(cases: Cases, weights: Floats) -> Floats:
    """Correlation of ranks, ties sharing their mean; Spearman 1904."""
    weights = weights * _defined(cases)
    ranks = [_ranks(np.nan_to_num(column_of(cases, name)), weights) for name in (TRUTH, PREDICTED)]
    return _correlation(ranks[0], ranks[1], weights)


def bias(cases: Cases, weights: Floats) -> Floats:
    """Mean of prediction minus truth."""
    return divide(weights @ _known(cases, _difference(cases)), weights @ _defined(cases))


def agreement(cases: Cases, weights: Floats) -> Floats:
    """Half the width of the limits of agreement: 1.96 standard deviations of the difference.

    95 % of the cases lie within bias ± this where differences are normal (Bland and Altman,
    Lancet 1986; the standard deviation with divisor n).
    """
    total = weights @ _defined(cases)
    off = _centred(_difference(cases))
    variance = divide(weights @ off**2, total) - divide(weights @ off, total) ** 2
    return LIMITS * np.sqrt(np.where(variance < 0, 0.0, variance))


def _covered(cases: Cases) -> tuple[Bools, Bools]:
    """(success, relevant): Wilson's interval over patients."""
    column = column_of(cases, COVERED)
    return np.equal(column, 1), ~np.isnan(column)


def _difference(cases: Cases) -> Floats:
    found: Floats = column_of(cases, PREDICTED) - column_of(cases, TRUTH)
    return found


def _defined(cases: Cases) -> Floats:
    return (~np.isnan(_difference(cases))).astype(np.float64)


def _known(cases: Cases, values: Floats) -> Floats:
    return np.where(np.isnan(values), 0.0, values)


def _centred(values: Floats) -> Floats:
    """Moved to a mean near 0, so that sums of squares lose no digits; NaN becomes 0."""
    known = values[~np.isnan(values)]
    middle = known.mean() if len(known) else 0.0
    return np.nan_to_num(values - middle)


def _positive(spread: Floats, values: Floats) -> Floats:
    """A variance, or 0 where it is but rounding."""
    scale = float(np.square(values).max(initial=0.0))
    return np.where(spread > 1e-12 * scale, spread, 0.0)


def _correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """(R,) weighted correlations of (R, N) values; NaN where either does not vary."""
    total = weights.sum(1)
    a, b = (x - divide((weights * x).sum(1), total)[:, None] for x in (one, other))
    variances = [divide((weights * x * x).sum(1), total) for x in (a, b)]
    spread = [_positive(v, x) for v, x in zip(variances, (one, other), strict=True)]
    found = divide(divide((weights * a * b).sum(1), total), np.sqrt(spread[0]) * np.sqrt(spread[1]))
    return np.clip(found, -1.0, 1.0)


def _ranks(values: Floats, weights: Floats) -> Floats:
    """(R, N) mean ranks, up to a constant, of (N,) values that stand `weights` (R, N) times."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max(initial=0) + 1))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)  # (R, groups)
    ranks: Floats = (np.cumsum(mass, 1) - mass / 2)[:, group]
    return ranks


BUILDERS: dict[str, tuple[str, Value, bool, tuple[float, float]]] = {
    "rmse": ("Root mean squared error", rmse, False, (0.0, np.inf)),
    "r2": ("R²", r2, True, (-np.inf, 1.0)),
    "pearson": ("Pearson's correlation", pearson, True, (-1.0, 1.0)),
    "spearman": ("Spearman's rank correlation", spearman, True, (-1.0, 1.0)),
    "bias": ("Bias (predicted − true)", bias, True, (-np.inf, np.inf)),
    "agreement": ("Limits of agreement, bias ±", agreement, False, (0.0, np.inf)),
}
