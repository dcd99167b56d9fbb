"""Augmentation: the same key draws the same change, both ways of computing it agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hounsfield.preprocessing.augment import (
    Drawn,
    _noise,
    apply,
    apply_as_tensors,
    draw,
)
from hounsfield.preprocessing.contract import Augmentation

SIZE = (40, 56)
FULL = Augmentation(flip=True)
OFF = Augmentation(
    rotate=0, scale=0, stretch=0, shift=0, brightness=0, contrast=0, gamma=0, noise=0, blur=0
)
keys = st.tuples(st.integers(0, 2**63), st.integers(0, 1000), st.integers(0, 10**7))


def pictures(count: int = 4, channels: int = 1) -> torch.Tensor:
    rng = np.random.default_rng(0)
    rough = rng.normal(size=(count, channels, *SIZE))
    smooth = ndimage.gaussian_filter(rough, (0, 0, 2, 2)) * 5 + np.linspace(-1, 1, SIZE[1])
    return torch.from_numpy(smooth.astype(np.float32))


def each(drawn: Drawn) -> list[torch.Tensor]:
    return [drawn.warp.input_from_output, *list(vars(drawn).values())[1:]]


@given(st.lists(keys, min_size=1, max_size=6), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_key_draws_the_same_in_any_company(some: list[tuple[int, int, int]], which: int) -> None:
    key = some[which % len(some)]
    together, alone = draw(FULL, some, SIZE), draw(FULL, [key], SIZE)
    for many, one in zip(each(together), each(alone), strict=True):
        assert torch.equal(many[which % len(some)], one[0])


def test_the_pixels_do_not_depend_on_batch_or_threads() -> None:
    images, some = pictures(7), [(5, 2, row) for row in range(7)]
    whole = apply(images, draw(FULL, some, SIZE))
    alone = [apply(images[i : i + 1], draw(FULL, some[i : i + 1], SIZE)) for i in range(7)]
    assert torch.equal(whole, torch.cat(alone))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(whole, apply(images, draw(FULL, some, SIZE)))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("changed", [(6, 2, 0), (5, 3, 0), (5, 2, 1)])
def test_seed_epoch_and_row_each_matter(changed: tuple[int, int, int]) -> None:
    one, other = (draw(FULL, [key], SIZE) for key in ((5, 2, 0), changed))
    assert all(not torch.equal(a, b) for a, b in zip(each(one), each(other), strict=True))


def test_draws_fill_their_ranges_evenly() -> None:
    drawn = draw(FULL, [(1, epoch, row) for epoch in range(20) for row in range(500)], SIZE)
    flips = torch.linalg.det(drawn.warp.input_from_output) < 0
    assert abs(float(flips.float().mean()) - 0.5) < 0.02
    for values, low, high in (
        (drawn.brightness, -0.2, 0.2),
        (drawn.contrast, 0.8, 1.2),
        (drawn.gamma.log2(), -0.2, 0.2),
        (drawn.noise, 0, 0.05),
        (drawn.blur, 0, 0.5),
    ):
        unit = ((values - low) / (high - low)).numpy()
        assert unit.min() >= -1e-6
        assert unit.max() <= 1 + 1e-6
        counts = np.histogram(unit, 10, (0, 1))[0]
        assert abs(counts / 1000 - 1).max() < 0.12
    rows = np.stack([t.numpy() for t in (drawn.brightness, drawn.contrast, drawn.noise)])
    assert np.abs(np.corrcoef(rows) - np.eye(3)).max() < 0.04


@pytest.mark.parametrize("run", [apply, apply_as_tensors])
def test_nothing_drawn_changes_no_pixel(run: object) -> None:
    drawn = draw(OFF, [(0, 0, row) for row in range(4)], SIZE)
    images = pictures()
    assert torch.equal(run(images, drawn), images)  # type: ignore[operator]
    assert torch.equal(images, pictures())


@pytest.mark.parametrize("name", sorted(set(Augmentation.model_fields) - {"mixup", "cutmix"}))
@pytest.mark.parametrize("channels", [1, 3])
def test_both_ways_give_the_same_pixels(name: str, channels: int) -> None:
    only = OFF.model_copy(update={name: getattr(FULL, name)})
    drawn = draw(only, [(3, 1, row) for row in range(4)], SIZE)
    images = pictures(4, channels)
    fused, tensors = apply(images, drawn), apply_as_tensors(images, drawn)
    assert not torch.equal(fused, images)  # it does something
    assert float((fused - tensors).abs().max()) < 2e-4
    assert torch.equal(images, pictures(4, channels))  # what was given is not written to


def test_all_together_on_another_output_size() -> None:
    images = pictures()
    drawn = draw(FULL, [(3, 1, row) for row in range(4)], (30, 20))
    fused, tensors = apply(images, drawn), apply_as_tensors(images, drawn)
    assert fused.shape == (4, 1, 30, 20)
    assert float((fused - tensors).abs().max()) < 5e-4


def test_intensity_changes_are_what_they_say() -> None:
    images = pictures()
    names = ("brightness", "contrast", "gamma")
    for name in names:
        drawn = draw(OFF.model_copy(update={name: 0.5}), [(3, 1, r) for r in range(4)], SIZE)
        for before, after, one in zip(
            images.numpy(), apply(images, drawn).numpy(), getattr(drawn, name).numpy(), strict=True
        ):
            low, span = before.min(), before.max() - before.min()
            log_unit = np.log(np.maximum(before - low, 1e-9) / span)
            expected = {
                "brightness": before + one * before.std(),
                "contrast": before.mean() + one * (before - before.mean()),
                "gamma": low + span * np.exp(one * log_unit),
            }[name]
            assert np.abs(after - expected).max() < 2e-5


def test_blur_is_a_gaussian() -> None:
    images = pictures()
    drawn = draw(OFF.model_copy(update={"blur": 2.0}), [(3, 1, row) for row in range(4)], SIZE)
    for before, after, sigma in zip(
        images.numpy(), apply(images, drawn).numpy(), drawn.blur.numpy(), strict=True
    ):
        expected = ndimage.gaussian_filter(
            before[0], sigma, mode="nearest", radius=int(np.ceil(3 * sigma))
        )
        assert np.abs(after[0] - expected).max() < 1e-5


def test_noise_is_white_and_of_variance_1() -> None:
    noise = _noise(torch.tensor([1, 2, -3]), torch.Size((1, 100, 100))).numpy()
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    flat = noise.reshape(3, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.04
    for lag in (1, 100):
        assert abs(np.corrcoef(flat[0, lag:], flat[0, :-lag])[0, 1]) < 0.04


def test_half_precision_keeps_its_type() -> None:
    drawn = draw(FULL, [(3, 1, row) for row in range(4)], SIZE)
    assert apply(pictures().bfloat16(), drawn).dtype == torch.bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_gives_the_same_pixels() -> None:
    drawn = draw(FULL, [(3, 1, row) for row in range(4)], SIZE)
    there = apply(pictures().cuda(), drawn).cpu()
    assert float((there - apply(pictures(), drawn)).abs().max()) < 5e-4
