"""A score with its interval, by the method that fits the metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from hounsfield.evaluation.bootstrap import Resampling, bca, bootstrap, jackknife
from hounsfield.evaluation.delong import auroc_interval
from hounsfield.evaluation.intervals import UNDEFINED, Interval, count_patients, wilson_clustered
from hounsfield.metrics.classification import actual, views
from hounsfield.metrics.contract import Cases, Floats, Metric

FEW_PATIENTS = 20

Method = Literal["wilson", "delong", "bootstrap", "mover", "none"]
METHODS: dict[str, str] = {
    "wilson": "Wilson, cases divided by the design effect over patients",
    "delong": "DeLong on the logit scale, components summed by patient",
    "bootstrap": "BCa bootstrap over patients",
    "mover": "from the two intervals (MOVER)",
    "none": "undefined",
}


class Estimate(BaseModel):
    """A metric of a group of cases with its 95 % interval over patients.

    cases: those that the value rests on. reliable: false under 20 patients in a class; note says
    which. NaN is written as a string in JSON, which has no word for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    metric: str
    title: str
    group: str
    class_name: str | None
    value: float
    low: float
    high: float
    method: Method
    cases: int
    patients: int
    reliable: bool
    note: str

    def __str__(self) -> str:
        return f"{self.title} {self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(
    metric: Metric, cases: Cases, group: str = "all", resampling: Resampling | None = None
) -> Estimate:
    """One metric of these cases with its interval."""
    return estimates([metric], cases, group, resampling)[0]


def estimates(
    metrics: Sequence[Metric],
    cases: Cases,
    group: str = "all",
    resampling: Resampling | None = None,
) -> tuple[Estimate, ...]:
    """Metrics of the same cases; those that need resamples share them.

    A metric that is undefined here has the value NaN and a note, never an error.
    """
    points = [metric.point(cases) for metric in metrics]
    direct = [_direct(metric, cases, value) for metric, value in zip(metrics, points, strict=True)]
    left = [i for i, found in enumerate(direct) if found is None]
    made = dict(enumerate(direct))
    if left:
        asked, values = [metrics[i] for i in left], [points[i] for i in left]
        drawn = _bootstrapped(asked, values, cases, resampling or Resampling())
        made |= dict(zip(left, drawn, strict=True))
    return tuple(
        _estimate(metric, cases, group, value, one)
        for metric, value, one in zip(metrics, points, made.values(), strict=True)
        if one is not None
    )


def fewest_patients(metric: Metric, cases: Cases) -> tuple[int, str]:
    """Patients in the smallest class that the metric looks at, and that class's name."""
    if metric.column is not None:
        defined = ~np.isnan(cases.columns[metric.column])
        return count_patients(defined, cases.cluster), "a value"
    sizes = []
    looks = views(cases, metric.class_name)
    for k in looks:
        mine, name = actual(cases, k), cases.classes[k]
        sizes.append((count_patients(mine, cases.cluster), name))
        if cases.multilabel or len(looks) == 1:
            rest = cases.classes[1 - k] if _two(cases) else f"no {name}"
            sizes.append((count_patients(~mine, cases.cluster), rest))
    size, name = min(sizes)
    return size, name


Found = tuple[Interval, Method, str]


def _direct(metric: Metric, cases: Cases, value: float) -> Found | None:
    """The interval by a formula, or None where the metric has none."""
    if np.isnan(value):
        return UNDEFINED, "none", "undefined: a class or a value is missing"
    counts = metric.counts(cases) if metric.counts else None
    if counts is not None:
        return wilson_clustered(*counts, cases.cluster), "wilson", ""
    scores = metric.scores(cases) if metric.scores else None
    if scores is not None:
        return auroc_interval(*scores, cases.cluster), "delong", ""
    return None


def _bootstrapped(
    metrics: Sequence[Metric], points: Sequence[float], cases: Cases, resampling: Resampling
) -> list[Found]:
    def values(weights: Floats) -> Floats:
        return np.stack([metric.value(cases, weights) for metric in metrics], axis=1)

    draws = bootstrap(cases.cluster, values, resampling)
    left_out = jackknife(cases.cluster, values)
    found: list[Found] = []
    for i, (metric, value) in enumerate(zip(metrics, points, strict=True)):
        patients, _ = fewest_patients(metric, cases)
        missing = np.isnan(draws[:, i]).mean()
        note = f"undefined in {missing:.0%} of the resamples" if missing > 0.01 else ""
        if np.all((np.abs(draws[:, i] - value) < 1e-12) | np.isnan(draws[:, i])):
            found.append((_without_spread(metric, value, patients), "bootstrap", note))
        else:
            found.append((bca(value, draws[:, i], left_out[:, i], patients), "bootstrap", note))
    return found


def _without_spread(metric: Metric, value: float, patients: int) -> Interval:
    """The interval where all patients agree, so that no resample differs.

    As many patients as could go unseen with a chance of 2.5 % (the exact binomial bound for none
    of n, near 3.7 / n) are taken to have the worst value there is; without a worst, one unit more.
    """
    unseen = 1 - 0.025 ** (1 / max(patients, 1))
    low, high = metric.bounds
    towards_low = max(value - unseen * min(value - low, 1.0 if np.isinf(low) else np.inf), low)
    towards_high = value + unseen * (1.0 if np.isinf(high) else high - value)
    return Interval(towards_low, towards_high)


def _estimate(metric: Metric, cases: Cases, group: str, value: float, found: Found) -> Estimate:
    interval, method, note = found
    fewest, name = fewest_patients(metric, cases)
    reliable = fewest >= FEW_PATIENTS and method != "none"
    if fewest < FEW_PATIENTS:
        few = f"only {fewest} patient{'s' * (fewest != 1)} with {name}: do not rely on it"
        note = f"{few}; {note}" if note else few
    used = _used(metric, cases)
    return Estimate(
        metric=metric.name,
        title=metric.title,
        group=group,
        class_name=metric.class_name,
        value=value,
        low=interval.low,
        high=interval.high,
        method=method,
        cases=int(np.count_nonzero(used)),
        patients=count_patients(used, cases.cluster),
        reliable=reliable,
        note=note,
    )


def _used(metric: Metric, cases: Cases) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,) the cases that the value rests on."""
    if metric.column is not None:
        return ~np.isnan(cases.columns[metric.column])
    counts = metric.counts(cases) if metric.counts else None
    return counts[1] if counts is not None else np.ones(len(cases), dtype=np.bool_)


def _two(cases: Cases) -> bool:
    return len(cases.classes) == 2 and not cases.multilabel
