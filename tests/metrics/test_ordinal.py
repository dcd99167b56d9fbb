"""Scores of grades against scikit-learn, on random and degenerate input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hounsfield.errors import UsageError
from hounsfield.metrics import Cases, metric

GRADES = ("0", "1", "2", "3", "4")


def cases_of(truth: list[int], decision: list[int], seed: int = 0) -> Cases:
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(5), len(truth))
    both = (np.array(one, np.int64) for one in (truth, decision))
    return Cases(next(both), probability, next(both), GRADES, np.arange(len(truth)))


grade_pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30)


@given(grade_pairs, st.integers(0, 99))
def test_equals_scikit_learn_where_cases_stand_several_times(
    pairs: list[tuple[int, int]], seed: int
) -> None:
    truth, decision = (list(one) for one in zip(*pairs, strict=True))
    cases = cases_of(truth, decision, seed)
    times = np.random.default_rng(seed).integers(1, 4, len(pairs))
    t, d = np.repeat(truth, times), np.repeat(decision, times)
    weights = times[None].astype(float)
    assert metric("grade_error").value(cases, weights)[0] == pytest.approx(np.abs(t - d).mean())
    found = metric("kappa").value(cases, weights)[0]
    if len({*truth, *decision}) == 1:
        assert np.isnan(found)  # scikit-learn warns, and says so too
    else:
        expected = sk.cohen_kappa_score(t, d, weights="quadratic", labels=range(5))
        assert found == pytest.approx(expected, abs=1e-9)
    for k in range(1, 5):
        positive = t >= k
        value = metric("auroc_from", GRADES[k]).value(cases, weights)[0]
        if positive.all() or not positive.any():
            assert np.isnan(value)
        else:
            score = np.repeat(cases.probability[:, k:].sum(1), times)
            assert value == pytest.approx(sk.roc_auc_score(positive, score))


def test_two_grades_off_weigh_fourfold() -> None:
    truth = [0, 1, 2, 3, 4]
    near, far = [1, 1, 2, 3, 4], [2, 1, 2, 3, 4]
    lost = [1 - metric("kappa").point(cases_of(truth, said)) for said in (near, far)]
    assert metric("kappa").point(cases_of(truth, truth)) == 1
    assert lost[1] > 3 * lost[0]


def test_the_cut_of_one_grade_gives_its_interval_by_formula() -> None:
    cases = cases_of([0, 1, 2, 3, 4, 0], [0, 1, 2, 3, 4, 1])
    one, every = metric("auroc_from", "2"), metric("auroc_from")
    assert one.scores is not None
    assert every.scores is not None
    assert one.scores(cases) is not None
    assert every.scores(cases) is None
    cuts = [metric("auroc_from", grade).point(cases) for grade in GRADES[1:]]
    assert every.point(cases) == pytest.approx(np.mean(cuts))


def test_an_unknown_name_is_refused() -> None:
    from hounsfield.metrics import ordinal

    with pytest.raises(UsageError, match="no metric"):
        ordinal.build("weighted")
