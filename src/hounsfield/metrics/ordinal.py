"""Scores of grades: classes in an order, where two grades off is worse than one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.metrics.contract import Bools, Cases, Floats, Metric, divide
from hounsfield.metrics.ranking import auroc

NEEDS = "grades"
Value = Callable[[Cases, Floats], Floats]


def build(name: str, class_name: str | None = None) -> Metric:
    """A metric of this file by name; `auroc_from` also of one grade."""
    if name == "auroc_from":
        of = f"grade {class_name} or above" if class_name else "grades, mean over the cuts"
        value, scores = partial(auroc_from, grade=class_name), partial(_scores, grade=class_name)
        return Metric(name, f"AUROC of {of}", "auroc", value, class_name=class_name, scores=scores)
    if name not in BUILDERS:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, BUILDERS))
    title, value_of, higher, bounds = BUILDERS[name]
    return Metric(name, title, "other", value_of, higher, bounds)


def kappa(cases: Cases, weights: Floats) -> Floats:
    """Quadratic weighted kappa: agreement beyond chance, an error of two grades counting fourfold.

    Cohen, Psychological Bulletin 1968. NaN where truth and decision are one and the same grade
    throughout.
    """
    total = weights.sum(1)
    truth, said = (np.asarray(one, np.float64) for one in (cases.truth, cases.decision))
    observed = divide(weights @ (truth - said) ** 2, total)
    # E (t - s)² of independent t and s, from the moments of both.
    moments = [divide(weights @ one**p, total) for one in (truth, said) for p in (1, 2)]
    expected = moments[1] + moments[3] - 2 * moments[0] * moments[2]
    return 1 - divide(observed, np.where(expected < 1e-12, 0.0, expected))


def grade_error(cases: Cases, weights: Floats) -> Floats:
    """Mean distance of the predicted grade from the true one."""
    off = np.abs(cases.truth - cases.decision).astype(np.float64)
    return divide(weights @ off, weights.sum(1))


def auroc_from(cases: Cases, weights: Floats, grade: str | None = None) -> Floats:
    """AUROC of telling a grade or above from those below; without a grade the mean over all."""
    cuts = [cases.index(grade)] if grade is not None else range(1, len(cases.classes))
    values = np.stack([auroc(*_cut(cases, k), weights) for k in cuts], axis=1)
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(1), defined.sum(1))


def _scores(cases: Cases, grade: str | None) -> tuple[Bools, Floats] | None:
    """(positive, score) of one cut; None for a mean over several."""
    if grade is None and len(cases.classes) > 2:
        return None
    return _cut(cases, 1 if grade is None else cases.index(grade))


def _cut(cases: Cases, k: int) -> tuple[Bools, Floats]:
    return np.greater_equal(cases.truth, k), cases.probability[:, k:].sum(1)


BUILDERS: dict[str, tuple[str, Value, bool, tuple[float, float]]] = {
    "kappa": ("Quadratic weighted kappa", kappa, True, (-1.0, 1.0)),
    "grade_error": ("Mean error in grades", grade_error, False, (0.0, np.inf)),
}
