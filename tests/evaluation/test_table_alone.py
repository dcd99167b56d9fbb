"""A table's own model: the better of two, chosen without the test part."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from hounsfield.evaluation.table_alone import LOGISTIC, TREES, Rows, fit_logistic, fit_table


def rows(truth: np.ndarray, values: np.ndarray) -> Rows:
    return Rows(values, truth.astype(np.int64), [f"p{i // 2}" for i in range(len(truth))])


def test_a_straight_effect_is_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (300, 2))
    truth = values[:, 0] + rng.normal(0, 1, 300) > 0
    model = fit_table(rows(truth, values), 2)
    assert model.name == LOGISTIC
    logits = model.logits(values)
    scaled = (values - values.mean(0)) / values.std(0)
    oracle = LogisticRegression(max_iter=2000).fit(scaled, truth).decision_function(scaled)
    assert np.allclose(logits[:, 1] - logits[:, 0], oracle, atol=1e-6)


def test_a_small_number_counts_as_much_as_a_large_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (300, 2))
    truth = rows(values[:, 0] > 0, values).truth
    logits = [fit_logistic(Rows(v, truth, []), 2)(v) for v in (values, values * [1e-3, 1])]
    assert np.allclose(*logits, atol=1e-6)


def test_an_effect_in_the_middle_is_trees() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (400, 1))
    model = fit_table(rows(np.abs(values[:, 0]) < 0.7, values), 2)
    assert model.name == TREES
    assert model.losses[TREES] < model.losses[LOGISTIC]


def test_labels_that_do_not_exclude_each_other() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (200, 2))
    truth = (values + rng.normal(0, 0.5, (200, 2)) > 0).astype(np.int64)
    logits = fit_table(rows(truth, values), 2).logits(values)
    assert logits.shape == (200, 2)
    assert ((logits > 0) == (truth > 0)).mean() > 0.8


def test_a_label_is_learned_from_the_cases_where_it_is_known() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (200, 2))
    truth = (values + rng.normal(0, 0.5, (200, 2)) > 0).astype(np.int64)
    known = np.arange(200) % 4 > 0
    partly = np.where(known[:, None] | [False, True], truth, -1)
    logits = fit_logistic(rows(partly, values), 2)(values)
    first = fit_logistic(rows(truth[known], values[known]), 2)(values)[:, 0]
    second = fit_logistic(rows(truth, values), 2)(values)[:, 1]
    assert np.allclose(logits, np.stack([first, second], axis=1), atol=1e-6)


def test_a_class_that_training_lacks_is_next_to_impossible() -> None:
    values = np.linspace(-1, 1, 40)[:, None]
    logits = fit_table(rows(values[:, 0] > 0, values), 3).logits(values)
    assert logits.shape == (40, 3)
    assert (logits[:, 2] < -10).all()


def test_too_few_patients_to_choose() -> None:
    values = np.array([[0.0], [1.0], [2.0]])
    model = fit_table(rows(np.array([0, 0, 1]), values), 2)
    assert (model.name, model.losses) == (LOGISTIC, {})
