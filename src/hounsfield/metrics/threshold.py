"""The threshold of a decision, chosen on validation data and then fixed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from hounsfield.errors import InputError, UsageError
from hounsfield.metrics.contract import Bools, Floats, Ints

Rule = Literal["youden", "sensitivity", "fixed"]


class Threshold(BaseModel):
    """A case is positive from `value` on. Sensitivity and specificity: where it was chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    value: float
    rule: Rule
    reason: str
    sensitivity: float
    specificity: float
    cases: int
    patients: int

    def decide(self, score: Floats) -> Ints:
        """(N,) scores to 0 or 1."""
        return (score >= self.value).astype(np.int64)


def choose_threshold(
    positive: Bools,
    score: Floats,
    patient: Ints | None = None,
    *,
    rule: Rule = "youden",
    sensitivity: float = 0.95,
) -> Threshold:
    """The threshold of (N,) validation scores by Youden's index, or for a wanted sensitivity.

    Youden (Cancer 1950): the largest sensitivity + specificity - 1; of equals, the more sensitive.
    Sensitivity: the highest threshold that reaches it. It lies half way between two scores. Without
    both classes it is 0.5, and the reason says so.
    """
    if rule == "sensitivity" and not 0 < sensitivity <= 1:
        raise UsageError(
            f"a sensitivity of {sensitivity} is wanted", expected="more than 0, up to 1"
        )
    if not np.isfinite(score).all():
        raise InputError("a score is not a finite number", remedy="look for NaN in the predictions")
    if rule == "fixed" or positive.all() or not positive.any():
        missing = "validation data lacks a class" if rule != "fixed" else "not chosen from data"
        return _threshold(0.5, "fixed", f"0.5: {missing}", (positive, score, patient))
    candidates, sensitivities, specificities = _table(positive, score)
    if rule == "youden":
        best = int(np.argmax(np.round(sensitivities + specificities, 12)))
        reason = "largest sensitivity + specificity (Youden) on validation data"
    else:
        # The candidates rise, so that sensitivities fall: the last one that still reaches.
        best = int(np.flatnonzero(sensitivities >= sensitivity - 1e-12)[-1])
        reason = (
            f"highest threshold with sensitivity of at least {sensitivity:g} on validation data"
        )
    return _threshold(float(candidates[best]), rule, reason, (positive, score, patient))


def _table(positive: Bools, score: Floats) -> tuple[Floats, Floats, Floats]:
    """Thresholds between the distinct scores, rising, with sensitivity and specificity of each."""
    values = np.unique(score)
    candidates = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    # A mean of neighbouring floats may round down onto the lower one: then take the upper.
    candidates[1:] = np.where(candidates[1:] > values[:-1], candidates[1:], values[1:])
    hits, rest = np.sort(score[positive]), np.sort(score[~positive])
    sensitivities = 1 - np.searchsorted(hits, candidates, side="left") / len(hits)
    specificities = np.searchsorted(rest, candidates, side="left") / len(rest)
    return candidates, sensitivities, specificities


def _threshold(
    value: float, rule: Rule, reason: str, data: tuple[Bools, Floats, Ints | None]
) -> Threshold:
    positive, score, patient = data
    called = score >= value
    found = called[positive].mean() if positive.any() else np.nan
    spared = (~called[~positive]).mean() if (~positive).any() else np.nan
    return Threshold(
        value=value,
        rule=rule,
        reason=reason,
        sensitivity=float(found),
        specificity=float(spared),
        cases=len(score),
        patients=len(score) if patient is None else len(np.unique(patient)),
    )
