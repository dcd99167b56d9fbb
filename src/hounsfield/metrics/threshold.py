"""The threshold of a decision, chosen on validation data and then fixed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import special

from hounsfield.errors import InputError, UsageError
from hounsfield.metrics.contract import Bools, Floats, Ints

GRID = 1000  # points at which smoothed curves are compared
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
    """The threshold of (N,) validation probabilities by Youden's index, or a wanted sensitivity.

    Youden (Cancer 1950): the largest sensitivity + specificity - 1, of smoothed scores, since the
    best step of a small sample's own curve is mostly chance. Sensitivity: the highest threshold
    that reaches it, half way between two scores. Without both classes it is 0.5, and the reason
    says so.

    Raises:
        InputError: a score that is no probability. UsageError: a sensitivity outside (0, 1].
    """
    if rule == "sensitivity" and not 0 < sensitivity <= 1:
        raise UsageError(
            f"a sensitivity of {sensitivity} is wanted", expected="more than 0, up to 1"
        )
    if not ((score >= 0) & (score <= 1)).all():
        raise InputError(
            "a score is no probability",
            expected="finite numbers from 0 to 1",
            remedy="look for NaN in the predictions",
        )
    if rule == "fixed" or positive.all() or not positive.any():
        missing = "validation data lacks a class" if rule != "fixed" else "not chosen from data"
        return _threshold(0.5, "fixed", f"0.5: {missing}", (positive, score, patient))
    if rule == "youden":
        value = _youden(score[positive], score[~positive])
        reason = "largest smoothed sensitivity + specificity (Youden) on validation data"
    else:
        value = _reaching(sensitivity, positive, score)
        reason = (
            f"highest threshold with sensitivity of at least {sensitivity:g} on validation data"
        )
    return _threshold(value, rule, reason, (positive, score, patient))


def _youden(hits: Floats, rest: Floats) -> float:
    """Youden's threshold of two samples smoothed by Gaussian kernels, on the scale of logits.

    Fluss, Faraggi and Reiser, Biometrical Journal 2005 (doi:10.1002/bimj.200410135).
    """
    ends = (1e-12, 1 - 1e-12)
    high, low = (np.sort(special.logit(np.clip(scores, *ends))) for scores in (hits, rest))
    both = np.concatenate([high, low])
    grid = np.linspace(both.min(), both.max(), GRID)
    index = _smoothed(low, grid) - _smoothed(high, grid)  # sensitivity + specificity - 1
    best = grid[index >= index.max() - 1e-9]
    return float(special.expit((best[0] + best[-1]) / 2))


def _smoothed(sample: Floats, grid: Floats) -> Floats:
    """The distribution function of a sample, by Silverman's bandwidth (1986, equation 3.31)."""
    spread = min(sample.std(), float(np.subtract(*np.quantile(sample, (0.75, 0.25)))) / 1.34)
    width = max(0.9 * spread * len(sample) ** -0.2, 1e-3)
    return np.array([special.ndtr((at - sample) / width).mean() for at in grid])


def _reaching(sensitivity: float, positive: Bools, score: Floats) -> float:
    """The highest threshold with this sensitivity, half way down to the next lower score."""
    hits = np.sort(score[positive])
    missed = int(np.floor((1 - sensitivity) * len(hits) + 1e-9))  # so many may lie below
    upper = hits[missed]
    lower = score[score < upper].max(initial=-np.inf)
    middle = float((lower + upper) / 2)
    # A mean of neighbouring floats may round down onto the lower one: then take the upper.
    return middle if lower < middle else float(upper)


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
