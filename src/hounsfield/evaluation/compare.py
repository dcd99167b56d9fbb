"""Differences with intervals: paired on the same cases, or between two test sets."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

from hounsfield.errors import InputError
from hounsfield.evaluation.bootstrap import Resampling, bca, bca_p_value, bootstrap, jackknife
from hounsfield.evaluation.delong import covariance, placements
from hounsfield.evaluation.estimate import (
    Estimate,
    Method,
    cautions,
    estimate,
    fewest_present,
)
from hounsfield.evaluation.intervals import (
    UNDEFINED,
    Interval,
    count_patients,
    per_cluster,
    t_quantile,
)
from hounsfield.metrics.contract import Cases, Floats, Metric

Test = Literal["delong", "mcnemar", "bootstrap", "none"]


class Difference(BaseModel):
    """a - b of a metric with its 95 % interval; p_value of "no difference", None where untested."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    metric: str
    title: str
    class_name: str | None
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float | None
    method: Method
    test: Test
    cases: int
    patients: int
    reliable: bool
    note: str

    def __str__(self) -> str:
        p = "" if self.p_value is None else f", p = {self.p_value:.3g}"
        ends = f"{self.low:+.3f} to {self.high:+.3f}"
        return f"{self.title} difference {self.difference:+.3f} ({ends}){p}"


Found = tuple[Interval, float | None, Method, Test, str]


def paired_difference(
    metric: Metric, a: Cases, b: Cases, resampling: Resampling | None = None
) -> Difference:
    """Metric of predictions a minus that of b on the same cases, in the same order.

    AUROC: paired DeLong over clusters. Others: BCa bootstrap of the difference over patients; the
    p-value of a share of the same cases (accuracy, sensitivity, specificity) is McNemar's, exact.
    Cases that are not the same are an InputError.
    """
    _same_cases(a, b)
    a, b = a.told(metric.class_name), b.told(metric.class_name)
    values = metric.point(a), metric.point(b)
    if np.isnan(values).any():
        found: Found = (UNDEFINED, None, "none", "none", "undefined: a class or value is missing")
    elif _same_predictions(a, b):
        found = (Interval(0.0, 0.0), 1.0, "none", "none", "the predictions are the same")
    elif metric.scores is not None and metric.scores(a) is not None:
        found = _delong(metric, a, b)
    else:
        found = _resampled(metric, a, b, resampling or Resampling())
    interval, p_value, method, test, note = found
    notes = cautions(metric, a)
    return Difference(
        metric=metric.name,
        title=metric.title,
        class_name=metric.class_name,
        a=values[0],
        b=values[1],
        difference=values[0] - values[1],
        low=interval.low,
        high=interval.high,
        p_value=p_value,
        method=method,
        test=test,
        cases=len(a),
        patients=a.patients,
        reliable=not notes and not np.isnan(interval.low),
        note="; ".join([*notes, note] if note else notes),
    )


def fall(internal: Estimate, external: Estimate) -> Difference:
    """How far a metric falls from the internal to the external test: internal minus external.

    The sets share no patients, so the interval follows from the two intervals: MOVER, Zou and
    Donner, Statistics in Medicine 2008 (Newcombe's square-and-add for proportions).
    """
    same = ("metric", "class_name")
    if any(getattr(internal, name) != getattr(external, name) for name in same):
        raise InputError(
            f"{internal.title} is compared with {external.title}", expected="the same metric"
        )
    ends = _mover(internal, external)
    notes = [
        f"{who}: {one.note}"
        for who, one in (("internal", internal), ("external", external))
        if one.note
    ]
    return Difference(
        metric=internal.metric,
        title=internal.title,
        class_name=internal.class_name,
        a=internal.value,
        b=external.value,
        difference=internal.value - external.value,
        low=ends.low,
        high=ends.high,
        p_value=None,
        method="mover",
        test="none",
        cases=internal.cases + external.cases,
        patients=internal.patients + external.patients,
        reliable=internal.reliable and external.reliable,
        note="; ".join(notes),
    )


