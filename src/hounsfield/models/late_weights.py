"""The weights of late fusion, fitted on cases that the network did not learn from.

Classes and labels: the weights of a mixture with the greatest likelihood, by expectation and
maximisation (Dempster, Laird and Rubin 1977); no step lowers the likelihood. Values: the least
squared error of the weighted sum. Weights are never below 0 and sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import log_softmax, logsumexp

from hounsfield.models.fusion import Outputs

STEPS, ENOUGH = 2000, 1e-9  # at most; nats a case that a step must gain
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """`values` (D,); `before` and `after` are what was lowered, with even weights and with these.

    That is nats a case of classes and labels, or the mean squared error of values.
    """

    values: Floats
    before: float
    after: float
    cases: int


def fit_weights(slices: NDArray[np.floating], truth: NDArray[np.generic], kind: Outputs) -> Fitted:
    """Weights of the slices from their outputs (N, D, K), and the truth (N,) or (N, K).

    A truth that is not known (NaN) counts for nothing; without any the weights are even. Labels
    with one number a case are grades: output k says whether more than k, and is told by the cases
    that reach k (CORN, Shi et al. 2023, arXiv:2111.08851).
    """
    outputs = slices.astype(np.float64)
    even = np.full(outputs.shape[1], 1 / outputs.shape[1])
    if kind == "values":
        errors = _errors(outputs, truth)
        values = _least_squares(errors) if len(errors) else even
        before, after = (_mean(np.square(errors @ w)) for w in (even, values))
        return Fitted(values, before, after, len(outputs))
    told = _likelihoods(outputs, truth, kind)
    values = _mixture(told, even) if len(told) else even
    before, after = (-_mean(_mixed(told, w)) for w in (even, values))
    return Fitted(values, before, after, len(outputs))


def _likelihoods(outputs: Floats, truth: NDArray[np.generic], kind: Outputs) -> Floats:
    """Log-probability (N, D) that each slice gives to what is true; labels count one by one."""
    if kind == "classes":
        picked = np.asarray(truth, np.int64)[:, None, None]
        found: Floats = np.take_along_axis(log_softmax(outputs, axis=2), picked, axis=2)[:, :, 0]
        return found
    known = np.asarray(truth, np.float64)
    if known.ndim == 1:
        cuts = np.arange(outputs.shape[2])
        known = np.where(known[:, None] >= cuts, known[:, None] > cuts, np.nan)
    sign = np.where(known > 0.5, 1.0, -1.0)
    each = np.moveaxis(-np.logaddexp(0, -sign[:, None] * outputs), 1, 2)  # (N, K, D)
    rows: Floats = each[~np.isnan(known)]
    return rows


def _mixture(told: Floats, weights: Floats) -> Floats:
    """Each weight becomes the mean share that its slice has in the probability of the truth."""
    likely = np.exp(told - told.max(1, keepdims=True))  # of each case's best slice
    mixed = likely @ weights
    for _ in range(STEPS):
        weights = weights * (likely / mixed[:, None]).mean(0)
        weights = weights / weights.sum()
        before, mixed = mixed, likely @ weights
        if np.log(mixed / before).mean() < ENOUGH:
            break
    return weights


def _mixed(told: Floats, weights: Floats) -> Floats:
    """(N,) log-probability of the truth under the weighted sum."""
    found: Floats = logsumexp(told, axis=1, b=weights)
    return found


def _errors(outputs: Floats, truth: NDArray[np.generic]) -> Floats:
    """(N·K, D): how far each slice is off."""
    known = np.asarray(truth, np.float64).reshape(len(outputs), -1)
    off = np.moveaxis(outputs - known[:, None], 1, 2)  # (N, K, D)
    rows: Floats = off[~np.isnan(known)]
    return rows


def _least_squares(errors: Floats) -> Floats:
    """Weights w >= 0, sum 1, with the least |errors w|.

    Non-negative least squares of [errors; c 1] v = [0; c], then w = v / sum v: for any w the
    best length of v leaves c² |errors w|² / (|errors w|² + c²), which grows with |errors w|.
    """
    scale = max(float(np.linalg.norm(errors)), 1e-12)
    left = np.vstack([errors / scale, np.ones(errors.shape[1])])
    right = np.append(np.zeros(len(errors)), 1.0)
    found, _ = nnls(left, right)
    values: Floats = found / found.sum()
    return values


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
