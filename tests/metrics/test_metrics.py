"""The contract of every metric in the list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.metrics import METRICS, Cases, metric


@pytest.fixture
def cases() -> Cases:
    rng = np.random.default_rng(1)
    p = rng.random(40)
    columns = {name: rng.random(40) for name in (*METRICS, "truth", "predicted")}
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


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.permutations("abcde"))
def test_patients_are_numbered_as_they_come_whatever_they_are_called(
    patients: list[int], names: list[str]
) -> None:
    def cases(patient: list[object]) -> Cases:
        return Cases.from_columns({}, np.array(patient))

    numbers = cases([names[p] for p in patients]).cluster
    assert numbers.tolist() == cases(list(patients)).cluster.tolist()
    firsts = [number for i, number in enumerate(numbers) if number not in numbers[:i]]
    assert firsts == list(range(len(set(patients))))
