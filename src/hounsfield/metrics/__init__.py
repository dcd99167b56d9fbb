"""Scores: pure functions of cases and weights, one list for all."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from hounsfield.errors import UsageError, did_you_mean
from hounsfield.metrics.contract import Cases, Metric, mean_of

METRICS = {  # name -> module with NEEDS and `build(name, class_name)`, imported when first needed
    "auroc": "hounsfield.metrics.classification",
    "accuracy": "hounsfield.metrics.classification",
    "balanced_accuracy": "hounsfield.metrics.classification",
    "recall": "hounsfield.metrics.classification",
    "specificity": "hounsfield.metrics.classification",
    "precision": "hounsfield.metrics.classification",
    "f1": "hounsfield.metrics.classification",
    "mcc": "hounsfield.metrics.classification",
    "auprc": "hounsfield.metrics.classification",
    "brier": "hounsfield.metrics.classification",
    "ece": "hounsfield.metrics.classification",
    "dice": "hounsfield.metrics.segmentation",
    "iou": "hounsfield.metrics.segmentation",
    "rsna_score": "hounsfield.metrics.detection",
    "box_sensitivity": "hounsfield.metrics.detection",
    "false_positives": "hounsfield.metrics.detection",
    "mae": "hounsfield.metrics.regression",
    "rmse": "hounsfield.metrics.regression",
    "r2": "hounsfield.metrics.regression",
    "pearson": "hounsfield.metrics.regression",
    "spearman": "hounsfield.metrics.regression",
    "bias": "hounsfield.metrics.regression",
    "agreement": "hounsfield.metrics.regression",
    "coverage": "hounsfield.metrics.regression",
    "kappa": "hounsfield.metrics.ordinal",
    "grade_error": "hounsfield.metrics.ordinal",
    "auroc_from": "hounsfield.metrics.ordinal",
}
OF_TWO = ("recall", "precision", "f1")  # of each of two classes: the rest is equal or mirrored
OF_MANY = ("auroc", "recall", "specificity", "precision", "f1", "auprc", "brier")


def metric(name: str, class_name: str | None = None) -> Metric:
    """A metric by name, of one class or of all; an unknown name is a UsageError."""
    if name not in METRICS:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, METRICS))
    made: Metric = import_module(METRICS[name]).build(name, class_name)
    return made


def standard(
    classes: tuple[str, ...] = (), multilabel: bool = False, columns: Iterable[str] = ()
) -> tuple[Metric, ...]:
    """The metrics of a task: overall, of each class, and of each column that a metric knows.

    A column is named as its metric, or `metric:label` for one label.
    """
    made = []
    if classes:
        needs_classes = [name for name in METRICS if _needs(name) == "classes"]
        each = OF_MANY if multilabel or len(classes) > 2 else OF_TWO
        made += [metric(name) for name in needs_classes]
        made += [metric(name, one) for one in classes for name in each]
    for column in columns:
        name, _, label = column.partition(":")
        if name in METRICS and _needs(name) == "columns":
            made.append(metric(name, label or None))
    return tuple(made)


def _needs(name: str) -> str:
    """What a metric is made of: "classes", or "columns" of values per case."""
    needs: str = import_module(METRICS[name]).NEEDS
    return needs


__all__ = ["METRICS", "Cases", "Metric", "mean_of", "metric", "standard"]
