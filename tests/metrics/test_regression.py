"""Scores of numbers against scikit-learn and SciPy, on random and degenerate input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from hounsfield.errors import UsageError
from hounsfield.metrics import Cases, metric
from hounsfield.metrics.regression import NAMES

Oracle = Callable[[Any, Any], float]
ORACLES: dict[str, Oracle] = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "pearson": lambda t, p: stats.pearsonr(t, p).statistic,
    "spearman": lambda t, p: stats.spearmanr(t, p).statistic,
    "bias": lambda t, p: float(np.mean(p - t)),
    "agreement": lambda t, p: 1.96 * float(np.std(p - t)),
}


def cases_of(truth: Any, predicted: Any, margin: float = 1.0) -> Cases:
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    error = np.abs(predicted - truth)
    columns = {"truth": truth, "predicted": predicted, "mae": error}
    columns["coverage"] = (error <= margin).astype(float)
    return Cases.from_columns(columns, np.arange(len(truth)))


@pytest.mark.parametrize("name", ORACLES)
@given(seed=st.integers(0, 2**32 - 1), tied=st.booleans(), offset=st.sampled_from([0.0, 1e6]))
def test_equals_the_reference_where_cases_stand_several_times(
    name: str, seed: int, tied: bool, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 9, 40) + offset
    predicted = truth + rng.normal(1, 4, 40)
    if tied:
        truth, predicted = truth.round(-1), predicted.round(-1)
    times = rng.integers(0, 4, (3, 40))
    values = metric(name).value(cases_of(truth, predicted), times.astype(float))
    for value, row in zip(values, times, strict=True):
        expected = ORACLES[name](np.repeat(truth, row), np.repeat(predicted, row))
        assert value == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_degenerate_input_is_undefined_never_an_error(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = metric(name)
        assert np.isnan(one.point(cases_of([], [])))
        alone = one.point(cases_of([3.0], [5.0]))
        same = one.point(cases_of([3.1] * 5, [1, 2, 3, 4, 5]))
    expected = {"mae": 2, "rmse": 2, "bias": 2, "agreement": 0, "coverage": 0}
    assert alone == pytest.approx(expected.get(name, np.nan), nan_ok=True)
    assert np.isnan(same) == (name in ("r2", "pearson", "spearman"))


def test_a_case_without_truth_is_not_counted() -> None:
    whole = cases_of([1, 2, 3, 9], [2, 2, 5, 7])
    more = cases_of([1, 2, np.nan, 3, 9], [2, 2, 100, 5, 7])
    more.columns["coverage"][2] = np.nan  # type: ignore[index]
    for name in NAMES:
        assert metric(name).point(more) == pytest.approx(metric(name).point(whole))


def test_errors_fall_where_better_is_more() -> None:
    better = {name: metric(name).higher_is_better for name in NAMES}
    assert not any(better[name] for name in ("mae", "rmse", "agreement"))
    assert all(better[name] for name in ("r2", "pearson", "spearman", "coverage"))


def test_numbers_have_no_other_metric() -> None:
    from hounsfield.metrics import regression

    with pytest.raises(UsageError, match="no metric"):
        regression.build("mape")
