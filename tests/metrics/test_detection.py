from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from hounsfield.metrics.detection import (
    average_precision,
    box_sensitivity,
    false_positives,
    iou_matrix,
    match,
    rsna_score,
)

NONE = np.zeros((0, 4))


def boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    corner, size = rng.uniform(0, 60, (n, 2)), rng.uniform(5, 40, (n, 2))
    return np.concatenate([corner, corner + size], axis=1)


def test_iou_as_torchvision() -> None:
    rng = np.random.default_rng(0)
    one, other = boxes(rng, 7), boxes(rng, 5)
    expected = box_iou(torch.tensor(one), torch.tensor(other)).numpy()
    np.testing.assert_allclose(iou_matrix(one, other), expected, atol=1e-12)
    assert iou_matrix(one, NONE).shape == (7, 0)


def test_rsna_score_by_hand() -> None:
    """One box hit at IoU 0.6 (thresholds 0.40 to 0.55: 4 of 8), one box missed, one false."""
    truth = np.array([[0, 0, 10, 10], [50, 50, 60, 60.0]])
    predicted = np.array([[0, 0, 10, 6], [80, 80, 90, 90.0]])
    scores = np.array([0.9, 0.3])
    assert rsna_score(truth, predicted, scores) == pytest.approx(4 / 8 * 1 / 3)
    assert rsna_score(truth, truth, scores) == 1
    assert box_sensitivity(truth, predicted, scores) == 0.5
    assert false_positives(truth, predicted, scores) == 1


def test_rsna_rules_for_empty_images() -> None:
    one, score = np.array([[0, 0, 10, 10.0]]), np.array([0.5])
    assert np.isnan(rsna_score(NONE, NONE, np.zeros(0)))
    assert rsna_score(NONE, one, score) == 0
    assert rsna_score(one, NONE, np.zeros(0)) == 0
    assert np.isnan(box_sensitivity(NONE, one, score))
    assert false_positives(NONE, one, score) == 1


def test_the_more_confident_box_claims_first_and_once() -> None:
    overlap = np.array([[0.8], [0.9]])
    assert match(overlap, np.array([0.7, 0.6]), 0.5).tolist() == [True, False]
    assert match(overlap, np.array([0.6, 0.7]), 0.5).tolist() == [False, True]
    assert not match(np.array([[0.5]]), np.array([1.0]), 0.5).any()  # more than the threshold


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(0, 4))
def test_bounds_and_order(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted, scores = boxes(rng, n), boxes(rng, m), rng.permutation(m) + 0.5
    value = rsna_score(truth, predicted, scores)
    assert np.isnan(value) if n == m == 0 else 0 <= value <= 1
    turn = rng.permutation(m)
    again = rsna_score(truth[::-1], predicted[turn], scores[turn])
    assert again == pytest.approx(value, nan_ok=True)


def test_average_precision_by_hand() -> None:
    """Falling confidence: miss, hit, hit, of three true boxes: precision 2/3 up to recall 2/3."""
    truth = [np.array([[0, 0, 10, 10.0], [20, 20, 30, 30]]), np.array([[5, 5, 9, 9.0]]), NONE]
    predicted = [np.array([[0, 0, 10, 9.0], [20, 20, 30, 29]]), NONE, np.array([[1, 1, 5, 5.0]])]
    scores = [np.array([0.8, 0.7]), np.zeros(0), np.array([0.9])]
    expected = 2 / 3 * 67 / 101  # 67 of the 101 recall points are at most 2/3
    assert average_precision(truth, predicted, scores) == pytest.approx(expected)
    assert average_precision(truth, predicted, scores, 0.95) == 0
    assert np.isnan(average_precision([NONE], [NONE], [np.zeros(0)]))
    assert average_precision(truth, [NONE] * 3, [np.zeros(0)] * 3) == 0
