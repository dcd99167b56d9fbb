"""Temperature scaling: probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import optimize, special

from hounsfield.errors import InputError
from hounsfield.metrics.contract import Floats, Ints

COLDEST, HOTTEST = 0.1, 10.0


class Temperature(BaseModel):
    """Logits are divided by `values`: one for a softmax, one a label for sigmoids.

    before, after: negative log-likelihood a case on the validation data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    values: tuple[float, ...]
    multilabel: bool
    before: float
    after: float
    reason: str

    def apply(self, logits: Floats) -> Floats:
        """(N, K) logits to (N, K) calibrated probabilities; the order of classes stays."""
        scaled = np.asarray(logits, np.float64) / np.array(self.values)
        probability: Floats = (
            special.expit(scaled) if self.multilabel else special.softmax(scaled, axis=1)
        )
        return probability


def fit_temperature(logits: Floats, truth: Ints) -> Temperature:
    """Temperatures that minimise the negative log-likelihood of validation data.

    logits: (N, K). truth: (N,) class index for a softmax, (N, K) 0/1 for sigmoids, below 0 where it
    is not known; one temperature a label. Between 0.1 and 10, never worse than none. Guo et al.,
    ICML 2017.
    """
    logits = np.asarray(logits, np.float64)
    multilabel = truth.ndim == 2
    if len(logits) != len(truth) or logits.ndim != 2:
        raise InputError(
            f"logits of shape {logits.shape} do not fit truth of shape {truth.shape}",
            expected="(N, K) logits and (N,) or (N, K) truth",
        )
    if not np.isfinite(logits).all():
        raise InputError("a logit is not a finite number", remedy="look for NaN in the predictions")
    if multilabel:
        told = [truth[:, k] >= 0 for k in range(logits.shape[1])]
        fits = [_fit_sigmoid(logits[rows, k], truth[rows, k]) for k, rows in enumerate(told)]
    else:
        fits = [_fit_softmax(logits, truth)]
    before, after = (float(np.mean([fit[i] for fit in fits])) for i in (1, 2))
    values = tuple(fit[0] for fit in fits)
    return Temperature(
        values=values,
        multilabel=multilabel,
        before=before,
        after=after,
        reason=_reason(values, len(logits)),
    )


Fit = tuple[float, float, float]  # temperature, loss before, loss after


def _fit_softmax(logits: Floats, truth: Ints) -> Fit:
    mine = logits[np.arange(len(truth)), truth]

    def loss(log_t: float) -> float:
        t = np.exp(log_t)
        return float(np.mean(special.logsumexp(logits / t, axis=1) - mine / t))

    others = np.where(np.arange(logits.shape[1]) == truth[:, None], -np.inf, logits)
    return _minimise(loss, mistakes=bool((mine <= others.max(axis=1)).any()))


def _fit_sigmoid(logit: Floats, truth: Ints) -> Fit:
    if not len(truth):
        return 1.0, 0.0, 0.0
    signed = np.where(truth == 1, -logit, logit)

    def loss(log_t: float) -> float:
        return float(np.mean(np.logaddexp(0, signed / np.exp(log_t))))

    return _minimise(loss, mistakes=bool((signed >= 0).any()))


def _minimise(loss: Callable[[float], float], mistakes: bool) -> Fit:
    """The best temperature within bounds, or 1 where it is no better.

    Without a mistake in the data the likelihood would have it 0, that is, certainty: then 1 too.
    """
    before = loss(0.0)
    if not mistakes:
        return 1.0, before, before
    # The loss is convex in 1/T, so it has one minimum in log T as well.
    found = optimize.minimize_scalar(
        loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-6}
    )
    after = float(found.fun)
    return (float(np.exp(found.x)), before, after) if after < before else (1.0, before, before)


def _reason(values: tuple[float, ...], cases: int) -> str:
    if all(value == 1.0 for value in values):
        why = "no temperature is better, or there is no mistake to learn it from"
        return f"left as it is: {why}, on {cases} validation cases"
    at_end = any(value < COLDEST * 1.01 or value > HOTTEST / 1.01 for value in values)
    end = "; it stands at its bound, so look at the reliability diagram" if at_end else ""
    return f"least negative log-likelihood on {cases} validation cases{end}"
