"""Numbers have the digits that the interval justifies."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.reports import numbers


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.5, 0.9, 2),
    (0.88, 0.96, 2),
    (0.971, 0.998, 3),
    (0.990, 0.999, 3),
    (0.9990, 0.9996, 4),
    (0.5, 0.5, 2),
    (math.nan, math.nan, 2),
])  # fmt: skip
def test_digits(low: float, high: float, expected: int) -> None:
    assert numbers.digits(low, high) == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_last_digit_is_finer_than_the_interval_but_not_absurdly(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    places = numbers.digits(low, high)
    assert 2 <= places <= 4
    if high - low > 0.0004:
        assert 10.0**-places <= (high - low) / 4 + 1e-12
    if places > 2:
        assert 10.0 ** -(places - 1) > (high - low) / 4


@pytest.mark.parametrize(("p", "text"), [
    (0.0004, "< 0.001"), (0.0123, "0.012"), (0.456, "0.46"), (None, "–"), (math.nan, "–"),
])  # fmt: skip
def test_p_values(p: float | None, text: str) -> None:
    assert numbers.p_value(p) == text


def test_words() -> None:
    assert numbers.count(1, "patient") == "1 patient"
    assert numbers.count(1200, "patient") == "1,200 patients"
    assert numbers.listed(["a"]) == "a"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"
    assert numbers.listed(list("abcdefghij"), 3) == "a, b, c and 7 more"
    assert numbers.listed([]) == ""
    assert numbers.sentence("one class is rare") == "One class is rare."
    assert numbers.sentence("Done.") == "Done."
    assert numbers.seconds(9.6) == "9.6 s"
    assert numbers.seconds(185) == "3 min 5 s"
    assert numbers.seconds(7800) == "2 h 10 min"
    assert numbers.plain(-0.001, 2, sign=True) == "0.00"
    assert numbers.plain(-0.031, 2, sign=True) == "−0.03"
