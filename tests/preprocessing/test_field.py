"""The field of view: found where a dark surround is, left alone elsewhere, geometry exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield import formats
from hounsfield.formats.contract import Source
from hounsfield.image import Image
from hounsfield.preprocessing.cache import Cache, Item
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.field import Crop, field
from hounsfield.preprocessing.making import fingerprint
from hounsfield.preprocessing.prepare import prepare, prepare_mask

CROPPED = Preprocessing(size=(64, 64), colour=True, crop="field")


def retina(
    plane: tuple[int, int] = (180, 260),
    centre: tuple[float, float] = (80.0, 110.0),
    radius: float = 70.0,
    seed: int = 0,
) -> np.ndarray:
    """(Y, X, 3) a reddish disc, brighter to its left, on a noisy black; (y, x) pixel centres."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: plane[0], : plane[1]]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    body = np.stack([170 - 60 * (x - centre[1]) / radius, 0 * x + 80, 0 * x + 40], 2)
    noise = rng.integers(0, 8, (*plane, 3))
    return np.where(inside[..., None], np.clip(body, 45, 250), noise).astype(np.uint8)


@given(st.floats(60, 120), st.floats(80, 180), st.floats(70, 120), st.sampled_from([1, 2, 3, 5]))
@settings(max_examples=40)
def test_the_box_holds_the_field_and_little_more(
    y: float, x: float, radius: float, zoom: int
) -> None:
    picture = np.kron(retina((180, 260), (y, x), radius), np.ones((zoom, zoom, 1), np.uint8))
    found = field(Image.from_numpy(picture, colour=True).array)
    lit = (picture.max(2) > 20).nonzero()
    edges = [(int(one.min()), int(one.max()) + 1) for one in lit]
    box = [(found.top, found.top + found.height), (found.left, found.left + found.width)]
    step = max(1, max(picture.shape) // 512)
    for (start, stop), (from_, to) in zip(edges, box, strict=True):
        assert 0 <= start - from_ <= step
        assert 0 <= to - stop <= step


def test_letters_and_hot_pixels_do_not_widen_it() -> None:
    picture = retina()
    plain = field(Image.from_numpy(picture, colour=True).array)
    picture[170:176, 220:255] = 255  # a name plate
    picture[3, 3] = 255
    assert field(Image.from_numpy(picture, colour=True).array) == plain


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_any_type_of_values(kind: type) -> None:
    picture = retina().astype(kind) * (257 if kind is np.uint16 else 1)
    plain = field(Image.from_numpy(retina(), colour=True).array)
    assert field(Image.from_numpy(picture, colour=True).array) == plain


def skin(seed: int = 0) -> np.ndarray:
    """A picture without surround: a dark mole in the middle of bright skin, one dark corner."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :160]
    picture = 190 + rng.normal(0, 6, (120, 160))
    picture[(y - 60) ** 2 + (x - 70) ** 2 < 30**2] = 30
    picture[:8, :12] = 10
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, 2)


def cells() -> np.ndarray:
    """Bright cells on black: the surround is the picture."""
    picture = np.zeros((120, 160, 3), np.uint8)
    for y, x in ((15, 20), (50, 90), (100, 30), (80, 140)):
        picture[y - 6 : y + 6, x - 6 : x + 6] = 200
    return picture


@pytest.mark.parametrize(
    "picture",
    [skin(), cells(), np.zeros((50, 60, 3), np.uint8), np.full((50, 60, 3), 9, np.uint8)],
    ids=["skin", "cells", "black", "grey"],
)
def test_without_a_dark_surround_nothing_is_cut(picture: np.ndarray) -> None:
    image = Image.from_numpy(picture, colour=True)
    assert field(image.array) == Crop.whole(picture.shape[:2])
    plain = prepare(image, CROPPED.model_copy(update={"crop": "none"}))
    cut = prepare(image, CROPPED)
    assert np.array_equal(plain.array, cut.array)
    assert np.array_equal(plain.original_from_prepared, cut.original_from_prepared)


def test_values_that_are_not_finite() -> None:
    picture = retina().astype(np.float32)
    picture[5, 5], picture[80, 100] = np.nan, np.nan
    found = field(Image.from_numpy(picture, colour=True).array)
    assert found == field(Image.from_numpy(retina(), colour=True).array)
    nothing = np.full((20, 30, 3), np.nan, np.float32)
    assert field(Image.from_numpy(nothing, colour=True).array) == Crop.whole((20, 30))


@given(
    st.tuples(st.integers(60, 100), st.integers(70, 180), st.integers(8, 20), st.integers(8, 30)),
    st.sampled_from(["pad", "stretch"]),
    st.sampled_from([(64, 96), (100, 64)]),
)
@settings(max_examples=25)
def test_boxes_and_masks_land_on_what_they_mark(
    spot: tuple[int, int, int, int], fit: str, size: tuple[int, int]
) -> None:
    y, x, height, width = spot
    picture = retina(centre=(85.0, 125.0), radius=75.0)
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[y : y + height, x : x + width] = 1
    picture[mask == 1] = (10, 255, 10)
    how = Preprocessing(size=size, fit=fit, colour=True, crop="field", clip="none")
    prepared = prepare(Image.from_numpy(picture, colour=True), how)
    before = np.array([[x, y, x + width, y + height]], float)
    after = prepared.boxes_from_original(before)
    assert np.allclose(prepared.boxes_to_original(after), before, atol=1e-9)
    lit = np.clip(prepared.array[1, 0] - prepared.array[0, 0] - 0.1, 0, 1)  # of no noise
    assert lit.sum() > 0
    ys, xs = np.mgrid[: size[0], : size[1]] + 0.5
    x0, y0, x1, y1 = after[0]
    assert np.isclose((lit * xs).sum() / lit.sum(), (x0 + x1) / 2, atol=0.3)
    assert np.isclose((lit * ys).sum() / lit.sum(), (y0 + y1) / 2, atol=0.3)
    moved = prepare_mask(Image.from_numpy(mask), prepared)[0]
    rows, columns = np.flatnonzero(moved.any(1)), np.flatnonzero(moved.any(0))
    ends = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    assert np.abs(ends - after[0]).max() <= 0.5 + 1e-9  # a pixel is marked by its centre


def test_the_field_fills_the_input() -> None:
    picture = retina()
    plain = prepare(
        Image.from_numpy(picture, colour=True), CROPPED.model_copy(update={"crop": "none"})
    )
    cut = prepare(Image.from_numpy(picture, colour=True), CROPPED)
    assert (plain.array.max(0)[0] > 0.2).mean() < 0.4
    assert (cut.array.max(0)[0] > 0.2).mean() > 0.7
    assert cut.original == (180, 260)


def test_slices_and_channels_share_the_crop(tmp_path: Path) -> None:
    volume = np.stack([retina(seed=0)[..., 0], retina(centre=(80.0, 150.0), seed=1)[..., 0]])
    how = Preprocessing(size=(64, 64), crop="field", depth=2)
    both = prepare(Image.from_numpy(volume), how)
    assert both.array.shape == (1, 2, 64, 64)
    found = field(Image.from_numpy(volume).array)
    assert (found.left, found.left + found.width) == (41, 220)
    for name, centre in (("a", 110.0), ("b", 150.0)):
        grey = retina(centre=(80.0, centre))[..., 0]
        formats.write(Image.from_numpy(grey), tmp_path / f"{name}.png")
    inputs = tuple(Source.of(tmp_path / f"{name}.png") for name in "ab")
    flat = how.model_copy(update={"depth": 1})
    built = Cache.build([Item("case", "", inputs)], flat, tmp_path / "cache")
    first, second = built.cache.images(["case"])[0, :, 0]
    columns = [np.flatnonzero((one > 0.3).any(0)) for one in (first, second)]
    assert columns[0].max() >= 62
    assert columns[1].min() > 10  # the second disc lies to the right of the first one's box


def test_the_cache_is_another_one() -> None:
    assert fingerprint(CROPPED) != fingerprint(CROPPED.model_copy(update={"crop": "none"}))
