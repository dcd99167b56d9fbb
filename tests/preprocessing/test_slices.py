"""The slices that a network gets: laws, and another interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.errors import InputError
from hounsfield.preprocessing.settings import Preprocessing
from hounsfield.preprocessing.slices import picked


def numbered(depth: int, channels: int = 2) -> np.ndarray:
    """(C, Z, 2, 3): slice z of channel c is 100 c + z, but for one corner."""
    array = np.zeros((channels, depth, 2, 3), np.float32)
    array += 100 * np.arange(channels)[:, None, None, None]
    array += np.arange(depth)[None, :, None, None]
    array[:, :, 0, 2] += 0.5
    return array


def taken(have: int, **settings: object) -> list[int]:
    """Which slices were taken."""
    found = picked(numbered(have), Preprocessing(**settings))  # type: ignore[arg-type]
    assert found.shape[1] == settings["depth"]
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found[1], found[0] + 100)
    np.testing.assert_array_equal(found[0, :, 0, 2], found[0, :, 1, 0] + 0.5)
    return [int(value) for value in found[0, :, 1, 0]]


@pytest.mark.parametrize(
    ("have", "want", "at", "expected"),
    [
        (9, 1, 0.5, [4]),
        (8, 1, 0.5, [4]),  # array[n // 2]
        (9, 3, 0.5, [3, 4, 5]),
        (9, 4, 0.5, [2, 3, 4, 5]),
        (9, 3, 0.0, [0, 1, 2]),
        (9, 3, 1.0, [6, 7, 8]),
        (9, 1, 1.0, [8]),
        (9, 1, 0.0, [0]),
        (11, 3, 0.3, [2, 3, 4]),
    ],
)
def test_neighbours_about_a_place(have: int, want: int, at: float, expected: list[int]) -> None:
    assert taken(have, slices="adjacent", depth=want, slice_at=at) == expected


@pytest.mark.parametrize(
    ("have", "want", "expected"), [(9, 3, [1, 4, 7]), (10, 2, [2, 7]), (7, 5, [0, 2, 3, 4, 6])]
)
def test_spread_are_the_middles_of_equal_parts(have: int, want: int, expected: list[int]) -> None:
    assert taken(have, slices="spread", depth=want) == expected


counts = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(sorted)


@given(counts, st.sampled_from(["adjacent", "spread"]), st.floats(0, 1))
def test_slices_are_of_the_volume_and_in_order(pair: list[int], how: str, at: float) -> None:
    want, have = pair
    found = taken(have, slices=how, depth=want, slice_at=at)
    assert found == sorted(set(found))
    assert 0 <= found[0] <= found[-1] < have
    if how == "adjacent":
        assert found == list(range(found[0], found[0] + want))


@given(counts)
def test_spread_of_a_turned_volume_is_turned(pair: list[int]) -> None:
    """Up to the choice between two middles, which is one slice."""
    want, have = pair
    found = taken(have, slices="spread", depth=want)
    turned = [have - 1 - one for one in reversed(found)]
    assert all(abs(a - b) <= 1 for a, b in zip(found, turned, strict=True))


@given(st.integers(2, 30), st.integers(1, 40))
def test_resampled_keeps_a_constant_and_turns_with_the_volume(have: int, want: int) -> None:
    rng = np.random.default_rng(have * 100 + want)
    settings = Preprocessing(slices="resampled", depth=want)
    flat = picked(np.full((1, have, 2, 3), 7, np.int16), settings)
    np.testing.assert_allclose(flat, 7, rtol=1e-5)
    volume = rng.normal(size=(2, have, 2, 3)).astype(np.float32)
    there, back = picked(volume, settings), picked(volume[:, ::-1], settings)[:, ::-1]
    np.testing.assert_allclose(there, back, atol=1e-5)
    assert there.min() >= volume.min() - 1e-5
    assert there.max() <= volume.max() + 1e-5


@pytest.mark.parametrize(("have", "want"), [(2, 5), (5, 8), (9, 20), (7, 7)])
def test_more_slices_as_torch_interpolates(have: int, want: int) -> None:
    volume = np.random.default_rng(have).normal(size=(2, have, 4, 5)).astype(np.float32)
    found = picked(volume, Preprocessing(slices="resampled", depth=want))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(volume)[None], (want, 4, 5), mode="trilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("have", "want"), [(9, 3), (20, 9), (48, 7), (5, 1)])
def test_fewer_slices_as_torch_shrinks_with_antialiasing(have: int, want: int) -> None:
    """Torch cuts the triangle off at the ends of the volume and weighs anew; so do we."""
    volume = np.random.default_rng(have).normal(size=(2, have, 4, 5)).astype(np.float32)
    found = picked(volume, Preprocessing(slices="resampled", depth=want))
    lines = torch.from_numpy(volume).permute(0, 2, 1, 3)  # (C, Y, Z, X): antialiasing is of 2-D
    expected = torch.nn.functional.interpolate(
        lines, (want, 5), mode="bilinear", align_corners=False, antialias=True
    ).permute(0, 2, 1, 3)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("how", ["adjacent", "spread"])
@pytest.mark.parametrize(("have", "said"), [(1, "1 slice,"), (4, "4 slices,")])
def test_too_few_slices_are_told(how: str, have: int, said: str) -> None:
    with pytest.raises(InputError, match=f"has {said} and 5 are needed") as caught:
        picked(numbered(have), Preprocessing(slices=how, depth=5))  # type: ignore[arg-type]
    assert "--preprocessing.depth" in str(caught.value)


def test_one_slice_makes_no_volume() -> None:
    with pytest.raises(InputError, match="has 1 slice, and 4 are needed"):
        picked(numbered(1), Preprocessing(slices="resampled", depth=4))


def test_as_many_as_there_are_stay_as_they_are() -> None:
    volume = numbered(5)
    for how in ("adjacent", "spread", "resampled"):
        settings = Preprocessing(slices=how, depth=5)  # type: ignore[arg-type]
        assert picked(volume, settings) is volume
