"""Preparing: against independent resizers, on odd values, and with its geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hounsfield.errors import InputError
from hounsfield.image import Image
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.intensity import measured
from hounsfield.preprocessing.prepare import prepare, prepare_mask

EIGHT = Preprocessing(size=(8, 10), fit="stretch")
TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)


def chest(shape: tuple[int, int] = (90, 70), kind: type = np.int16, seed: int = 0) -> np.ndarray:
    """A smooth picture with noise, brighter at its left and its top."""
    y, x = np.mgrid[: shape[0], : shape[1]] / np.array(shape)[:, None, None]
    noise = np.random.default_rng(seed).normal(0, 5, shape)
    return np.clip(120 + 60 * np.sin(5 * x) - 50 * y + noise, 1, 250).astype(kind)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("size", [(31, 40), (90, 70), (200, 131)])
def test_resizing_agrees_with_torch(kind: type, size: tuple[int, int]) -> None:
    array = chest(kind=kind)
    low, high = np.percentile(array, (0.5, 99.5))
    scaled = torch.from_numpy(np.clip((array.astype(np.float64) - low) / (high - low), 0, 1))
    oracle = torch.nn.functional.interpolate(
        scaled[None, None], size, mode="bilinear", antialias=True, align_corners=False
    )
    how = Preprocessing(size=size, fit="stretch")
    ours = prepare(Image.from_numpy(array), how).array
    assert ours.dtype == np.float32
    assert np.abs(ours[0, 0] - oracle[0, 0].numpy()).max() < 2e-6


def test_the_same_size_changes_no_pixel() -> None:
    array = chest((28, 28), np.uint8)
    how = Preprocessing(size=(28, 28), clip="none")
    ours = prepare(Image.from_numpy(array), how).array[0, 0]
    assert np.array_equal(np.rint(ours * 255), array)
    assert np.abs(ours - array / 255).max() < 1e-7


@given(
    st.sampled_from([np.uint8, np.int16, np.uint16, np.float32]),
    st.integers(1, 400),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_percentiles_are_numpys(kind: type, n: int, seed: int, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    spread = 3e4 if wide else 3
    values = rng.normal(0, spread, n)
    limits = (-3e38, 3e38) if kind is np.float32 else (np.iinfo(kind).min, np.iinfo(kind).max)
    array = np.clip(values, *limits).astype(kind)
    percents = (0, 0.5, 1, 50, 97.3, 100)
    ours = measured(array, percents)
    oracle = np.percentile(array.astype(np.float64), percents)
    assert np.allclose(ours.percentiles, oracle, rtol=1e-12, atol=1e-9)
    assert (ours.minimum, ours.maximum) == (array.min(), array.max())
    assert np.isclose(ours.mean, array.mean(dtype=np.float64), rtol=1e-9, atol=1e-9)


def test_values_that_are_not_finite() -> None:
    array = chest((40, 40), np.float32)
    spoilt = array.copy()
    spoilt[3, 5], spoilt[10, 10], spoilt[20, 20] = np.nan, np.inf, -np.inf
    how = Preprocessing(size=(40, 40))
    image = Image.from_numpy(spoilt)
    ours = prepare(image, how)
    picture = ours.array[0, 0]
    assert np.isfinite(picture).all()
    assert (picture[3, 5], picture[10, 10], picture[20, 20]) == (0, 1, 0)
    finite = spoilt[np.isfinite(spoilt)]
    assert np.isclose(ours.summary.mean, finite.mean(dtype=np.float64))
    assert ours.summary.notes == ("3 values are not finite",)
    assert prepare(Image.from_numpy(array), how).summary.notes == ()


@pytest.mark.parametrize("value", [0.0, -1000.0, 3e38, np.nan, np.inf])
@pytest.mark.parametrize("clip", ["percentile", "none"])
def test_a_constant_image_becomes_zero(value: float, clip: str) -> None:
    array = np.full((30, 20), value, np.float32)
    how = Preprocessing(size=(16, 16), clip=clip)
    ours = prepare(Image.from_numpy(array), how)
    assert (ours.array == 0).all()
    assert "all values are equal" in ours.summary.notes


def test_a_thin_line_on_black_is_kept() -> None:
    array = np.zeros((1000, 1000), np.uint16)
    array[500, 100:300] = 900  # 0.02 % of the pixels: both percentiles are 0
    how = Preprocessing(size=(1000, 1000))
    assert prepare(Image.from_numpy(array), how).array.max() == 1


def test_windows_and_ranges() -> None:
    array = np.array([[-200, 40, 240, 500] * 4] * 16, np.int16)
    windowed = Preprocessing(size=(16, 16), clip="window", window=(40, 400))
    assert prepare(Image.from_numpy(array), windowed).array[0, 0, 0, :4].tolist() == [0, 0.5, 1, 1]
    ranged = Preprocessing(size=(16, 16), clip="none", range=(-200, 1000))
    ours = prepare(Image.from_numpy(array), ranged).array[0, 0, 0, :4]
    assert np.allclose(ours, (array[0, :4] + 200.0) / 1200)


def test_padding_keeps_the_aspect_in_millimetres() -> None:
    disc = np.zeros((100, 100), np.uint8)
    y, x = np.mgrid[:100, :100] - 49.5
    disc[x**2 + (y * 2) ** 2 < 40**2] = 200  # round where a row is twice as thick as a column
    how = Preprocessing(size=(64, 64))
    ours = prepare(Image.from_numpy(disc, spacing=(0.3, 0.6)), how).array[0, 0]
    lit = ours > 0.5
    assert abs(int(lit.any(0).sum()) - int(lit.any(1).sum())) <= 1
    assert (ours[:, :15] == 0).all()  # padded left and right: the body is twice as tall as wide
    assert ours[:, 17:47].any(1).sum() == lit.any(1).sum()
    square = prepare(Image.from_numpy(disc), how).array[0, 0] > 0.5
    assert square.any(0).sum() > 1.8 * square.any(1).sum()


def test_colour_becomes_grey_or_three_channels() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    image = Image.from_numpy(picture, colour=True)
    plain = {"size": (20, 30), "clip": "none"}
    grey = prepare(image, Preprocessing(**plain, range=(0, 255))).array
    assert grey.shape == (1, 1, 20, 30)
    assert np.allclose(grey[0, 0] * 255, picture @ [0.299, 0.587, 0.114], atol=1e-3)
    colour = prepare(image, Preprocessing(**plain, colour=True)).array
    assert np.allclose(colour[:, 0] * 255, np.moveaxis(picture, 2, 0), atol=1e-4)
    alone = prepare(Image.from_numpy(picture[..., 0]), Preprocessing(**plain, colour=True)).array
    assert alone.shape == (3, 1, 20, 30)
    assert np.array_equal(alone[0], alone[2])
    bands = Image.from_numpy(np.zeros((2, 1, 20, 30), np.uint8))
    with pytest.raises(InputError, match="2 channels"):
        prepare(bands, Preprocessing(colour=True))


def test_other_channels_have_their_own_limits() -> None:
    pet_and_ct = np.stack([chest()[None] * 0.01, chest(seed=1)[None] * 100]).astype(np.float32)
    ours = prepare(Image.from_numpy(pet_and_ct), Preprocessing(size=(32, 32))).array
    assert ours.shape == (2, 1, 32, 32)
    assert (ours.max((1, 2, 3)) > 0.9).all()


def test_slices_are_resized_by_themselves() -> None:
    volume = np.stack([chest(seed=s) for s in range(3)])
    how = Preprocessing(size=(32, 32), clip="none", range=(0, 255))
    whole = prepare(Image.from_numpy(volume), how.model_copy(update={"depth": 3})).array
    each = [prepare(Image.from_numpy(s), how).array[0, 0] for s in volume]
    assert whole.shape == (1, 3, 32, 32)
    assert np.array_equal(whole[0], np.stack(each))


boxes = st.tuples(
    st.floats(0, 50), st.floats(0, 60), st.floats(5, 40), st.floats(5, 40)
)  # x0, y0, width, height


@given(boxes, st.sampled_from(["pad", "stretch"]), st.sampled_from([(64, 96), (224, 100)]))
@settings(max_examples=30, deadline=None)
def test_boxes_go_there_and_back(box: tuple[float, ...], fit: str, size: tuple[int, int]) -> None:
    x0, y0, width, height = box
    image = Image.from_numpy(np.zeros((110, 90), np.uint8), spacing=(0.4, 0.3))
    prepared = prepare(image, Preprocessing(size=size, fit=fit))
    before = np.array([[x0, y0, x0 + width, y0 + height]])
    after = prepared.boxes_to_original(prepared.boxes_from_original(before))
    assert np.allclose(after, np.clip(before, 0, [90, 110, 90, 110]), atol=1e-9)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_a_bright_box_lies_where_its_box_says(fit: str) -> None:
    array = np.zeros((120, 80), np.uint8)
    array[30:60, 10:40] = 255  # to the left of the middle and above it
    how = Preprocessing(size=(64, 64), fit=fit, clip="none")
    prepared = prepare(Image.from_numpy(array), how)
    x0, y0, x1, y1 = prepared.boxes_from_original(np.array([[10, 30, 40, 60]]))[0]
    lit = prepared.array[0, 0]
    expected_area = (x1 - x0) * (y1 - y0)
    assert np.isclose(lit.sum(), expected_area, rtol=0.01)
    ys, xs = np.mgrid[:64, :64] + 0.5
    assert np.isclose((lit * xs).sum() / lit.sum(), (x0 + x1) / 2, atol=0.05)
    assert np.isclose((lit * ys).sum() / lit.sum(), (y0 + y1) / 2, atol=0.05)
    mask = prepare_mask(Image.from_numpy((array > 0).astype(np.uint8) * 3), prepared)
    assert mask.shape == (1, 64, 64)
    assert set(np.unique(mask)) == {0, 3}
    assert np.abs((mask[0] == 3) - lit).mean() < 0.02


def test_masks_that_do_not_fit_are_refused() -> None:
    prepared = prepare(Image.from_numpy(chest()), Preprocessing(size=(32, 32)))
    with pytest.raises(InputError, match="the mask is"):
        prepare_mask(Image.from_numpy(np.zeros((90, 71), np.uint8)), prepared)
    for wrong in (np.full((90, 70), 300, np.int16), np.full((90, 70), 0.5, np.float32)):
        with pytest.raises(InputError, match="whole labels"):
            prepare_mask(Image.from_numpy(wrong), prepared)
    with pytest.raises(InputError, match="whole labels"):
        prepare_mask(Image.from_numpy(np.full((90, 70), np.nan, np.float32)), prepared)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (4, 224)},
        {"size": (224, 100_000)},
        {"percentiles": (99, 1)},
        {"percentiles": (-1, 50)},
        {"clip": "window"},
        {"window": (40, 0)},
        {"range": (3, 3)},
        {"mean": (0.5,)},
        {"mean": (0.5,), "std": (-1.0,)},
        {"colours": True},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing(**wrong)  # type: ignore[arg-type]


def test_masks_take_the_nearest_label() -> None:
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    image = Image.from_numpy(labels)
    same = prepare(Image.from_numpy(np.kron(labels, np.ones((2, 2), np.uint8))), EIGHT)
    doubled = prepare(image, EIGHT)
    expected = np.kron(labels, np.ones((2, 2), np.uint8))
    assert np.array_equal(prepare_mask(image, doubled)[0], expected)
    assert np.array_equal(prepare_mask(Image.from_numpy(expected), same)[0], expected)
    thirds = Image.from_numpy(np.kron(expected, np.ones((3, 3), np.uint8)))
    assert np.array_equal(prepare_mask(thirds, prepare(thirds, EIGHT))[0], expected)
