"""The hash is of values and shape, not of the type that holds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hounsfield.audit.hashing import SIDE, pixel_hash, small_picture

shapes = st.tuples(st.just(1), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))


@given(arrays.arrays(np.int16, shapes), st.sampled_from([np.int32, np.int64, np.float32, float]))
def test_a_wider_type_changes_nothing(values: np.ndarray, kind: type) -> None:
    assert pixel_hash(values) == pixel_hash(values.astype(kind))
    assert pixel_hash(values) == pixel_hash(values.astype(values.dtype.newbyteorder(">")))


@given(arrays.arrays(np.float32, shapes, elements=st.floats(width=32)), st.data())
def test_one_other_value_is_another_hash(values: np.ndarray, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, values.size - 1))
    changed = values.copy()
    changed.flat[place] = 0.25 if values.flat[place] != 0.25 else 0.5
    assert pixel_hash(values) != pixel_hash(changed)


def test_shape_counts_and_layout_in_memory_does_not() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    assert pixel_hash(values) != pixel_hash(values.reshape(1, 1, 4, 3))
    assert pixel_hash(values) == pixel_hash(np.asfortranarray(values))


def test_grey_in_three_equal_colours_is_grey() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    colour = np.repeat(grey, 3, axis=0)
    assert pixel_hash(colour) == pixel_hash(grey)
    colour[2, 0, 0, 0] = 9
    assert pixel_hash(colour) != pixel_hash(grey)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_zero_has_one_sign_and_nan_one_pattern(value: float) -> None:
    values = np.array([[[[value, 0.5]]]])
    assert pixel_hash(values) == pixel_hash(np.copysign(values, [-1.0, 1.0]))


def test_large_whole_numbers_beyond_every_integer_are_hashed() -> None:
    assert pixel_hash(np.full((1, 1, 2, 2), 1e300)) != pixel_hash(np.full((1, 1, 2, 2), 2e300))


def test_the_small_picture_keeps_left_and_right_up_and_down() -> None:
    array = np.zeros((1, 1, 50, 80), np.uint16)
    array[0, 0, :10, 60:] = 4000  # top right
    small = small_picture(array)
    assert small.shape == (SIDE, SIDE)
    bright = np.argwhere(small > 200)
    assert bright[:, 0].max() < 0.25 * SIDE
    assert bright[:, 1].min() > 0.7 * SIDE


def test_a_picture_without_a_finite_value_is_flat() -> None:
    assert not small_picture(np.full((1, 1, 9, 9), np.nan)).any()
