"""Overlap of label maps, one value per case and label.

Both masks empty: NaN, the case is not counted. One of them empty: 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.metrics.contract import Floats, Metric, divide, mean_of

LabelMap = npt.NDArray[np.integer[Any]]
NEEDS = "columns"
TITLES = {"dice": "Dice", "iou": "Intersection over union"}


def build(name: str, class_name: str | None = None) -> Metric:
    """The mean over cases of the column `dice` or `iou`, or `dice:LABEL` of one label."""
    if name not in TITLES:
        raise UsageError(f"there is no metric {name!r}", remedy=did_you_mean(name, TITLES))
    column, of = (f"{name}:{class_name}", f" ({class_name})") if class_name else (name, "")
    return mean_of(name, f"{TITLES[name]}{of}", column, class_name=class_name)


def dice(truth: LabelMap, predicted: LabelMap, labels: Sequence[int]) -> Floats:
    """2 |A and B| / (|A| + |B|) of each label, (len(labels),); Dice, Ecology 1945."""
    both, one, other = _overlap(truth, predicted, labels)
    return divide(2 * both, one + other)


def iou(truth: LabelMap, predicted: LabelMap, labels: Sequence[int]) -> Floats:
    """|A and B| / |A or B| of each label, (len(labels),); Jaccard 1912."""
    both, one, other = _overlap(truth, predicted, labels)
    return divide(both, one + other - both)


def _overlap(
    truth: LabelMap, predicted: LabelMap, labels: Sequence[int]
) -> tuple[Floats, Floats, Floats]:
    """Voxels of each label: in both maps, in the truth, in the prediction."""
    if truth.shape != predicted.shape:
        raise InputError(
            f"a label map of shape {predicted.shape} is compared with one of {truth.shape}",
            expected="the same grid",
            remedy="bring the prediction back to the grid of the truth first",
        )
    sizes = [
        [np.count_nonzero((truth == k) & (predicted == k)) for k in labels],
        [np.count_nonzero(truth == k) for k in labels],
        [np.count_nonzero(predicted == k) for k in labels],
    ]
    both, one, other = np.array(sizes, np.float64)
    return both, one, other
