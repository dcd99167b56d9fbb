"""The weights of late fusion against a general optimiser, and the laws of a mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import expit, softmax

from hounsfield.models.late_weights import fit_weights

KINDS = ("classes", "labels", "values")


def made(kind: str, seed: int = 0, cases: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Four slices of which the second knows most, the third a little; the others nothing."""
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(cases, 4, 3))
    if kind == "classes":
        truth = rng.integers(0, 3, cases)
        told = np.eye(3)[truth]
    elif kind == "labels":
        truth = rng.integers(0, 2, (cases, 3))
        told = 2.0 * truth - 1
    else:
        truth = rng.normal(size=(cases, 3))
        outputs += truth[:, None] * 0.2
        told = 0.8 * truth
    outputs[:, 1] = (
        outputs[:, 1] * 0.8 + told * 1.5 * (kind != "values") + told * (kind == "values")
    )
    outputs[:, 2] += 0.5 * told
    return outputs, truth


def cost(weights: np.ndarray, outputs: np.ndarray, truth: np.ndarray, kind: str) -> float:
    """As the issue words it: the weighted sum of predictions, in plain probabilities."""
    if kind == "values":
        return float(np.mean((np.einsum("ndk,d->nk", outputs, weights) - truth) ** 2))
    if kind == "classes":
        p = np.einsum("ndk,d->nk", softmax(outputs, axis=2), weights)
        return float(-np.log(p[np.arange(len(truth)), truth]).mean())
    p = np.einsum("ndk,d->nk", expit(outputs), weights)
    return float(-np.log(np.where(truth == 1, p, 1 - p)).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_no_other_weights_are_better(kind: str, seed: int) -> None:
    outputs, truth = made(kind, seed)
    found = fit_weights(outputs, truth, kind)  # type: ignore[arg-type]
    best = minimize(
        cost,
        np.full(4, 0.25),
        (outputs, truth, kind),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.after == pytest.approx(cost(found.values, outputs, truth, kind), abs=1e-9)
    assert found.before == pytest.approx(cost(np.full(4, 0.25), outputs, truth, kind), abs=1e-9)
    assert found.after <= best.fun + 1e-6
    np.testing.assert_allclose(found.values, best.x, atol=0.01)
    assert found.values.argmax() == 1


@settings(max_examples=60)
@given(
    outputs=arrays(np.float64, (7, 3, 2), elements=st.floats(-30, 30)),
    truth=arrays(np.int64, 7, elements=st.integers(0, 1)),
    kind=st.sampled_from(KINDS),
)
def test_laws(outputs: np.ndarray, truth: np.ndarray, kind: str) -> None:
    """Never below 0, sum 1, never worse than even; a slice's place decides nothing."""
    many = truth if kind == "classes" else np.stack([truth, 1 - truth], 1)
    found = fit_weights(outputs, many, kind)  # type: ignore[arg-type]
    assert (found.values >= 0).all()
    assert found.values.sum() == pytest.approx(1)
    assert found.after <= found.before + 1e-9 * max(1, abs(found.before))
    turned = fit_weights(outputs[:, ::-1], many, kind)  # type: ignore[arg-type]
    assert turned.after == pytest.approx(found.after, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_what_is_not_known_counts_for_nothing(kind: str) -> None:
    outputs, truth = made(kind)
    holed = truth.astype(float)
    holed[::2, 1] = np.nan
    outputs_elsewhere = outputs.copy()
    outputs_elsewhere[::2, :, 1] = 99.0  # where nothing is known, anything may be said
    one = fit_weights(outputs, holed, kind)  # type: ignore[arg-type]
    other = fit_weights(outputs_elsewhere, holed, kind)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.values, other.values)
    unknown = fit_weights(outputs, np.full_like(holed, np.nan), kind)  # type: ignore[arg-type]
    np.testing.assert_array_equal(unknown.values, np.full(4, 0.25))
    assert np.isnan(unknown.before)


def test_a_single_value_a_case() -> None:
    """Regression of one number: the truth may be (N,)."""
    outputs, truth = made("values")
    flat = fit_weights(outputs[:, :, :1], truth[:, 0], "values")
    column = fit_weights(outputs[:, :, :1], truth[:, :1], "values")
    np.testing.assert_array_equal(flat.values, column.values)


def test_a_sure_and_wrong_slice_gets_nothing() -> None:
    truth = np.array([0, 1] * 20)
    right = np.where(truth == 0, 1, -1)[:, None] * np.array([3.0, -3.0])
    outputs = np.stack([right, -10 * right], 1)
    found = fit_weights(outputs, truth, "classes")
    np.testing.assert_allclose(found.values, [1, 0], atol=1e-6)


def test_grades_are_told_by_the_cases_that_reach_them() -> None:
    """Grades 0 to 3 as labels "above 0, above 1, above 2"; what was not reached is not known."""
    grades = np.array([0, 1, 2, 3] * 15)
    cuts = {0: [0, np.nan, np.nan], 1: [1, 0, np.nan], 2: [1, 1, 0], 3: [1, 1, 1]}
    outputs = np.random.default_rng(0).normal(size=(60, 4, 3))
    outputs[:, 2] += (grades[:, None] > np.arange(3)) * 2.0 - 1
    one = fit_weights(outputs, grades, "labels")
    other = fit_weights(outputs, np.array([cuts[grade] for grade in grades]), "labels")
    np.testing.assert_array_equal(one.values, other.values)
    assert one.values.argmax() == 2
