"""BCa bootstrap over patients, all resamples as rows of one weight matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from hounsfield.evaluation.intervals import UNDEFINED, Interval, t_quantile
from hounsfield.metrics.contract import Floats, Ints

Values = Callable[[Floats], Floats]  # (R, N) weights -> (R, M) values
CHUNK = 1_000_000  # weights at a time: 8 MB, so that memory does not grow with the resamples
GROUPS = 500


@dataclass(frozen=True)
class Resampling:
    """How many resamples, and the seed that makes them the same each time."""

    resamples: int = 2000
    seed: int = 0


def bootstrap(cluster: Ints, values: Values, resampling: Resampling) -> Floats:
    """(resamples, M) values of sets of patients drawn with replacement.

    cluster: (N,) patient numbers 0..P-1. A patient who is drawn brings all their cases.
    """
    rows = [values(weights) for weights in _drawn(cluster, resampling)]
    return np.concatenate(rows)


def jackknife(cluster: Ints, values: Values) -> Floats:
    """(min(P, 500), M) values without each patient, or without each group of patients.

    Groups leave the skewness that BCa needs unchanged in expectation.
    """
    patients = int(cluster.max()) + 1
    groups = min(patients, GROUPS)
    # Patients are numbered by name, so every 500th is as good as chance and needs no seed.
    of_case = cluster % groups
    step = max(1, CHUNK // len(cluster))
    rows = []
    for start in range(0, groups, step):
        left_out = np.arange(start, min(start + step, groups))[:, None]
        rows.append(values((of_case[None, :] != left_out).astype(np.float64)))
    return np.concatenate(rows)


def bca(value: float, draws: Floats, left_out: Floats, patients: int) -> Interval:
    """Bias-corrected and accelerated interval; Efron, JASA 1987.

    draws: (R,) of `bootstrap`. left_out: (G,) of `jackknife`. NaN draws (a class was not drawn) are
    dropped. `patients` widens the percentiles for small samples: t for z and n / (n - 1) for the
    bootstrap's variance (Hesterberg, The American Statistician 2015, section 5.4).
    """
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(draws):
        return UNDEFINED
    bias = _rank(draws, value)
    acceleration = _acceleration(left_out)
    wide = t_quantile(patients) * _widening(patients)
    levels = []
    for z in (-wide, wide):
        shifted = bias + z
        bend = 1 - acceleration * shifted
        # Past the pole the formula turns round: the level is then the end it was heading for.
        levels.append(special.ndtr(bias + shifted / bend) if bend > 0 else float(z > 0))
    low, high = np.quantile(draws, levels)
    return Interval(float(min(low, value)), float(max(high, value)))


def bca_p_value(value: float, draws: Floats, left_out: Floats, patients: int) -> float:
    """Two-sided p-value of 0: one minus the level of the widest `bca` interval without it."""
    draws = draws[~np.isnan(draws)]
    bias = _rank(draws, value)
    shifted = _rank(draws, 0.0) - bias
    bend = 1 + _acceleration(left_out) * shifted
    if bend <= 0:
        return 1 / len(draws)
    z = abs(shifted / bend - bias) / _widening(patients)
    return float(2 * special.stdtr(max(patients - 1, 1), -z))


def _rank(draws: Floats, value: float) -> float:
    """The normal quantile of the share of draws below a value, ties half, never infinite."""
    below = (draws < value).mean() + (draws == value).mean() / 2
    return float(special.ndtri(np.clip(below, 1 / (2 * len(draws)), 1 - 1 / (2 * len(draws)))))


def _widening(patients: int) -> float:
    return float(np.sqrt(max(patients, 1) / max(patients - 1, 1)))


def _acceleration(left_out: Floats) -> float:
    left_out = left_out[~np.isnan(left_out)]
    if not len(left_out):
        return 0.0
    pull = left_out.mean() - left_out
    spread = (pull**2).sum()
    return float((pull**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0


def _drawn(cluster: Ints, resampling: Resampling) -> Iterator[Floats]:
    """(rows, N) how often each case stands in a resample, a chunk of resamples at a time."""
    rng = np.random.default_rng(resampling.seed)
    patients = int(cluster.max()) + 1
    step = max(1, CHUNK // len(cluster))
    for start in range(0, resampling.resamples, step):
        rows = min(step, resampling.resamples - start)
        chosen = rng.integers(0, patients, (rows, patients))
        chosen += np.arange(rows)[:, None] * patients
        times = np.bincount(chosen.ravel(), minlength=rows * patients).astype(np.float64)
        yield times.reshape(rows, patients)[:, cluster]
