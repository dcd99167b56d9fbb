"""How good a model is, and how sure we are."""

from __future__ import annotations

from hounsfield.evaluation.bootstrap import Resampling
from hounsfield.evaluation.compare import Difference, fall, paired_difference
from hounsfield.evaluation.confusion import Confusion, classification_report, confusion
from hounsfield.evaluation.curves import Curve, pr_curve, roc_curve
from hounsfield.evaluation.estimate import METHODS, Estimate, estimate, estimates
from hounsfield.evaluation.reliability import Reliability, reliability
from hounsfield.evaluation.subgroups import Subgroups, age_band, age_bands, subgroups
from hounsfield.metrics.temperature import Temperature, fit_temperature
from hounsfield.metrics.threshold import Threshold, choose_threshold

__all__ = [
    "METHODS",
    "Confusion",
    "Curve",
    "Difference",
    "Estimate",
    "Reliability",
    "Resampling",
    "Subgroups",
    "Temperature",
    "Threshold",
    "age_band",
    "age_bands",
    "choose_threshold",
    "classification_report",
    "confusion",
    "estimate",
    "estimates",
    "fall",
    "fit_temperature",
    "paired_difference",
    "pr_curve",
    "reliability",
    "roc_curve",
    "subgroups",
]
