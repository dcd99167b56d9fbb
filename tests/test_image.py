"""The one image: what it takes, what it refuses, that it stays as it is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image


@pytest.mark.parametrize(
    ("shape", "full"),
    [((4, 5), (1, 1, 4, 5)), ((3, 4, 5), (1, 3, 4, 5)), ((2, 3, 4, 5), (2, 3, 4, 5))],
)
def test_arrays_of_two_to_four_axes(shape: tuple[int, ...], full: tuple[int, ...]) -> None:
    assert Image.from_numpy(np.zeros(shape)).shape == full


def test_colours_become_channels() -> None:
    colours = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image = Image.from_numpy(colours, colour=True)
    np.testing.assert_array_equal(image.array[:, 0, 2, 3], colours[2, 3])
    assert image.channels == RGB


def test_spacing_and_affine_become_geometry() -> None:
    flat, deep = np.zeros((4, 5)), np.zeros((3, 4, 5))
    assert Image.from_numpy(flat, spacing=(0.1, 0.2)).geometry == Plane((0.1, 0.2))
    assert Image.from_numpy(deep, spacing=(0.1, 0.2, 3)).spacing == pytest.approx((0.1, 0.2, 3))
    affine = np.diag([2.0, 3, 4, 1])
    geometry = Image.from_numpy(deep, affine=affine).geometry
    assert isinstance(geometry, Patient)
    np.testing.assert_array_equal(geometry.affine, affine)


@pytest.mark.parametrize(
    "spacing", [(0.1, 0.2, 0), (0.1, -0.2, 3), (0.1, 0.2, float("nan")), (0.1, 0), (1,), (1,) * 4]
)
def test_a_spacing_that_is_none_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError):
        Image.from_numpy(np.zeros((3, 4, 5)), spacing=spacing)


def test_spacing_and_affine_exclude_each_other() -> None:
    with pytest.raises(GeometryError, match="spacing and affine"):
        Image.from_numpy(np.zeros((3, 4, 5)), spacing=(1, 1, 1), affine=np.eye(4))


def test_without_geometry_there_are_no_millimetres() -> None:
    with pytest.raises(GeometryError, match="no millimetres"):
        _ = Image.from_numpy(np.zeros((4, 5))).spacing


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 5)), np.zeros((1, 0, 4, 5)), np.zeros((1, 1, 4, 5), complex),
     np.zeros((1, 1, 4, 5), object)],
)  # fmt: skip
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError):
        Image(array)


def test_channels_are_counted() -> None:
    with pytest.raises(InputError, match="1 channels named for 2"):
        Image(np.zeros((2, 1, 4, 5)), channels=(Channel("one"),))


def test_it_is_a_value() -> None:
    image = Image.from_numpy(np.zeros((4, 5)))
    with pytest.raises(FrozenInstanceError):
        image.geometry = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        image.stored["a"] = 1  # type: ignore[index]
    moved = replace(image, geometry=Plane((1, 1)))
    assert image.geometry is None
    assert moved.array is image.array


def test_its_words_and_its_picture() -> None:
    array = np.zeros((1, 3, 4, 5), np.float32)
    array[0, 1, 0, 0] = np.nan
    array[0, 1, 3, 4] = 5
    image = Image(array, Patient(np.diag([1.0, 2, 3, 1])), (Channel(unit="HU"),))
    assert repr(image) == "Image(1×3×4×5 float32, HU, Patient(RAS, 1×2×3 mm))"
    both = Image(np.zeros((2, 1, 2, 2)), None, (Channel(unit="g/mL"), Channel(unit="HU")))
    assert repr(both) == "Image(2×1×2×2 float64, g/mL, HU, None)"  # in the channels' order
    picture = np.asarray(Picture.open(BytesIO(image._repr_png_())))
    assert picture.shape == (4, 5)
    assert picture[3, 4] == 255
