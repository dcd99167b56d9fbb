"""Scores of classes: two classes, many (one against the rest) and multi-label.

Without a class name a metric speaks of the positive class (the last) where there are two, and is
the mean over classes or labels (macro) otherwise. Undefined values are NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.metrics.contract import UNKNOWN, Bools, Cases, Floats, Kind, Metric, divide
from hounsfield.metrics.ranking import auroc, average_precision

NEEDS = "classes"
ECE_BINS = 15


@dataclass(frozen=True)
class Tally:
    """Weighted counts of L one-against-the-rest views, each (R, L)."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


def build(name: str, class_name: str | None = None) -> Metric:
    """A metric of this file by name, of one class or of all."""
    if name not in BUILDERS:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, BUILDERS))
    kind, title, value = BUILDERS[name]
    of = f" ({class_name})" if class_name else ""
    return Metric(
        name,
        f"{title}{of}",
        kind,
        partial(value, class_name=class_name),
        higher_is_better=name not in ("brier", "ece"),
        bounds={"mcc": (-1.0, 1.0), "brier": (0.0, 1.0 if class_name else 2.0)}.get(
            name, (0.0, 1.0)
        ),
        class_name=class_name,
        counts=partial(_counts, name=name, class_name=class_name) if name in PARTS else None,
        scores=partial(_scores, class_name=class_name) if kind == "auroc" else None,
    )


def views(cases: Cases, class_name: str | None) -> list[int]:
    """The class columns that a metric looks at: one, the positive one of two, or all."""
    if class_name is not None:
        return [cases.index(class_name)]
    if cases.multilabel or len(cases.classes) != 2:
        return list(range(len(cases.classes)))
    return [1]


def actual(cases: Cases, k: int) -> Bools:
    """(N,) whether a case is of class k."""
    return np.equal(cases.truth[:, k], 1) if cases.multilabel else np.equal(cases.truth, k)


def known(cases: Cases, k: int) -> Bools:
    """(N,) whether it is known if a case is of class k: of labels, some may not be."""
    return cases.known(cases.classes[k])


def called(cases: Cases, k: int) -> Bools:
    """(N,) whether a case was decided to be of class k."""
    return np.equal(cases.decision[:, k], 1) if cases.multilabel else np.equal(cases.decision, k)


def tally(cases: Cases, weights: Floats, class_name: str | None) -> Tally:
    """The weighted two-by-two table of each view."""
    looks = views(cases, class_name)
    truth = np.stack([actual(cases, k) for k in looks], axis=1)
    told = np.stack([known(cases, k) for k in looks], axis=1)
    decision = np.stack([called(cases, k) for k in looks], axis=1) & told
    columns = np.concatenate([truth & decision, truth, decision, told], axis=1)
    tp, positive, chosen, total = np.split(weights @ columns.astype(np.float64), 4, axis=1)
    return Tally(tp, chosen - tp, positive - tp, total - positive - chosen + tp)


