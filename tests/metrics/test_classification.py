from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.errors import InputError, UsageError
from hounsfield.metrics import METRICS, Cases, metric, standard
from hounsfield.metrics.classification import binned_error

CLASSES = ("cat", "dog", "eel", "fox")
BY_NAME = [name for name, module in METRICS.items() if module.endswith("classification")]


def make(seed: int, n: int = 60, k: int = 2, multilabel: bool = False, places: int = 1) -> Cases:
    """Random cases with many ties and several images a patient."""
    rng = np.random.default_rng(seed)
    raw = np.round(rng.dirichlet(np.ones(k), n), places)
    if multilabel:
        truth = (rng.random((n, k)) < raw * 0.6 + 0.2).astype(np.int64)
        decision = (rng.random((n, k)) < raw).astype(np.int64)
    else:
        truth, decision = rng.integers(0, k, n), raw.argmax(axis=1)
    return Cases(truth, raw, decision, CLASSES[:k], rng.integers(0, n // 2, n))


def weights_for(seed: int, cases: Cases, rows: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (rows, len(cases))).astype(np.float64)


ORACLES = {  # of two classes: (truth, decision, probability of the last, weights)
    "auroc": lambda y, d, p, w: sk.roc_auc_score(y, p, sample_weight=w),
    "auprc": lambda y, d, p, w: sk.average_precision_score(y, p, sample_weight=w),
    "accuracy": lambda y, d, p, w: sk.accuracy_score(y, d, sample_weight=w),
    "balanced_accuracy": lambda y, d, p, w: sk.balanced_accuracy_score(y, d, sample_weight=w),
    "recall": lambda y, d, p, w: sk.recall_score(y, d, sample_weight=w),
    "specificity": lambda y, d, p, w: sk.recall_score(y, d, pos_label=0, sample_weight=w),
    "precision": lambda y, d, p, w: sk.precision_score(y, d, sample_weight=w),
    "f1": lambda y, d, p, w: sk.f1_score(y, d, sample_weight=w),
    "mcc": lambda y, d, p, w: sk.matthews_corrcoef(y, d, sample_weight=w),
    "brier": lambda y, d, p, w: sk.brier_score_loss(y, p, sample_weight=w),
}


@pytest.mark.parametrize("places", [1, 15])
@pytest.mark.parametrize("name", ORACLES)
def test_two_classes_as_scikit_learn(name: str, places: int) -> None:
    for seed in range(10):
        cases = make(seed, places=places)
        weights = weights_for(seed, cases)
        expected = [
            ORACLES[name](cases.truth, cases.decision, cases.probability[:, 1], w) for w in weights
        ]
        np.testing.assert_allclose(metric(name).value(cases, weights), expected, atol=1e-12)


MACRO = {
    "auroc": lambda c: sk.roc_auc_score(c.truth, _rows(c), multi_class="ovr"),
    "auprc": lambda c: sk.average_precision_score(c.truth, c.probability),
    "accuracy": lambda c: sk.accuracy_score(c.truth, c.decision),
    "balanced_accuracy": lambda c: sk.balanced_accuracy_score(c.truth, c.decision),
    "recall": lambda c: sk.recall_score(c.truth, c.decision, average="macro"),
    "precision": lambda c: sk.precision_score(
        c.truth, c.decision, average="macro", zero_division=0
    ),
    "f1": lambda c: sk.f1_score(c.truth, c.decision, average="macro"),
    "mcc": lambda c: sk.matthews_corrcoef(c.truth, c.decision),
    "brier": lambda c: ((c.probability - np.eye(len(c.classes))[c.truth]) ** 2).sum(1).mean(),
}


def _rows(cases: Cases) -> np.ndarray:
    """scikit-learn insists on rows that sum to 1 to within rounding."""
    return cases.probability / cases.probability.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", MACRO)
def test_many_classes_as_scikit_learn(name: str) -> None:
    for seed in range(5):
        cases = make(seed, k=4, places=15)
        never = np.where(cases.decision == 3, 0, cases.decision)  # fox is never chosen
        for one in (cases, Cases(cases.truth, cases.probability, never, CLASSES, cases.patient)):
            assert metric(name).point(one) == pytest.approx(MACRO[name](one), abs=1e-12)


LABELS = {
    "auroc": lambda c: sk.roc_auc_score(c.truth, c.probability),
    "auprc": lambda c: sk.average_precision_score(c.truth, c.probability),
    "accuracy": lambda c: sk.accuracy_score(c.truth, c.decision),
    "recall": lambda c: sk.recall_score(c.truth, c.decision, average="macro"),
    "precision": lambda c: sk.precision_score(c.truth, c.decision, average="macro"),
    "f1": lambda c: sk.f1_score(c.truth, c.decision, average="macro"),
    "brier": lambda c: ((c.probability - c.truth) ** 2).mean(),
    "mcc": lambda c: np.mean(
        [sk.matthews_corrcoef(c.truth[:, k], c.decision[:, k]) for k in range(3)]
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_multi_label_as_scikit_learn(name: str) -> None:
    cases = make(3, k=3, multilabel=True)
    assert metric(name).point(cases) == pytest.approx(LABELS[name](cases), abs=1e-12)


@pytest.mark.parametrize("name", BY_NAME)
def test_one_class_of_many_is_that_class_against_the_rest(name: str) -> None:
    many = make(5, k=3)
    rest = np.stack([1 - many.probability[:, 1], many.probability[:, 1]], axis=1)
    two = Cases(
        (many.truth == 1).astype(np.int64),
        rest,
        (many.decision == 1).astype(np.int64),
        ("rest", "dog"),
        many.patient,
    )
    assert metric(name, "dog").point(many) == pytest.approx(metric(name).point(two), abs=1e-12)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("name", BY_NAME)
def test_laws(name: str, k: int, multilabel: bool) -> None:
    """Bounds; order does not matter; a weight of 2 is the case twice; counts and scores agree."""
    one = metric(name)
    for seed in range(4):
        cases = make(seed, n=30, k=k, multilabel=multilabel)
        weights = weights_for(seed, cases)
        values = one.value(cases, weights)
        assert np.all((one.bounds[0] <= values) & (values <= one.bounds[1]))
        shuffled = np.random.default_rng(seed).permutation(30)
        np.testing.assert_allclose(
            one.value(cases.take(shuffled), weights[:, shuffled]), values, atol=1e-12
        )
        repeated = [cases.take(np.repeat(np.arange(30), row.astype(int))) for row in weights]
        np.testing.assert_allclose([one.point(c) for c in repeated], values, atol=1e-12)
        counts = one.counts(cases) if one.counts else None
        if counts is not None:
            share = (counts[0] & counts[1]).sum() / counts[1].sum()
            assert share == pytest.approx(one.point(cases), abs=1e-12)


@pytest.mark.parametrize("name", BY_NAME)
def test_classes_may_change_places(name: str) -> None:
    cases = make(7)
    swapped = Cases(
        1 - cases.truth,
        cases.probability[:, ::-1],
        1 - cases.decision,
        ("dog", "cat"),
        cases.patient,
    )
    for class_name in ("cat", "dog"):
        here, there = (metric(name, class_name).point(c) for c in (cases, swapped))
        assert here == pytest.approx(there, abs=1e-12)
    if name in ("mcc", "accuracy", "balanced_accuracy", "brier"):
        assert metric(name).point(cases) == pytest.approx(metric(name).point(swapped), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=40))
def test_auroc_sees_only_the_order(rows: list[tuple[bool, int]]) -> None:
    from hounsfield.metrics.ranking import auroc, average_precision

    positive = np.array([row[0] for row in rows])
    score = np.array([row[1] for row in rows], np.float64)
    ones = np.ones((1, len(rows)))
    value = auroc(positive, score, ones)
    np.testing.assert_allclose(auroc(positive, np.exp(score) + score**3, ones), value, atol=1e-12)
    np.testing.assert_allclose(auroc(~positive, score, ones), 1 - value, atol=1e-12)
    pairs = score[positive][:, None] - score[~positive][None, :]
    if pairs.size:
        expected = ((pairs > 0) + (pairs == 0) / 2).mean()
        np.testing.assert_allclose(value, expected, atol=1e-12)
        oracle = sk.average_precision_score(positive, score)
        np.testing.assert_allclose(average_precision(positive, score, ones), oracle, atol=1e-12)
    else:
        assert np.isnan(value)


def test_undefined_is_nan_and_silent() -> None:
    n = 6
    sure = np.tile([0.9, 0.1], (n, 1))
    cases = Cases(np.zeros(n, np.int64), sure, np.zeros(n, np.int64), ("no", "yes"), np.arange(n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = {name: metric(name).point(cases) for name in BY_NAME}
    nan = {name for name, value in values.items() if np.isnan(value)}
    assert nan == {"auroc", "auprc", "recall", "precision", "f1", "mcc", "balanced_accuracy"}
    assert values["specificity"] == values["accuracy"] == 1
    assert np.isnan(metric("accuracy").value(cases, np.zeros((2, n)))).all()


def test_calibration_error_by_hand() -> None:
    """30 cases, two a bin: |mean confidence - share right| of each pair, averaged."""
    confidence = np.linspace(0.01, 0.99, 30)
    correct = np.random.default_rng(0).random(30) < 0.5
    pairs = (confidence - correct).reshape(15, 2).mean(axis=1)
    found = binned_error(confidence, correct, np.ones((1, 30)))
    np.testing.assert_allclose(found, np.abs(pairs).mean(), atol=1e-12)


def test_standard_has_every_class_and_known_columns() -> None:
    made = standard(("a", "b", "c"), columns=["dice:lung", "rsna_score", "seconds"])
    names = {(one.name, one.class_name) for one in made}
    assert {("auroc", None), ("auroc", "c"), ("dice", "lung"), ("rsna_score", None)} <= names
    assert not any(name == "seconds" for name, _ in names)


def test_refusals_teach() -> None:
    with pytest.raises(UsageError, match="did you mean 'auroc'"):
        metric("aurocc")
    with pytest.raises(InputError, match="no class 'ca'"):
        metric("recall", "ca").point(make(0))
    with pytest.raises(InputError, match="probability of 2 cases"):
        Cases(
            np.zeros(2, np.int64), np.zeros((2, 3)), np.zeros(2, np.int64), ("a", "b"), np.arange(2)
        )
    with pytest.raises(InputError, match="truth holds classes 0 to 2"):
        Cases(np.arange(3), np.zeros((3, 2)), np.arange(3), ("a", "b"), np.arange(3))
