from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hounsfield.errors import InputError
from hounsfield.evaluation import Difference, Resampling, estimate, fall, paired_difference
from hounsfield.evaluation.compare import sign_test
from hounsfield.metrics import Cases, metric, standard

FEW = Resampling(300)


def make(noise: float, seed: int = 0, n: int = 160) -> Cases:
    """Patients, truth and a part of the score are the same for every noise and seed."""
    base = np.random.default_rng(0)
    truth, shared = base.integers(0, 2, n), base.normal(size=n)
    own = np.random.default_rng(seed + 100).normal(size=n)
    p = 1 / (1 + np.exp(-(3 * truth - 1.5 + shared + noise * own)))
    decision = (p > 0.5).astype(np.int64)
    patient = np.arange(n) // 2
    return Cases(truth, np.stack([1 - p, p], axis=1), decision, ("no", "yes"), patient)


def test_every_metric_has_a_mirrored_difference() -> None:
    a, b = make(0.5), make(2.0, 1)
    for one in standard(("no", "yes")):
        here, there = (paired_difference(one, *pair, FEW) for pair in ((a, b), (b, a)))
        assert here.low <= here.difference <= here.high
        assert here.difference == pytest.approx(-there.difference, abs=1e-12)
        assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=0.02)
        assert here.p_value is not None
        assert here.p_value == pytest.approx(there.p_value, abs=0.1)
        assert Difference.model_validate_json(here.model_dump_json()) == here


@pytest.mark.parametrize("name", ["auroc", "accuracy", "brier"])
def test_pairing_narrows(name: str) -> None:
    a, b = make(0.3), make(0.3, 1)
    paired = paired_difference(metric(name), a, b, FEW)
    unpaired = fall(estimate(metric(name), a), estimate(metric(name), b))
    assert paired.high - paired.low < 0.7 * (unpaired.high - unpaired.low)


def test_the_worse_model_is_found() -> None:
    found = paired_difference(metric("auroc"), make(0.1), make(6.0, 1))
    assert found.method == found.test == "delong"
    assert found.low > 0
    assert found.p_value is not None
    assert found.p_value < 0.001


def test_no_difference_is_rejected_one_time_in_twenty() -> None:
    ps = [
        paired_difference(metric("auroc"), make(1.0, s), make(1.0, 500 + s)).p_value
        for s in range(200)
    ]
    rejected = np.mean(np.array(ps) < 0.05)
    assert 0.005 <= rejected <= 0.11


def test_the_same_predictions_do_not_differ() -> None:
    found = paired_difference(metric("f1"), make(1.0), make(1.0))
    assert (found.low, found.difference, found.high, found.p_value) == (0, 0, 0, 1)
    assert "the same" in found.note


def test_two_perfect_models_are_not_surely_equal() -> None:
    truth = np.arange(80) % 2
    sure, less = (np.where(truth == 1, p, 1 - p) for p in (0.99, 0.8))
    a, b = (
        Cases(truth, np.stack([1 - p, p], axis=1), truth, ("no", "yes"), np.arange(80))
        for p in (sure, less)
    )
    for name in ("auroc", "accuracy", "f1"):
        found = paired_difference(metric(name), a, b, FEW)
        assert found.difference == 0
        assert found.low < -0.02
        assert found.high > 0.02
        assert found.p_value == 1


def test_sign_test_is_mcnemar_for_one_image_a_patient() -> None:
    a = np.array([1] * 9 + [0] * 3 + [1] * 20, float)
    b = np.array([0] * 9 + [1] * 3 + [1] * 20, float)
    assert sign_test(a, b) == pytest.approx(2 * stats.binom.cdf(3, 12, 0.5))
    assert sign_test(a, a) == 1
    found = paired_difference(metric("accuracy"), make(0.5), make(2.0, 1), FEW)
    assert found.test == "mcnemar"
    # Not a share of the same cases: each model chooses its own positives.
    assert paired_difference(metric("precision"), make(0.5), make(2.0, 1), FEW).test == "bootstrap"


def test_fall_by_hand() -> None:
    """Newcombe 1998, method 10, his table II (a): 56/70 against 48/80 gives 0.0524 to 0.3339."""
    ends = []
    for k, n in ((56, 70), (48, 80)):
        decision = (np.arange(n) < k).astype(np.int64)
        p = np.tile([0.5, 0.5], (n, 1))
        cases = Cases(np.ones(n, np.int64), p, decision, ("no", "yes"), np.arange(n))
        ends.append(estimate(metric("recall"), cases))
    found = fall(*ends)
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.p_value is None


def test_other_cases_are_refused() -> None:
    a = make(1.0)
    with pytest.raises(InputError, match="not of the same cases"):
        paired_difference(metric("auroc"), a, a.take(np.arange(159, -1, -1)))
    with pytest.raises(InputError, match="the same metric"):
        fall(estimate(metric("auroc"), a), estimate(metric("accuracy"), a))


def test_without_a_class_no_difference_is_certain() -> None:
    """No patient of c: the interval of a difference of means has a width, and p is no 0."""
    rng = np.random.default_rng(1)
    truth = np.arange(12) % 2
    a, b = (rng.dirichlet(np.ones(3), 12) for _ in range(2))
    one, other = (Cases(truth, p, p.argmax(axis=1), ("a", "b", "c"), np.arange(12)) for p in (a, b))
    for name in ("auroc", "balanced_accuracy", "brier"):
        found = paired_difference(metric(name), one, other, FEW)
        assert found.high - found.low > 0.05
        assert found.p_value is not None
        assert found.p_value > 0.001
        assert "no patient with c" in found.note
