from __future__ import annotations

import re

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.evaluation import classification_report, confusion
from hounsfield.metrics import Cases

NAMES = ("normal", "bacterial pneumonia", "viral")


def make(seed: int, n: int, multilabel: bool) -> Cases:
    rng = np.random.default_rng(seed)
    shape = (n, 3) if multilabel else n
    truth, decision = rng.integers(0, 2 if multilabel else 3, (2, *np.atleast_1d(shape)))
    return Cases(truth, np.zeros((n, 3)), decision, NAMES, np.arange(n))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans(), st.integers(2, 4))
def test_report_is_scikit_learns(seed: int, n: int, multilabel: bool, digits: int) -> None:
    cases = make(seed, n, multilabel)
    expected = sk.classification_report(
        cases.truth,
        cases.decision,
        labels=[0, 1, 2],
        target_names=NAMES,
        digits=digits,
        zero_division=0,
    )
    # scikit-learn prints "1.0" cases as soon as a class has none; a count is a whole number.
    expected = re.sub(r"  (\d+)\.0\n", r"    \1\n", expected)
    assert classification_report(cases, digits) == expected


def test_confusion_as_scikit_learn() -> None:
    cases = make(0, 50, False)
    found = confusion(cases)
    np.testing.assert_array_equal(found.counts, sk.confusion_matrix(cases.truth, cases.decision))
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    many = make(0, 50, True)
    expected = sk.multilabel_confusion_matrix(many.truth, many.decision)
    np.testing.assert_array_equal(confusion(many).counts, expected)


def test_an_empty_row_is_undefined() -> None:
    cases = Cases(np.array([0, 0]), np.zeros((2, 3)), np.array([0, 2]), NAMES, np.arange(2))
    found = confusion(cases)
    assert found.counts.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert found.shares[0].tolist() == [0.5, 0, 0.5]
    assert np.isnan(found.shares[1]).all()
    assert pytest.approx(1) == np.nansum(found.shares)
