from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from hounsfield.errors import InputError
from hounsfield.metrics import Cases, metric
from hounsfield.metrics.segmentation import dice, iou


def test_as_scikit_learn_on_voxels() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, (2, 3, 4, 5))
    flat = truth.ravel(), predicted.ravel()
    labels = [1, 2, 3]
    np.testing.assert_allclose(
        dice(truth, predicted, labels), f1_score(*flat, labels=labels, average=None)
    )
    np.testing.assert_allclose(
        iou(truth, predicted, labels), jaccard_score(*flat, labels=labels, average=None)
    )


def test_left_is_not_right_and_empty_is_not_zero() -> None:
    """Left lung 1, right lung 2; label 3 in neither, label 4 only predicted."""
    truth = np.zeros((3, 4, 5), int)
    truth[:, :, :2], truth[:, :, 3:] = 1, 2
    mirrored = truth[:, :, ::-1].copy()
    mirrored[0, 0, 2] = 4
    np.testing.assert_array_equal(dice(truth, mirrored, [1, 2, 3, 4]), [0, 0, np.nan, 0])
    np.testing.assert_array_equal(dice(truth, truth, [1, 2, 3]), [1, 1, np.nan])
    half = np.where(np.arange(4)[None, :, None] < 2, truth, 0)
    np.testing.assert_allclose(iou(truth, half, [1, 2]), [0.5, 0.5])
    np.testing.assert_allclose(dice(truth, half, [1, 2]), [2 / 3, 2 / 3])


def test_mean_over_cases_leaves_nan_out() -> None:
    columns = {"dice": np.array([0.5, np.nan, 1.0]), "dice:lung": np.array([0.2, 0.4, np.nan])}
    cases = Cases.from_columns(columns, np.array(["p", "q", "q"]))
    weights = np.array([[1.0, 1, 1], [3, 5, 1], [0, 1, 0]])
    np.testing.assert_allclose(metric("dice").value(cases, weights), [0.75, 0.625, np.nan])
    assert metric("dice", "lung").point(cases) == pytest.approx(0.3)
    with pytest.raises(InputError, match="no column 'iou'"):
        metric("iou").point(cases)


def test_another_grid_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(4, 3\)"):
        dice(np.zeros((3, 4), int), np.zeros((4, 3), int), [1])
