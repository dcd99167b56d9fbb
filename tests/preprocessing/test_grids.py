"""Contrasts of one body are stacked where their grids agree; else it is told how they differ."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.grids import difference, stack

AFFINE = np.array([[-1, 0.02, 0, 90], [0.02, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1.0]])
CONTRASTS = ("FLAIR", "T1", "T1ce", "T2")


def contrast(number: int, affine: np.ndarray = AFFINE) -> Image:
    array = np.arange(155 * 6 * 7, dtype=np.int16).reshape(1, 155, 6, 7) + number
    return Image(array, Patient(affine), (Channel("volume", time=1.0),))


def test_four_contrasts_of_155_slices() -> None:
    images = {name: contrast(number) for number, name in enumerate(CONTRASTS)}
    whole = stack(images)
    assert whole.shape == (4, 155, 6, 7)
    assert [channel.name for channel in whole.channels] == list(CONTRASTS)
    assert whole.channels[0].time == 1.0
    assert np.array_equal(whole.array[2], images["T1ce"].array[0])
    assert np.array_equal(whole.geometry.affine, AFFINE)


def test_rounding_is_no_difference_but_a_hundredth_of_a_millimetre_is() -> None:
    close, apart = AFFINE.copy(), AFFINE.copy()
    close[:3, 3] += 3e-4
    apart[2, 2] += 1e-4  # 154 slices on: 0.0154 mm
    assert stack({"a": contrast(0), "b": contrast(1, close)}).shape[0] == 2
    with pytest.raises(GeometryError, match=r"b does not lie on the grid of a: corners .* 0\.0154"):
        stack({"a": contrast(0), "b": contrast(1, apart)})


def mirrored() -> np.ndarray:
    """The same corners in space, x counted from the other side."""
    return AFFINE @ np.array([[-1, 0, 0, 6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (contrast(0, mirrored()), "axes LAS against RAS|axes RAS against LAS"),
        (contrast(0, AFFINE @ np.diag([2, 2, 1, 1.0])), "voxels of 2 × 2 × 1 mm against 1"),
        (Image(contrast(0).array[:, :154], Patient(AFFINE)), "7 × 6 × 154 voxels against 7 × 6"),
        (Image(contrast(0).array), "the geometry is None against Patient"),
    ],
)
def test_it_is_told_how_they_differ(other: Image, told: str) -> None:
    with pytest.raises(GeometryError, match=told):
        stack({"T1": contrast(0), "T2": other})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, None, True),
        (Plane((0.2, 0.3)), Plane((0.2, 0.3)), True),
        (Plane((0.2, 0.3)), Plane((0.3, 0.2)), False),
        (Plane((0.2, 0.3)), None, False),
    ],
)
def test_planes(one: Geometry, other: Geometry, same: bool) -> None:
    array = np.zeros((1, 1, 40, 50))
    assert (difference(Image(array, one), Image(array, other)) is None) is same


def test_several_channels_are_numbered_and_nothing_is_refused() -> None:
    two = Image(np.zeros((2, 1, 2, 2)))
    assert [c.name for c in stack({"dwi": two}).channels] == ["dwi 0", "dwi 1"]
    with pytest.raises(InputError, match="nothing to stack"):
        stack({})
