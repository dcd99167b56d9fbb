"""Moments of parts, merged in any way, are NumPy's mean and deviation of everything."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hounsfield.preprocessing.statistics import Moments

values = st.floats(-1e4, 1e4, width=32)
parts = st.lists(
    arrays.arrays(np.float32, st.tuples(st.just(2), st.integers(0, 40)), elements=values),
    min_size=1,
    max_size=4,
)


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9 * 1e4))


def merged(parts_: Iterable[Moments]) -> Moments:
    counts, means, squares = zip(*((p.count, p.mean, p.squares) for p in parts_), strict=True)
    return Moments.pooled(np.array(counts), np.stack(means), np.stack(squares))


@settings(max_examples=40, deadline=None)
@given(parts)
def test_merged_parts_are_numpy_on_everything(arrays_: list[np.ndarray]) -> None:
    whole = np.concatenate(arrays_, 1).astype(np.float64)
    ours = merged(map(Moments.of, arrays_))
    assert ours.count == whole.shape[1]
    if whole.size:
        assert close(ours.mean, whole.mean(1))
        assert close(ours.squares, ((whole - whole.mean(1, keepdims=True)) ** 2).sum(1))


@settings(max_examples=40, deadline=None)
@given(st.tuples(parts, parts, parts))
def test_merging_is_associative_and_commutes(thirds: tuple[list[np.ndarray], ...]) -> None:
    a, b, c = (merged(map(Moments.of, third)) for third in thirds)
    left, right, other = merged([merged([a, b]), c]), merged([a, merged([b, c])]), merged([c, b, a])
    for one in (right, other):
        assert one.count == left.count
        assert close(one.mean, left.mean)
        assert close(one.squares, left.squares)


def test_a_small_deviation_on_a_large_mean_survives() -> None:
    rng = np.random.default_rng(0)
    parts_ = [30_000 + rng.normal(0, 1e-3, (1, 1000)) for _ in range(50)]
    ours = merged(map(Moments.of, parts_))
    whole = np.concatenate(parts_, 1)
    assert abs(ours.std[0] / whole.std() - 1) < 1e-9
    assert abs(ours.mean[0] - whole.mean()) < 1e-9
    plain = np.sqrt(np.mean(whole**2) - whole.mean() ** 2)  # what plain sums of squares give
    assert abs(plain / whole.std() - 1) > 1e-3
