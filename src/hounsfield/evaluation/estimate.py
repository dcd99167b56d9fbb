"""A score with its interval, by the method that fits the metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from hounsfield.evaluation.bootstrap import Resampling, bca, bootstrap, jackknife
from hounsfield.evaluation.delong import auroc_interval
from hounsfield.evaluation.intervals import UNDEFINED, Interval, count_patients, wilson_clustered
from hounsfield.metrics.classification import actual, known, views
from hounsfield.metrics.contract import Cases, Floats, Metric

FEW_PATIENTS = 20
SCARCE = 10  # patients in all, under which resamples show too little of what could have come
OWN = "undefined"  # begins what a note says of the metric itself

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
    which, and what was measured where a class is absent. NaN is written as a string in JSON,
    which has no word for it.
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

    @property
    def cautions(self) -> tuple[str, ...]:
        """The parts of the note that blame the cases; other metrics of them share these."""
        return tuple(one for one in self.note.split("; ") if not one.startswith(OWN))

    @property
    def remark(self) -> str:
        """The part of the note that is this metric's own."""
        return "; ".join(one for one in self.note.split("; ") if one.startswith(OWN))


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


def patients_by_class(metric: Metric, cases: Cases) -> dict[str, int]:
    """Patients of each class that the metric looks at, by its name."""
    if metric.column is not None:
        defined = ~np.isnan(cases.columns[metric.column])
        return {"a value": count_patients(defined, cases.cluster)}
    sizes = {}
    looks = views(cases, metric.class_name)
    for k in looks:
        mine, name = actual(cases, k), cases.classes[k]
        sizes[name] = count_patients(mine, cases.cluster)
        if cases.multilabel or len(looks) == 1:
            rest = cases.classes[1 - k] if _two(cases) else f"no {name}"
            sizes[rest] = count_patients(~mine & known(cases, k), cases.cluster)
    return sizes


def fewest_present(metric: Metric, cases: Cases) -> int:
    """Patients in the smallest class that is there: what the spread of the metric rests on."""
    return min((size for size in patients_by_class(metric, cases).values() if size), default=0)


def cautions(metric: Metric, cases: Cases) -> list[str]:
    """Why the metric is not to be relied on here: a class without a patient, or with few."""
    sizes = patients_by_class(metric, cases)
    absent = [name for name, size in sizes.items() if not size]
    said = [f"no patient with {', '.join(absent)}"] if absent else []
    size, name = min(((size, name) for name, size in sizes.items() if size), default=(0, ""))
    if 0 < size < FEW_PATIENTS:
        said.append(f"only {size} patient{'s' * (size != 1)} with {name}: do not rely on it")
    return said


Found = tuple[Interval, Method, str]


def _direct(metric: Metric, cases: Cases, value: float) -> Found | None:
    """The interval by a formula, or None where the metric has none."""
    if np.isnan(value):
        return UNDEFINED, "none", "undefined: a class or a value is missing"
    counts = metric.counts(cases) if metric.counts else None
    if counts is not None:
        return wilson_clustered(*counts, cases.cluster), "wilson", ""
    told = cases.told(metric.class_name) if metric.scores else cases
    scores = metric.scores(told) if metric.scores else None
    if scores is not None:
        return auroc_interval(*scores, told.cluster), "delong", ""
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
        patients = fewest_present(metric, cases)
        missing = np.isnan(draws[:, i]).mean()
        note = f"undefined in {missing:.0%} of the resamples" if missing > 0.01 else ""
        interval = bca(value, draws[:, i], left_out[:, i], patients)
        scarce = count_patients(_used(metric, cases), cases.cluster) < SCARCE
        if scarce or not interval.high - interval.low > 1e-12:
            unseen = _without_spread(value, patients, _bounds(metric, cases))
            interval = Interval(
                float(np.fmin(interval.low, unseen.low)), float(np.fmax(interval.high, unseen.high))
            )
        found.append((interval, "bootstrap", note))
    return found


def _measured_on(metric: Metric, cases: Cases) -> str:
    """The classes that a value is of, where one is absent and it is still defined."""
    if cases.multilabel or metric.class_name is not None or metric.column is not None:
        return ""
    sizes = patients_by_class(metric, cases)
    present = [name for name, size in sizes.items() if size]
    return f"measured on {', '.join(present)} only" if 0 < len(present) < len(sizes) else ""


def _bounds(metric: Metric, cases: Cases) -> tuple[float, float]:
    """The values that the metric cannot leave on cases like these."""
    low, high = metric.bounds
    if metric.column is not None or (len(cases.classes) > 2 and not cases.multilabel):
        return low, high
    return low, min(high, 1.0)  # only a sum over many classes goes beyond (Brier)


def _without_spread(value: float, patients: int, bounds: tuple[float, float]) -> Interval:
    """The interval where all patients agree, or are so few that resamples hardly differ.

    As many patients as could go unseen with a chance of 2.5 % (the exact binomial bound for none
    of n, near 3.7 / n) are taken to have the worst value there is; without a worst, one unit more.
    """
    unseen = 1 - 0.025 ** (1 / max(patients, 1))
    low, high = bounds
    towards_low = max(value - unseen * min(value - low, 1.0 if np.isinf(low) else np.inf), low)
    towards_high = value + unseen * (1.0 if np.isinf(high) else high - value)
    return Interval(towards_low, towards_high)


def _estimate(metric: Metric, cases: Cases, group: str, value: float, found: Found) -> Estimate:
    interval, method, note = found
    notes = cautions(metric, cases)
    reliable = not notes and method != "none"
    notes += filter(None, [_measured_on(metric, cases) if method != "none" else "", note])
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
        note="; ".join(notes),
    )


def _used(metric: Metric, cases: Cases) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,) the cases that the value rests on."""
    if metric.column is not None:
        return ~np.isnan(cases.columns[metric.column])
    counts = metric.counts(cases) if metric.counts else None
    return counts[1] if counts is not None else cases.known(metric.class_name)


def _two(cases: Cases) -> bool:
    return len(cases.classes) == 2 and not cases.multilabel
