"""The contract of every metric in the list."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.metrics import METRICS, Cases, metric


@pytest.fixture
def cases() -> Cases:
    rng = np.random.default_rng(1)
    p = rng.random(40)
    columns = {name: rng.random(40) for name in METRICS}
    return Cases(
        rng.integers(0, 2, 40),
        np.stack([1 - p, p], axis=1),
        (p > 0.5).astype(np.int64),
        ("no", "yes"),
        np.arange(40) // 2,
        columns,
    )


@pytest.mark.parametrize("name", METRICS)
def test_keeps_the_contract(name: str, cases: Cases) -> None:
    one = metric(name)
    assert one.name == name
    assert one.title
    weights = np.random.default_rng(2).integers(0, 3, (5, 40)).astype(np.float64)
    values = one.value(cases, weights)
    assert values.shape == (5,)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(one.value(cases, 7 * weights), values, atol=1e-12)
    assert np.isnan(one.value(cases, np.zeros((1, 40)))).all()
    if one.kind == "proportion":
        assert one.counts is not None
    if one.kind == "auroc":
        assert one.scores is not None
