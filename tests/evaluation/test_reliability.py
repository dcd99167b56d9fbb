from __future__ import annotations

import numpy as np
from sklearn.calibration import calibration_curve

from hounsfield.evaluation import reliability


def test_reliability_as_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(1000)
    positive = rng.random(1000) < probability**2
    found = reliability(positive, probability, np.arange(1000))
    observed, predicted = calibration_curve(positive, probability, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found.observed, observed, atol=0.02)
    np.testing.assert_allclose(found.predicted, predicted, atol=0.005)
    assert found.cases.tolist() == [100] * 10
    assert np.all((found.low <= found.observed) & (found.observed <= found.high))
    above_square = (found.low <= found.predicted**2 + 0.01) & (found.predicted**2 <= found.high)
    assert above_square.sum() >= 8


def test_reliability_of_equal_probabilities_is_one_bin() -> None:
    found = reliability(np.array([True, False] * 3), np.full(6, 0.5), np.arange(6))
    assert found.cases.tolist() == [6]
    assert found.observed.tolist() == [0.5]
    two = reliability(
        np.array([True, False] * 3), np.array([0.2] * 5 + [0.9]), np.arange(6), bins=3
    )
    assert two.cases.tolist() == [6] or two.cases.tolist() == [5, 1]
