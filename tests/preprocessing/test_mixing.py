"""Pictures mixed in a batch: the same by the same key, and targets by as much as the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.preprocessing.mixing import Mix, draw_mix
from hounsfield.preprocessing.settings import Augmentation
from hounsfield.tasks.classification import Classes

SIZE = (12, 20)
ROWS = (7, 3, 9, 1, 4, 30)
MIXUP, CUTMIX = Augmentation(mixup=0.4), Augmentation(cutmix=1.0)


def drawn(settings: Augmentation, epoch: int = 2, rows: tuple[int, ...] = ROWS) -> Mix:
    found = draw_mix(settings, 5, epoch, rows, SIZE)
    assert found is not None
    return found


def test_nothing_is_mixed_unasked() -> None:
    assert draw_mix(Augmentation(), 5, 2, ROWS, SIZE) is None


@pytest.mark.parametrize("settings", [MIXUP, CUTMIX])
def test_the_key_decides(settings: Augmentation) -> None:
    one, again, later = drawn(settings), drawn(settings), drawn(settings, epoch=3)
    for name in ("partner", "share", "inside"):
        assert torch.equal(getattr(one, name), getattr(again, name))
    assert not torch.equal(one.share, later.share)


@given(st.integers(0, 1000), st.floats(0.1, 4), st.booleans())
def test_an_image_keeps_what_its_target_keeps(epoch: int, alpha: float, cuts: bool) -> None:
    """Of pictures that are each of one value, the mean tells the share."""
    mix = drawn(Augmentation(cutmix=alpha) if cuts else Augmentation(mixup=alpha), epoch)
    values = torch.arange(1.0, 1 + len(ROWS))
    mixed = mix.images(values[:, None, None, None].expand(-1, 2, *SIZE))
    expected = mix.share * values + (1 - mix.share) * values[mix.partner]
    torch.testing.assert_close(mixed.mean((1, 2, 3)), expected)
    assert sorted(mix.partner.tolist()) == [*range(len(ROWS))]


def test_cutmix_leaves_whole_pixels_of_one_or_the_other() -> None:
    images = torch.randn(len(ROWS), 1, *SIZE)
    mix = drawn(CUTMIX)
    mixed = mix.images(images)
    other = images[mix.partner]
    own = mix.inside == 1
    assert torch.equal(mixed, torch.where(own, images, other))
    for item in range(len(ROWS)):  # what is taken is one box
        y, x = np.nonzero(~own[item, 0].numpy())
        if len(y):
            assert len(y) == (np.ptp(y) + 1) * (np.ptp(x) + 1)


def test_the_share_is_drawn_from_its_distribution() -> None:
    rows = tuple(range(4000))
    share = drawn(Augmentation(mixup=0.4), rows=rows).share.numpy()
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    assert share.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.005)  # of Beta(α, α)


def test_both_take_turns() -> None:
    both = Augmentation(mixup=0.4, cutmix=1.0)
    cuts = [set(drawn(both, epoch).inside.unique().tolist()) <= {0.0, 1.0} for epoch in range(60)]
    assert 20 < sum(cuts) < 40


def test_classes_are_shared_as_the_pictures_are() -> None:
    mix = Mix(torch.tensor([1, 2, 0]), torch.tensor([1.0, 0.7, 0.0]), torch.ones(3, 1, 1, 1))
    shares = Classes(torch.tensor([0, 1, 2])).mixed(mix).shares(3)
    expected = torch.tensor([[1.0, 0, 0], [0, 0.7, 0.3], [1, 0, 0]])
    torch.testing.assert_close(shares, expected)
    marks = torch.tensor([[1, 1], [0, 1], [0, 0]])
    torch.testing.assert_close(
        Classes(marks).mixed(mix).shares(2), torch.tensor([[1.0, 1], [0, 0.7], [1, 1]])
    )
    assert torch.equal(Classes(marks).shares(2), marks)
