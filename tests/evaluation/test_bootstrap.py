from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hounsfield.evaluation.bootstrap import (
    Resampling,
    _acceleration,
    bca,
    bca_p_value,
    bootstrap,
    jackknife,
)
from hounsfield.metrics.contract import Floats

DATA = np.random.default_rng(0).lognormal(size=60)


def mean(weights: Floats) -> Floats:
    return ((weights @ DATA) / weights.sum(axis=1))[:, None]


def test_bca_as_scipy() -> None:
    """A skewed mean; with endless patients (no widening) it is SciPy's BCa up to chance."""
    cluster = np.arange(60)
    draws = bootstrap(cluster, mean, Resampling(20_000))[:, 0]
    low, high = bca(DATA.mean(), draws, jackknife(cluster, mean)[:, 0], 10**9)
    expected = stats.bootstrap(
        (DATA,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=0.02)
    few = bca(DATA.mean(), draws, jackknife(cluster, mean)[:, 0], 8)
    assert few.low < low
    assert few.high > high


def test_a_patient_comes_with_all_cases() -> None:
    cluster = np.array([2, 0, 1, 0, 2, 2])
    weights = bootstrap(cluster, lambda w: w, Resampling(500))
    assert (weights[:, 0] == weights[:, 4]).all()
    assert (weights[:, 1] == weights[:, 3]).all()
    per_patient = weights[:, [1, 2, 0]]
    assert (per_patient.sum(axis=1) == 3).all()
    np.testing.assert_allclose(per_patient.mean(axis=0), 1, atol=0.15)
    left_out = jackknife(cluster, lambda w: w)
    np.testing.assert_array_equal(left_out, (cluster[None] != np.arange(3)[:, None]).astype(float))


def test_chunks_and_seed_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = np.arange(60)
    whole = bootstrap(cluster, mean, Resampling(50, seed=3))
    monkeypatch.setattr("hounsfield.evaluation.bootstrap.CHUNK", 7 * 60)
    again = bootstrap(cluster, mean, Resampling(50, seed=3))
    np.testing.assert_allclose(again, whole, rtol=1e-14)  # sums in another order, same draws
    np.testing.assert_allclose(jackknife(cluster, mean).mean(), DATA.mean())
    assert not np.array_equal(bootstrap(cluster, mean, Resampling(50, seed=4)), whole)


def test_groups_of_patients_give_the_same_skewness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hounsfield.evaluation.bootstrap.GROUPS", 100)
    rng = np.random.default_rng(0)
    data = rng.exponential(size=2000)
    found = []
    for _ in range(40):
        turned = rng.permutation(data)
        left_out = jackknife(np.arange(2000), lambda w, x=turned: (w @ x / w.sum(axis=1))[:, None])
        assert left_out.shape == (100, 1)
        found.append(_acceleration(left_out[:, 0]))
    assert np.mean(found) == pytest.approx(stats.skew(data) / (6 * np.sqrt(2000)), rel=0.3)


def test_p_value_agrees_with_the_interval() -> None:
    """At the bound of the interval p is 0.05; a difference in the middle has p near 1."""
    cluster = np.arange(60)
    draws = bootstrap(cluster, mean, Resampling(20_000))[:, 0]
    left_out = jackknife(cluster, mean)[:, 0]
    low, high = bca(DATA.mean(), draws, left_out, 60)
    for bound in (low, high):
        found = bca_p_value(DATA.mean() - bound, draws - bound, left_out - bound, 60)
        assert found == pytest.approx(0.05, abs=0.003)
    assert bca_p_value(0.0, draws - DATA.mean(), left_out, 60) > 0.8
