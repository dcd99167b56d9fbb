"""Warps compose to one sampling, and move pictures, masks, points and boxes together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.augment import draw
from hounsfield.preprocessing.contract import Augmentation
from hounsfield.preprocessing.warp import Warp

SIZE = (24, 36)  # taller and wider are told apart
ALL = Augmentation(flip=True, rotate=30, scale=0.3, stretch=0.2, shift=0.1)
rows = st.integers(0, 10_000)


def body() -> torch.Tensor:
    """A smooth body (1, 1, 24, 36) with a left and a right, and a top and a bottom."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(36.0), indexing="ij")
    bump = torch.exp(-((x - 11) ** 2 + (y - 9) ** 2) / 40) + 0.02 * x + 0.01 * y
    return bump[None, None]


def drawn_warp(row: int, how: Augmentation = ALL) -> Warp:
    return draw(how, [(0, 1, row)], SIZE).warp


@given(rows, rows)
@settings(max_examples=20, deadline=None)
def test_composing_equals_one_after_the_other(first: int, second: int) -> None:
    one, two = drawn_warp(first), drawn_warp(second)
    composed = (one @ two).images(body())
    sequential = two.images(one.images(body()))
    inside = np.s_[..., 8:-8, 12:-12]  # the border repeats at another place when done twice
    assert torch.allclose(composed[inside], sequential[inside], atol=0.03)
    points = torch.tensor([[3.0, 4.0], [20.0, 7.5]])
    moved = two.points(one.points(points, 0), 0)
    assert torch.allclose((one @ two).points(points, 0), moved, atol=1e-3)


def test_composing_is_not_the_other_order() -> None:
    """So that the law above cannot hold by chance."""
    one, two = drawn_warp(1), drawn_warp(2)
    assert (one @ two).images(body()).sub((two @ one).images(body())).abs().max() > 0.01


def test_flip_undoes_itself_and_exchanges_left_and_right() -> None:
    matrix = torch.tensor([[[-1.0, 0, 35], [0, 1, 0], [0, 0, 1]]])
    flip = Warp(matrix, SIZE)
    once = flip.images(body())
    assert torch.allclose(once, body().flip(-1), atol=1e-5)
    assert not torch.allclose(once, body(), atol=0.1)
    assert torch.allclose(flip.images(once), body(), atol=1e-5)


def test_a_shift_goes_the_way_it_says() -> None:
    matrix = torch.tensor([[[1.0, 0, -5], [0, 1, 3], [0, 0, 1]]])  # content: 5 right, 3 up
    moved = Warp(matrix, SIZE).images(body())
    assert torch.allclose(moved[..., 6:15, 8:20], body()[..., 9:18, 3:15], atol=1e-5)
    assert Warp(matrix, SIZE).points(torch.tensor([[11.0, 9.0]]), 0).tolist() == [[16.0, 6.0]]


@given(rows, st.integers(4, 24), st.integers(4, 14), st.integers(3, 7), st.integers(3, 6))
@settings(max_examples=40, deadline=None)
def test_boxes_and_masks_move_with_their_picture(
    row: int, x0: int, y0: int, width: int, height: int
) -> None:
    picture = torch.zeros(1, 1, *SIZE)
    picture[..., y0 : y0 + height, x0 : x0 + width] = 1
    warp = drawn_warp(row)
    moved = warp.images(picture)[0, 0]
    mask = warp.masks(picture[:, 0].to(torch.uint8))[0]
    box = warp.boxes(torch.tensor([[x0, y0, x0 + width, y0 + height]]).float(), 0)[0]
    rows_lit, columns_lit = torch.nonzero(moved > 0.5, as_tuple=True)
    if len(rows_lit) == 0:
        return  # moved out of the picture
    bounds = torch.tensor(
        [columns_lit.min(), rows_lit.min(), columns_lit.max() + 1, rows_lit.max() + 1]
    )
    assert (bounds[:2] >= box[:2] - 0.51).all()
    assert (bounds[2:] <= box[2:] + 0.51).all()
    assert float(torch.abs(mask.float() - (moved > 0.5).float()).mean()) < 0.03


@pytest.mark.parametrize("axis", [0, 1])
def test_a_box_that_leaves_has_no_area(axis: int) -> None:
    matrix = torch.eye(3)[None].clone()
    matrix[0, axis, 2] = 100
    x0, y0, x1, y1 = Warp(matrix, SIZE).boxes(torch.tensor([[5.0, 5, 9, 9]]), 0)[0].tolist()
    assert (x1 - x0) * (y1 - y0) == 0
