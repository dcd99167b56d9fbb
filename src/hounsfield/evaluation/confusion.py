"""The confusion matrix, and the classification report in scikit-learn's layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.metrics.classification import actual, called, known
from hounsfield.metrics.contract import Bools, Cases, Floats, Ints


@dataclass(frozen=True, eq=False)
class Confusion:
    """counts: (K, K) cases, truth down and decision across; multi-label: (K, 2, 2), no before yes.

    shares: the same by row, NaN where a row is empty.
    """

    classes: tuple[str, ...]
    counts: Ints
    shares: Floats


def confusion(cases: Cases) -> Confusion:
    """Which class was taken for which."""
    k = len(cases.classes)
    if cases.multilabel:
        told = [cases.told(name) for name in cases.classes]
        tables = [_table(mine.truth[:, i], mine.decision[:, i], 2) for i, mine in enumerate(told)]
        counts = np.array(tables, np.int64).reshape(k, 2, 2)
    else:
        counts = _table(cases.truth, cases.decision, k)
    rows = counts.sum(axis=-1, keepdims=True)
    shares = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    return Confusion(cases.classes, counts, shares)


def classification_report(cases: Cases, digits: int = 2) -> str:
    """Precision, recall, F1 and support of each class and averaged, as scikit-learn prints them.

    Undefined values are 0 there (its `zero_division=0`); the estimates call them NaN.
    """
    k = len(cases.classes)
    truth = np.stack([actual(cases, i) for i in range(k)], axis=1)
    decision = np.stack([called(cases, i) & known(cases, i) for i in range(k)], axis=1)
    support = truth.sum(axis=0)
    scores = _scores(truth & decision, truth, decision, axis=0)
    rows = [(name, scores[:, i], support[i]) for i, name in enumerate(cases.classes)]
    total = int(support.sum())
    averages = [
        ("macro avg", scores.mean(axis=1), total),
        ("weighted avg", scores @ support / total if total else np.zeros(3), total),
    ]
    if cases.multilabel:
        micro = _scores(truth & decision, truth, decision, axis=None)
        per_case = _scores(truth & decision, truth, decision, axis=1).mean(axis=1)
        averages = [("micro avg", micro, total), *averages, ("samples avg", per_case, total)]
    width = max([digits, *(len(name) for name in (*cases.classes, "weighted avg"))])
    lines = [
        " " * width
        + " "
        + "".join(f" {h:>9}" for h in ("precision", "recall", "f1-score", "support")),
        "",
    ]
    lines += [_line(name, values, int(n), width, digits) for name, values, n in rows]
    lines.append("")
    if not cases.multilabel:
        right = float((cases.truth == cases.decision).mean()) if len(cases) else 0.0
        blank = " " * 20
        lines.append(f"{'accuracy':>{width}} {blank} {right:>9.{digits}f} {total:>9}")
    lines += [_line(name, values, n, width, digits) for name, values, n in averages]
    return "\n".join(lines) + "\n"


def _line(name: str, values: Floats, support: int, width: int, digits: int) -> str:
    numbers = "".join(f" {value:>9.{digits}f}" for value in values)
    return f"{name:>{width}} {numbers} {support:>9}"


def _scores(hit: Bools, truth: Bools, decision: Bools, axis: int | None) -> Floats:
    """Precision, recall and F1 along an axis, 0 where undefined."""
    tp, positive, chosen = (
        np.asarray(x.sum(axis=axis), np.float64) for x in (hit, truth, decision)
    )
    pairs = ((tp, chosen), (tp, positive), (2 * tp, positive + chosen))
    return np.stack([np.divide(a, b, out=np.zeros_like(a), where=b > 0) for a, b in pairs])


def _table(truth: Ints, decision: Ints, k: int) -> Ints:
    return np.bincount(truth * k + decision, minlength=k * k).reshape(k, k).astype(np.int64)
