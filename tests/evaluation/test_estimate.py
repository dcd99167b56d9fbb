from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.evaluation import Estimate, Resampling, estimate, estimates
from hounsfield.metrics import Cases, mean_of, metric, standard


def make(seed: int = 0, n: int = 200, images: int = 1, shift: float = 1.5) -> Cases:
    """n patients with the same number of images each; every second one is positive."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), images)
    truth = patient % 2
    score = shift * truth + rng.normal(size=n)[patient] + 0.2 * rng.normal(size=len(patient))
    p = 1 / (1 + np.exp(-(score - shift / 2)))
    decision = (p > 0.5).astype(np.int64)
    return Cases(truth, np.stack([1 - p, p], axis=1), decision, ("no", "yes"), patient)


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_every_metric_has_an_interval_that_holds_its_value(classes: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(len(classes)), 150)
    truth = np.where(rng.random(150) < 0.6, p.argmax(axis=1), rng.integers(0, len(classes), 150))
    cases = Cases(truth, p, p.argmax(axis=1), classes, rng.integers(0, 100, 150))
    for one in estimates(standard(classes), cases, resampling=Resampling(200)):
        assert one.low <= one.value <= one.high
        assert 0 < one.high - one.low < 0.6
        assert one.reliable
        assert Estimate.model_validate_json(one.model_dump_json()) == one


def test_the_method_fits_the_metric() -> None:
    cases = make()
    methods = {one.name: estimate(one, cases).method for one in standard(("no", "yes"))}
    assert methods["auroc"] == "delong"
    assert {methods[n] for n in ("accuracy", "recall", "specificity", "precision")} == {"wilson"}
    assert {methods[n] for n in ("f1", "mcc", "auprc", "brier", "ece")} == {"bootstrap"}


@pytest.mark.parametrize("name", ["auroc", "accuracy", "f1", "brier"])
def test_ten_images_of_a_patient_are_hardly_more_than_one(name: str) -> None:
    """An interval that took images for patients would shrink by the root of ten."""
    one, ten = make(images=1), make(images=10)
    widths = [e.high - e.low for e in (estimate(metric(name), c) for c in (one, ten))]
    assert widths[1] > 0.8 * widths[0]
    as_images = Cases(ten.truth, ten.probability, ten.decision, ten.classes, np.arange(len(ten)))
    naive = estimate(metric(name), as_images)
    assert naive.high - naive.low < 0.5 * widths[1]


def test_all_right_is_not_certain() -> None:
    """30 + 30 patients, every decision right and every score perfect."""
    truth = np.arange(60) % 2
    p = np.stack([1 - truth, truth], axis=1).astype(np.float64)
    cases = Cases(truth, p, truth, ("no", "yes"), np.arange(60))
    for one in estimates(standard(("no", "yes")), cases, resampling=Resampling(100)):
        assert one.high - one.low > 0.02, one.title
        assert one.value in (one.low, one.high)
    assert estimate(metric("accuracy"), cases).low == pytest.approx(0.9398, abs=1e-4)  # Wilson


def test_counts_without_a_bound_are_not_certain_either() -> None:
    none = Cases.from_columns({"x": np.zeros(50)}, np.arange(50))
    one = estimate(mean_of("x", "X", "x", bounds=(0, np.inf)), none)
    assert (one.low, one.value) == (0, 0)
    assert one.high == pytest.approx(3.689 / 50, rel=0.05)  # the rule of three, for 97.5 %


def test_few_patients_are_marked() -> None:
    cases = make(n=60)
    kept = np.flatnonzero((cases.truth == 0) | (cases.cluster < 38))  # 19 positive patients
    one = estimate(metric("auroc"), cases.take(kept))
    assert not one.reliable
    assert "only 19 patients with yes" in one.note
    twenty = np.flatnonzero((cases.truth == 0) | (cases.cluster < 40))
    assert estimate(metric("auroc"), cases.take(twenty)).reliable
    images = make(n=24, images=5)  # 60 positive images, but 12 patients
    assert not estimate(metric("recall"), images).reliable
    assert estimate(metric("auroc"), cases).reliable


def test_many_classes_are_judged_by_the_rarest() -> None:
    truth = np.array([0] * 40 + [1] * 40 + [2] * 5)
    cases = Cases(truth, np.eye(3)[truth], truth, ("a", "b", "c"), np.arange(85))
    assert "only 5 patients with c" in estimate(metric("accuracy"), cases).note
    assert estimate(metric("recall", "a"), cases).reliable


def test_undefined_has_a_note_and_no_number() -> None:
    cases = make().take(np.flatnonzero(make().truth == 0))
    one = estimate(metric("auroc"), cases)
    assert np.isnan([one.value, one.low, one.high]).all()
    assert one.method == "none"
    assert not one.reliable
    assert "undefined" in one.note
    assert '"NaN"' in one.model_dump_json()


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_a_class_that_is_absent_makes_nothing_certain(classes: tuple[str, ...]) -> None:
    """Six patients, none of the last class: a small test folder."""
    rng = np.random.default_rng(3)
    k = len(classes)
    truth = np.arange(6) % (k - 1)
    p = rng.dirichlet(np.ones(k), 6)
    cases = Cases(truth, p, p.argmax(axis=1), classes, np.arange(6))
    seen = 0
    for one in estimates(standard(classes), cases):
        assert not one.reliable
        assert np.isnan(one.value) or one.high - one.low > 0.05, one.title
        assert np.isnan(one.value) or k > 2 or one.high <= 1, one.title
        seen += not np.isnan(one.value)
    assert seen > 5
    brier = estimate(metric("brier"), cases)
    assert brier.cautions[0] == f"no patient with {classes[-1]}"
    assert f"measured on {', '.join(classes[:-1])} only" in brier.cautions
    assert brier.remark == ""
    assert "only 0" not in brier.note


def test_one_patient_in_a_class_makes_nothing_certain() -> None:
    """Three patients, each all right for another class: no resample of them is wrong."""
    truth = np.arange(3)
    cases = Cases(truth, np.eye(3) * 0.7 + 0.1, truth, ("a", "b", "c"), truth)
    for one in estimates(standard(("a", "b", "c")), cases, resampling=Resampling(200)):
        assert one.high - one.low > 0.5, one.title


def test_no_cases_at_all() -> None:
    empty = make().take(np.array([], np.int64))
    for one in estimates(standard(("no", "yes")), empty):
        assert np.isnan(one.value)
        assert one.cases == one.patients == 0


def test_a_metric_does_not_depend_on_its_company() -> None:
    cases = make(images=2)
    together = {e.metric: e for e in estimates([metric(n) for n in ("f1", "mcc", "auprc")], cases)}
    assert estimate(metric("mcc"), cases) == together["mcc"]
    other = estimate(metric("mcc"), cases, resampling=Resampling(seed=1))
    assert other.low != together["mcc"].low


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_names_and_order_of_patients_do_not_matter_to_formulas(seed: int) -> None:
    cases = make(seed, n=40, images=2)
    turn = np.random.default_rng(seed).permutation(len(cases))
    named = np.array([f"p{(7 * c) % 40:03}" for c in cases.cluster])
    other = Cases(cases.truth, cases.probability, cases.decision, cases.classes, named).take(turn)
    for name in ("auroc", "accuracy", "precision"):
        one, two = (estimate(metric(name), c) for c in (cases, other))
        assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-12)
