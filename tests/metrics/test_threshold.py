from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.errors import InputError, UsageError
from hounsfield.metrics.threshold import Threshold, choose_threshold

SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40)


def unpack(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r[0] for r in rows]), np.array([r[1] / 10 for r in rows])


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_youden_is_the_best_point_of_scikit_learns_curve(rows: list[tuple[bool, int]]) -> None:
    positive, score = unpack(rows)
    if positive.all() or not positive.any():
        return
    chosen = choose_threshold(positive, score)
    false_rate, true_rate, _ = sk.roc_curve(positive, score)
    best = (true_rate - false_rate).max()
    assert chosen.sensitivity + chosen.specificity - 1 == pytest.approx(best, abs=1e-12)
    called = chosen.decide(score) == 1
    assert called[positive].mean() == pytest.approx(chosen.sensitivity)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_wanted_sensitivity_is_reached_by_the_highest(
    rows: list[tuple[bool, int]], wanted: float
) -> None:
    positive, score = unpack(rows)
    if positive.all() or not positive.any():
        return
    chosen = choose_threshold(positive, score, rule="sensitivity", sensitivity=wanted)
    assert chosen.sensitivity >= wanted - 1e-12
    higher = score[score > chosen.value]
    if len(higher):
        assert (score[positive] > higher.min()).mean() < wanted


def test_it_lies_half_way_and_says_why() -> None:
    positive = np.array([0, 0, 1, 1, 0, 1]) == 1
    score = np.array([0.1, 0.2, 0.6, 0.7, 0.3, 0.9])
    chosen = choose_threshold(positive, score, np.array([0, 0, 1, 1, 2, 2]))
    assert chosen.value == pytest.approx(0.45)
    assert (chosen.sensitivity, chosen.specificity) == (1, 1)
    assert "Youden" in chosen.reason
    assert (chosen.cases, chosen.patients) == (6, 3)
    assert Threshold.model_validate_json(chosen.model_dump_json()) == chosen


def test_neighbouring_floats_are_told_apart() -> None:
    low = np.nextafter(0.3, 0)
    chosen = choose_threshold(np.array([False, True]), np.array([low, 0.3]))
    assert chosen.decide(np.array([low, 0.3])).tolist() == [0, 1]


def test_one_class_and_bad_input() -> None:
    score = np.array([0.2, 0.4])
    chosen = choose_threshold(np.array([True, True]), score)
    assert chosen.value == 0.5
    assert "lacks a class" in chosen.reason
    with pytest.raises(InputError, match="finite"):
        choose_threshold(np.array([True, False]), np.array([np.nan, 0.3]))
    with pytest.raises(UsageError, match=r"95"):
        choose_threshold(np.array([True, False]), score, rule="sensitivity", sensitivity=95)
