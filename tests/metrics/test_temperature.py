from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.metrics import log_loss

from hounsfield.errors import InputError
from hounsfield.metrics.temperature import Temperature, fit_temperature


def drawn(k: int, temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too hot by a factor, and truth drawn from the right ones."""
    rng = np.random.default_rng(k)
    right = rng.normal(size=(n, k)) * 1.5
    p = special.softmax(right, axis=1)
    truth = (rng.random(n)[:, None] > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return right * temperature, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [2, 5])
def test_finds_the_temperature(k: int, temperature: float) -> None:
    logits, truth = drawn(k, temperature)
    fit = fit_temperature(logits, truth)
    assert fit.values == pytest.approx((temperature,), rel=0.05)
    assert fit.after == pytest.approx(log_loss(truth, fit.apply(logits)), abs=1e-9)
    assert fit.before == pytest.approx(log_loss(truth, special.softmax(logits, axis=1)), abs=1e-9)


def test_each_label_has_its_own() -> None:
    rng = np.random.default_rng(0)
    right = rng.normal(size=(20_000, 2)) * 2
    truth = (rng.random((20_000, 2)) < special.expit(right)).astype(np.int64)
    fit = fit_temperature(right * [0.5, 4.0], truth)
    assert fit.values == pytest.approx((0.5, 4.0), rel=0.06)
    p = fit.apply(right * [0.5, 4.0])
    losses = [log_loss(truth[:, k], p[:, k]) for k in range(2)]
    assert fit.after == pytest.approx(np.mean(losses), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.booleans())
def test_never_worse_and_keeps_the_order(seed: int, n: int, multilabel: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * rng.choice([0.01, 1, 100])
    truth = rng.integers(0, 2, (n, 3)) if multilabel else rng.integers(0, 3, n)
    fit = fit_temperature(logits, truth)
    assert fit.after <= fit.before
    assert all(0.1 <= value <= 10 for value in fit.values)
    p = fit.apply(logits)
    assert np.all((p >= 0) & (p <= 1))
    if not multilabel:
        np.testing.assert_allclose(p.sum(axis=1), 1)
        chosen = np.take_along_axis(p, logits.argmax(axis=1)[:, None], axis=1)[:, 0]
        np.testing.assert_array_equal(chosen, p.max(axis=1))
    assert Temperature.model_validate_json(fit.model_dump_json()) == fit


@pytest.mark.parametrize("multilabel", [False, True])
def test_no_mistake_does_not_make_it_certain(multilabel: bool) -> None:
    logits = np.array([[0.3, -0.3], [-0.3, 0.3]] * 10)
    truth = np.array([[1, 0], [0, 1]] * 10) if multilabel else np.array([0, 1] * 10)
    easy = fit_temperature(logits, truth)
    assert set(easy.values) == {1.0}
    assert "left as it is" in easy.reason
    one_wrong = np.concatenate([truth[::-1][:1], truth[1:]])
    assert min(fit_temperature(logits, one_wrong).values) < 1


def test_the_bound_is_said_and_bad_input_refused() -> None:
    logits = np.array([[300.0, -300], [-300, 300]] * 10)
    one = fit_temperature(logits, np.array([0, 1, 1, 0] * 5))
    assert one.values == pytest.approx((10,), rel=0.01)
    assert "bound" in one.reason
    with pytest.raises(InputError, match="finite"):
        fit_temperature(np.array([[np.nan, 0]]), np.array([0]))
    with pytest.raises(InputError, match="do not fit"):
        fit_temperature(logits, np.array([0]))


def test_what_is_already_best_is_not_made_worse() -> None:
    """Where 1 is the optimum, a search lands beside it, and its loss is higher by rounding."""
    for k in range(2, 12):
        logits, truth = drawn(k, 2.0, n=300)
        best = fit_temperature(logits, truth).values[0]
        again = fit_temperature(logits / best, truth)
        assert again.after <= again.before
        assert again.values[0] == pytest.approx(1, abs=1e-4)
