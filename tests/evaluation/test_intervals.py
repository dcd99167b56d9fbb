from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hounsfield.evaluation.delong import (
    auroc_interval,
    covariance,
    newcombe_variance,
    perfect_bound,
    placements,
)
from hounsfield.evaluation.intervals import design_effect, wilson, wilson_clustered


@given(st.integers(1, 300), st.data())
def test_wilson_as_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    mirrored = wilson((n - k) / n, n)
    assert wilson(k / n, n) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


def test_one_case_a_patient_is_plain_wilson() -> None:
    success = np.random.default_rng(0).random(50) < 0.8
    relevant = np.arange(50) < 40
    plain = wilson(float(success[:40].mean()), 40)
    assert wilson_clustered(success, relevant, np.arange(50)) == pytest.approx(plain, abs=1e-12)


def test_equal_images_count_as_one_and_all_right_too() -> None:
    right = np.random.default_rng(0).random(30) < 0.8
    three = np.repeat(right, 3)
    cluster = np.repeat(np.arange(30), 3)
    everything = np.ones(90, bool)
    alone = wilson(float(right.mean()), 30)
    assert wilson_clustered(three, everything, cluster) == pytest.approx(alone, abs=1e-12)
    assert wilson_clustered(everything, everything, cluster) == wilson(1.0, 30)
    assert np.isnan(wilson_clustered(three, ~everything, cluster)).all()


def test_design_effect_by_hand() -> None:
    """Patients 3 of 3, 0 of 1, 1 of 2: share 2/3, residuals 1, -2/3, -1/3."""
    effect = design_effect(np.array([3.0, 0, 1]), np.array([3.0, 1, 2]))
    assert effect == pytest.approx((1 + 4 / 9 + 1 / 9) / (6 * 2 / 9))


def _structural(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's components by the definition: all pairs."""
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    return pairs.mean(axis=1), pairs.mean(axis=0)


def test_delong_by_its_definition() -> None:
    """One case a patient: the variance is var(V10) / m + var(V01) / n."""
    rng = np.random.default_rng(1)
    positive = rng.random(80) < 0.3
    score = np.round(rng.normal(size=80) + positive, 1)
    above, below = _structural(positive, score)
    placed = placements(positive, score)
    np.testing.assert_allclose(placed[positive], above, atol=1e-12)
    np.testing.assert_allclose(placed[~positive], below, atol=1e-12)
    expected = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    found = covariance(positive, [placed], np.arange(80))
    assert found[0, 0] == pytest.approx(expected, abs=1e-12)


def test_a_patient_with_both_classes_is_paired_with_themselves() -> None:
    """One positive and one negative image each: the variance of V10 + V01 over patients."""
    rng = np.random.default_rng(4)
    positive = np.tile([True, False], 40)
    score = np.repeat(2 * rng.normal(size=40), 2) + rng.normal(size=80) + positive
    placed = placements(positive, score)
    expected = (placed[positive] + placed[~positive]).var(ddof=1) / 40
    found = covariance(positive, [placed], np.repeat(np.arange(40), 2))[0, 0]
    assert found == pytest.approx(expected, abs=1e-12)
    assert found < 0.5 * covariance(positive, [placed], np.arange(80))[0, 0]


def test_clustered_variance_as_a_long_bootstrap() -> None:
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(120), 3)
    positive = np.where(rng.random(360) < 0.3, rng.random(360) < 0.5, cluster % 2 == 0)
    score = positive + rng.normal(size=120)[cluster] + 0.3 * rng.normal(size=360)
    from hounsfield.evaluation.bootstrap import Resampling, bootstrap
    from hounsfield.metrics.ranking import auroc

    draws = bootstrap(cluster, lambda w: auroc(positive, score, w)[:, None], Resampling(4000))
    formula = np.sqrt(covariance(positive, [placements(positive, score)], cluster)[0, 0])
    assert formula == pytest.approx(draws.std(), rel=0.08)
    naive = np.sqrt(covariance(positive, [placements(positive, score)], np.arange(360))[0, 0])
    assert naive < 0.75 * formula  # images taken for patients


def test_auroc_interval_is_symmetric_in_the_classes() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(60) < 0.4
    score = rng.normal(size=60) + 2 * positive
    one = auroc_interval(positive, score, np.arange(60))
    other = auroc_interval(~positive, score, np.arange(60))
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)


def test_perfect_separation_has_a_width_that_shrinks_with_patients() -> None:
    bounds = []
    for n in (1, 5, 50, 500):
        positive = np.arange(2 * n) < n
        low, high = auroc_interval(positive, positive.astype(float), np.arange(2 * n))
        assert high == 1
        bounds.append(low)
        worst = auroc_interval(positive, -positive.astype(float), np.arange(2 * n))
        assert worst == pytest.approx((0, 1 - low))
    assert bounds == sorted(bounds)
    assert bounds[1:3] == pytest.approx([0.643, 0.960], abs=1e-3)
    low = perfect_bound(5, 50)
    assert (1 - low) ** 2 == pytest.approx(1.96**2 * newcombe_variance(low, 5, 50), rel=1e-4)