def accuracy(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Share of cases decided rightly; multi-label: with every known label right."""
    counted = cases.known(class_name)
    right = _right(cases, class_name) & counted
    return divide(weights @ right.astype(np.float64), weights @ counted.astype(np.float64))


def balanced_accuracy(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Mean recall of the classes; in one view or label, mean of sensitivity and specificity.

    Brodersen et al., ICPR 2010.
    """
    t = tally(cases, weights, class_name)
    if t.tp.shape[1] > 1 and not cases.multilabel:
        return _mean(divide(t.tp, t.tp + t.fn))
    return _mean((divide(t.tp, t.tp + t.fn) + divide(t.tn, t.tn + t.fp)) / 2)


def precision(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Share of the positive decisions that are right (positive predictive value).

    In a mean over classes, a class that occurs and is never chosen counts 0: silence earns nothing.
    """
    t = tally(cases, weights, class_name)
    values = divide(t.tp, t.tp + t.fp)
    if values.shape[1] > 1:
        values = np.where(np.isnan(values) & (t.fn > 0), 0.0, values)
    return _mean(values)


def recall(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Share of the positives that are found (sensitivity)."""
    t = tally(cases, weights, class_name)
    return _mean(divide(t.tp, t.tp + t.fn))


def specificity(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Share of the negatives that are left alone."""
    t = tally(cases, weights, class_name)
    return _mean(divide(t.tn, t.tn + t.fp))


def f1(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN)."""
    t = tally(cases, weights, class_name)
    return _mean(divide(2 * t.tp, 2 * t.tp + t.fp + t.fn))


def mcc(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Correlation of truth and decision: Matthews 1975; many classes: Gorodkin's R_K, 2004."""
    t = tally(cases, weights, class_name)
    positive, chosen = t.tp + t.fn, t.tp + t.fp
    if t.tp.shape[1] > 1 and not cases.multilabel:
        total = weights.sum(axis=1)
        above = t.tp.sum(axis=1) * total - (positive * chosen).sum(axis=1)
        spread = [np.maximum(total**2 - (x**2).sum(axis=1), 0) for x in (positive, chosen)]
        return divide(above, np.sqrt(spread[0]) * np.sqrt(spread[1]))
    below = np.sqrt(positive * (t.tn + t.fp)) * np.sqrt(chosen * (t.tn + t.fn))
    return _mean(divide(t.tp * t.tn - t.fp * t.fn, below))


def area_under_roc(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """AUROC of each view; Hanley and McNeil 1982."""
    return _mean(_each(auroc, cases, weights, class_name))


def area_under_pr(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Average precision of each view; its chance level is the prevalence."""
    return _mean(_each(average_precision, cases, weights, class_name))


def brier(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Mean squared error of the probability (0 to 1); many classes: summed over them (0 to 2).

    Brier, Monthly Weather Review 1950. Multi-label: mean over labels.
    """
    looks = views(cases, class_name)
    truth = np.stack([actual(cases, k) for k in looks], axis=1)
    squares = (cases.probability[:, looks] - truth) ** 2
    if not cases.multilabel:
        return divide(weights @ squares.sum(axis=1), weights.sum(axis=1))
    told = np.stack([known(cases, k) for k in looks], axis=1).astype(np.float64)
    return _mean(divide(weights @ (squares * told), weights @ told))


def ece(cases: Cases, weights: Floats, class_name: str | None = None) -> Floats:
    """Expected calibration error over 15 bins of equal mass.

    Guo et al., ICML 2017 (top-label confidence where there are many classes); equal mass after
    Nixon et al. 2019 and Roelofs et al., AISTATS 2022. Two classes: of the positive probability.
    """
    if class_name is None and not cases.multilabel and len(cases.classes) > 2:
        top = cases.probability.argmax(axis=1)
        return binned_error(cases.probability.max(axis=1), top == cases.truth, weights)
    return _mean(_each(lambda p, s, w: binned_error(s, p, w), cases, weights, class_name))


def binned_error(confidence: Floats, correct: Bools, weights: Floats) -> Floats:
    """Mean |confidence - share correct| of bins of equal mass, (R,).

    A case, or a group of equal confidence, on an edge is divided between its bins in proportion:
    so the order of cases cannot matter, and a weight of 2 is the case twice.
    """
    values, group = np.unique(confidence, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(values)))
    ordered = weights[:, order]
    mass = np.add.reduceat(ordered, starts, axis=1)
    gap = mass * values - np.add.reduceat(ordered * correct[order], starts, axis=1)
    mass, gap = (np.cumsum(np.pad(x, ((0, 0), (1, 0))), axis=1) for x in (mass, gap))
    result = np.full(len(weights), np.nan)
    for row in np.flatnonzero(mass[:, -1] > 0):
        edges = np.linspace(0, mass[row, -1], ECE_BINS + 1)
        result[row] = np.abs(np.diff(np.interp(edges, mass[row], gap[row]))).sum()
    return divide(result, mass[:, -1])


def _each(
    score: Callable[[Bools, Floats, Floats], Floats],
    cases: Cases,
    weights: Floats,
    class_name: str | None,
) -> Floats:
    """(R, L): a score of each view, on the cases in which it is known."""

    def of(k: int) -> Floats:
        told = known(cases, k)
        return score(actual(cases, k)[told], cases.probability[told, k], weights[:, told])

    return np.stack([of(k) for k in views(cases, class_name)], axis=1)


def _mean(values: Floats) -> Floats:
    """(R, L) to (R,): the mean of the views in which the value is defined."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1))


def _right(cases: Cases, class_name: str | None) -> Bools:
    if class_name is not None:
        k = cases.index(class_name)
        return np.equal(actual(cases, k), called(cases, k))
    right: Bools = np.equal(cases.truth, cases.decision)
    if not cases.multilabel:
        return right
    every: Bools = np.all(right | np.equal(cases.truth, UNKNOWN), axis=1)
    return every


def _counts(cases: Cases, name: str, class_name: str | None) -> tuple[Bools, Bools] | None:
    """(success, relevant) of a proportion; None where it is a mean over classes."""
    if name == "accuracy":
        return _right(cases, class_name), cases.known(class_name)
    looks = views(cases, class_name)
    if len(looks) != 1:
        return None
    success, relevant = PARTS[name](actual(cases, looks[0]), called(cases, looks[0]))
    return success, relevant & known(cases, looks[0])


def _scores(cases: Cases, class_name: str | None) -> tuple[Bools, Floats] | None:
    looks = views(cases, class_name)
    if len(looks) != 1:
        return None
    return actual(cases, looks[0]), cases.probability[:, looks[0]]


Parts = Callable[[Bools, Bools], tuple[Bools, Bools]]
PARTS: dict[str, Parts] = {  # (actual, called) -> (success, relevant)
    "accuracy": lambda actual, called: (actual == called, np.ones_like(actual)),
    "precision": lambda actual, called: (actual & called, called),
    "recall": lambda actual, called: (actual & called, actual),
    "specificity": lambda actual, called: (~actual & ~called, ~actual),
}

BUILDERS: dict[str, tuple[Kind, str, Callable[..., Floats]]] = {
    "auroc": ("auroc", "AUROC", area_under_roc),
    "accuracy": ("proportion", "Accuracy", accuracy),
    "balanced_accuracy": ("other", "Balanced accuracy", balanced_accuracy),
    "recall": ("proportion", "Sensitivity (recall)", recall),
    "specificity": ("proportion", "Specificity", specificity),
    "precision": ("proportion", "Precision", precision),
    "f1": ("other", "F1", f1),
    "mcc": ("other", "Matthews correlation", mcc),
    "auprc": ("other", "AUPRC (average precision)", area_under_pr),
    "brier": ("other", "Brier score", brier),
    "ece": ("other", "Calibration error (ECE)", ece),
}
