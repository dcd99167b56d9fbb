"""Rows of features: the numbers are the image's own, and their order is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hounsfield.errors import InputError, UsageError
from hounsfield.geometry import Plane
from hounsfield.image import RGB, Channel, Image
from hounsfield.preprocessing.vectorise import Histogram, Patches, Pixels, grey

RNG = np.random.default_rng(5)


def test_pixels_are_the_image_s_own() -> None:
    array = RNG.normal(0, 500, (2, 3, 5, 4)).astype(np.float32)
    rows, places = Pixels()(Image(array))
    assert np.array_equal(rows, array.reshape(1, -1))
    assert np.array_equal(places, [[0, 0, 0]])


def test_resized_pixels_keep_their_values() -> None:
    """As torch's antialiased resizing, in the image's own units."""
    array = RNG.uniform(-900, 1200, (1, 1, 40, 40)).astype(np.float32)
    rows, _ = Pixels((16, 16))(Image(array))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(array), (16, 16), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(rows.reshape(16, 16), expected[0, 0], atol=0.05)


def test_the_aspect_is_kept() -> None:
    array = np.full((1, 1, 10, 40), 7.0, np.float32)
    array[..., 0, 0] = 3
    rows, _ = Pixels((20, 20))(Image(array, Plane((0.5, 1.0))))  # in mm: 10 high, 20 wide
    picture = rows.reshape(20, 20)
    assert (picture[[0, -1]] == 3).all()
    assert picture[10].min() == pytest.approx(7)


def test_colour_becomes_grey() -> None:
    array = RNG.integers(0, 256, (3, 1, 6, 6), dtype=np.uint8)
    expected = 0.299 * array[0] + 0.587 * array[1] + 0.114 * array[2].astype(float)
    np.testing.assert_allclose(grey(Image(array, None, RGB))[0], expected, rtol=1e-5)
    rows, _ = Pixels()(Image(array, None, RGB))
    assert rows.shape == (1, 36)


def test_patches_by_hand() -> None:
    """Two channels, two slices, steps that leave a rest: each patch cut out here by slices."""
    array = np.arange(2 * 2 * 7 * 9, dtype=np.float32).reshape(2, 2, 7, 9)
    rows, places = Patches((3, 4), (2, 3))(Image(array))
    expected = [(z, y, x) for z in (0, 1) for y in (0, 2, 4) for x in (0, 3)]
    assert places.tolist() == [list(place) for place in expected]
    for row, (z, y, x) in zip(rows, expected, strict=True):
        assert np.array_equal(row, array[:, z, y : y + 3, x : x + 4].ravel())
    assert len(Patches((3, 4))(Image(array))[0]) == 2 * 2 * 2


def test_histograms_are_numpy_s() -> None:
    array = RNG.integers(0, 256, (1, 2, 20, 20), dtype=np.uint8)
    rows, _ = Histogram(16)(Image(array))
    np.testing.assert_allclose(rows[0], np.histogram(array, 16, (0, 255))[0] / array.size)
    values = np.array([[[[-5000.0, -1024, 0, 3071, 9000, np.nan]]]])
    rows, _ = Histogram(4)(Image(values, None, (Channel(unit="HU"),)))
    np.testing.assert_allclose(rows[0], [0.4, 0.2, 0, 0.4])


def test_refusals() -> None:
    small = Image(np.zeros((1, 1, 4, 4), np.int16))
    with pytest.raises(InputError, match="a patch of 8 × 8 is larger"):
        Patches((8, 8))(small)
    with pytest.raises(UsageError, match="int16 values without a range"):
        Histogram()(small)
    with pytest.raises(UsageError, match="above 0"):
        Patches((8, 0))
    with pytest.raises(UsageError, match="rises"):
        Histogram(8, (1, 1))


@pytest.mark.parametrize("size", [(0, 4), (16, 7), (20_000, 16)])
def test_a_size_that_pixels_cannot_have_is_refused_at_once(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="8 to 16384"):
        Pixels(size)
