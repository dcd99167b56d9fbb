"""Results by sex, age band, source, view: where there are enough cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.errors import InputError
from hounsfield.evaluation.bootstrap import Resampling
from hounsfield.evaluation.estimate import Estimate, estimates
from hounsfield.metrics.contract import Cases, Floats, Metric

ENOUGH_PATIENTS = 10
BANDS = ((18, "<18"), (40, "18-39"), (65, "40-64"))
OLDEST = "65+"


@dataclass(frozen=True)
class Subgroups:
    """Estimates of the groups, `group` being "sex=F"; and the groups left out, with the reason."""

    estimates: tuple[Estimate, ...]
    left_out: tuple[str, ...]


def subgroups(
    metrics: Sequence[Metric],
    cases: Cases,
    columns: Mapping[str, npt.NDArray[np.generic]],
    resampling: Resampling | None = None,
) -> Subgroups:
    """Metrics in each value of each (N,) column; an empty value or None is "not known", no group.

    A column with one value is no subgroup. A group of fewer than 10 patients, or one that lacks a
    class, is left out and named.
    """
    found: list[Estimate] = []
    left_out: list[str] = []
    for name, column in columns.items():
        if len(column) != len(cases):
            raise InputError(f"{name} has {len(column)} values", expected=f"{len(cases)}")
        text = np.array([_text(value) for value in column.tolist()])
        values = [value for value in np.unique(text).tolist() if value]
        for value in values if len(values) > 1 else []:
            part = cases.take(text == value)
            why = _too_little(part)
            if why:
                left_out.append(f"{name}={value}: {why}")
            else:
                found += estimates(metrics, part, f"{name}={value}", resampling)
    return Subgroups(tuple(found), tuple(left_out))


def _text(value: object) -> str:
    known = value is not None and not (isinstance(value, float) and np.isnan(value))
    return str(value) if known else ""


def age_band(years: float | None) -> str:
    """<18, 18-39, 40-64 or 65+; empty where the age is not known."""
    if years is None or np.isnan(years) or years < 0:
        return ""
    return next((name for end, name in BANDS if years < end), OLDEST)


def age_bands(years: Floats) -> npt.NDArray[np.str_]:
    """(N,) ages in years, NaN where not known, to their bands."""
    return np.array([age_band(float(one)) for one in years])


def _too_little(part: Cases) -> str:
    if part.patients < ENOUGH_PATIENTS:
        return f"only {part.patients} patient{'s' * (part.patients > 1)}"
    if not part.multilabel and part.classes:
        missing = [name for k, name in enumerate(part.classes) if not (part.truth == k).any()]
        if missing:
            return f"no case of {', '.join(missing)}"
    return ""