def sign_test(a_right: Floats, b_right: Floats) -> float:
    """Exact two-sided p-value of McNemar's test on patients, (patients,) right answers of each.

    A patient counts for the side that was right more often on them; ties count for none. With one
    case a patient it is McNemar's exact test (Psychometrika 1947).
    """
    won = int((a_right > b_right).sum())
    lost = int((a_right < b_right).sum())
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _delong(metric: Metric, a: Cases, b: Cases) -> Found:
    assert metric.scores is not None
    one, other = metric.scores(a), metric.scores(b)
    assert one is not None
    assert other is not None
    positive = one[0]
    placed = [placements(positive, score) for _, score in (one, other)]
    pair = covariance(positive, placed, a.cluster)
    variance = float(pair[0, 0] + pair[1, 1] - 2 * pair[0, 1])
    difference = float(placed[0][positive].mean() - placed[1][positive].mean())
    if variance <= 1e-15:
        return (*_unpaired(metric, a, b), "none", "no case is ranked differently")
    few = min(count_patients(positive, a.cluster), count_patients(~positive, a.cluster))
    error = float(np.sqrt(variance))
    half = t_quantile(few) * error
    p_value = float(2 * stats.t.sf(abs(difference) / error, max(few - 1, 1)))
    ends = Interval(max(difference - half, -1.0), min(difference + half, 1.0))
    return ends, p_value, "delong", "delong", ""


def _resampled(metric: Metric, a: Cases, b: Cases, resampling: Resampling) -> Found:
    def values(weights: Floats) -> Floats:
        return (metric.value(a, weights) - metric.value(b, weights))[:, None]

    draws = bootstrap(a.cluster, values, resampling)[:, 0]
    difference = metric.point(a) - metric.point(b)
    patients = fewest_present(metric, a)
    left_out = jackknife(a.cluster, values)[:, 0]
    ends = bca(difference, draws, left_out, patients)
    if not ends.high - ends.low > 1e-12:
        return (*_unpaired(metric, a, b), "none", "no resample differs")
    right = _right_by_patient(metric, a, b)
    if right is not None:
        return ends, sign_test(*right), "bootstrap", "mcnemar", ""
    p_value = bca_p_value(difference, draws, left_out, patients)
    return ends, p_value, "bootstrap", "bootstrap", ""


def _right_by_patient(metric: Metric, a: Cases, b: Cases) -> tuple[Floats, Floats] | None:
    """Right answers of each by patient, for a share of the same cases; None for other metrics."""
    one, other = (metric.counts(x) if metric.counts else None for x in (a, b))
    if one is None or other is None or not np.array_equal(one[1], other[1]):
        return None
    return per_cluster(one[0] & one[1], a.cluster), per_cluster(other[0] & other[1], a.cluster)


def _unpaired(metric: Metric, a: Cases, b: Cases) -> tuple[Interval, float, Method]:
    """Where the pairs show no variance: the wider interval of two separate test sets."""
    return _mover(estimate(metric, a), estimate(metric, b)), 1.0, "mover"


def _mover(a: Estimate, b: Estimate) -> Interval:
    difference = a.value - b.value
    low = difference - np.hypot(a.value - a.low, b.high - b.value)
    high = difference + np.hypot(a.high - a.value, b.value - b.low)
    return Interval(float(low), float(high))


def _same_cases(a: Cases, b: Cases) -> None:
    same = (
        a.classes == b.classes
        and np.array_equal(a.truth, b.truth)
        and np.array_equal(a.patient, b.patient)
    )
    if not same:
        raise InputError(
            f"the predictions are not of the same cases ({len(a)} and {len(b)})",
            expected="the same cases, classes and truth in the same order",
            remedy="join the two predictions on the image first",
        )


def _same_predictions(a: Cases, b: Cases) -> bool:
    return (
        np.array_equal(a.probability, b.probability)
        and np.array_equal(a.decision, b.decision)
        and set(a.columns) == set(b.columns)
        and all(np.array_equal(a.columns[k], b.columns[k], equal_nan=True) for k in a.columns)
    )
