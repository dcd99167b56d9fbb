from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.special import logit as scipy_logit

from hounsfield.errors import InputError, UsageError
from hounsfield.metrics.threshold import Threshold, choose_threshold

SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40)


def unpack(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r[0] for r in rows]), np.array([r[1] / 10 for r in rows])


def test_youden_finds_the_true_optimum_better_than_the_best_step() -> None:
    """Logits around -1.5 and 1.5, so that the best threshold is 0.5: errors over 60 samples."""
    rng, smoothed, steps = np.random.default_rng(0), [], []
    positive = np.arange(200) % 2 == 0
    for _ in range(60):
        logit = rng.normal(np.where(positive, 1.5, -1.5), 1)
        chosen = choose_threshold(positive, expit(logit))
        false_rate, true_rate, at = sk.roc_curve(positive, logit)
        smoothed.append(scipy_logit(chosen.value))
        steps.append(at[np.argmax(true_rate - false_rate)])
        assert chosen.sensitivity == np.mean(logit[positive] >= smoothed[-1])
        assert chosen.specificity == np.mean(logit[~positive] < smoothed[-1])
    error, of_steps = (float(np.sqrt(np.mean(np.square(x)))) for x in (smoothed, steps))
    assert error < 0.25
    assert error < 0.6 * of_steps


def test_youden_weighs_both_classes_alike() -> None:
    """Nine in ten are positive, and the threshold stays in the middle."""
    rng = np.random.default_rng(1)
    positive = np.arange(2000) % 10 > 0
    chosen = choose_threshold(positive, expit(rng.normal(np.where(positive, 1, -1), 1)))
    assert scipy_logit(chosen.value) == pytest.approx(0, abs=0.25)


@given(SCORES)
def test_youden_lies_among_the_scores(rows: list[tuple[bool, int]]) -> None:
    positive, score = unpack(rows)
    if positive.any() and not positive.all():
        value = choose_threshold(positive, score).value
        assert score.min() - 1e-9 <= value <= score.max() + 1e-9


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
    assert 0.3 < chosen.value < 0.6
    assert (chosen.sensitivity, chosen.specificity) == (1, 1)
    assert "Youden" in chosen.reason
    lowest = choose_threshold(positive, score, rule="sensitivity", sensitivity=1)
    assert lowest.value == pytest.approx(0.45)
    assert (chosen.cases, chosen.patients) == (6, 3)
    assert Threshold.model_validate_json(chosen.model_dump_json()) == chosen


def test_neighbouring_floats_are_told_apart() -> None:
    low = np.nextafter(0.3, 0)
    both = np.array([False, True]), np.array([low, 0.3])
    chosen = choose_threshold(*both, rule="sensitivity", sensitivity=1)
    assert chosen.decide(np.array([low, 0.3])).tolist() == [0, 1]


def test_one_class_and_bad_input() -> None:
    score = np.array([0.2, 0.4])
    chosen = choose_threshold(np.array([True, True]), score)
    assert chosen.value == 0.5
    assert "lacks a class" in chosen.reason
    with pytest.raises(InputError, match="no probability"):
        choose_threshold(np.array([True, False]), np.array([np.nan, 0.3]))
    with pytest.raises(UsageError, match=r"95"):
        choose_threshold(np.array([True, False]), score, rule="sensitivity", sensitivity=95)
