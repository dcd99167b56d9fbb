"""Flip, reorient, crop, pad: the same voxels, each where it was in the world."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import affines, assert_in_place, world_image, world_images

from hounsfield import interop
from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Channel, Image
from hounsfield.spatial import crop, flip, pad, reorient

ORIENTATIONS = ["RAS", "LPS", "SRP", "AIL", "PSR", "LAI"]
AXES = st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True).map("".join)


@given(world_images, AXES)
def test_a_flip_moves_no_voxel_in_the_world_and_undoes_itself(image: Image, axes: str) -> None:
    flipped = flip(image, axes)
    assert_in_place(flipped)
    again = flip(flipped, axes)
    np.testing.assert_array_equal(again.array, image.array)
    np.testing.assert_allclose(again.geometry.affine, image.geometry.affine, atol=1e-12)
    if image.shape["xyz".index(axes[0]) * -1 + 3] > 1:
        assert not np.array_equal(flipped.array, image.array)


@given(world_images, st.sampled_from(ORIENTATIONS))
def test_reorienting_moves_no_voxel_in_the_world(image: Image, orientation: str) -> None:
    turned = reorient(image, orientation)
    assert_in_place(turned)
    assert turned.geometry.orientation == orientation
    assert sorted(turned.shape) == sorted(image.shape)
    back = reorient(turned, image.geometry.orientation)
    np.testing.assert_array_equal(back.array, image.array)
    assert reorient(turned, orientation) is turned


@given(affines)
def test_reorienting_to_ras_is_nibabels_closest_canonical(affine: np.ndarray) -> None:
    array = np.arange(3 * 4 * 5, dtype=np.int16).reshape(1, 3, 4, 5)
    image = Image(array, Patient(affine))
    codes = nib.aff2axcodes(affine)
    if "".join(codes) != image.geometry.orientation:
        return  # near a diagonal two answers are right
    peer = nib.as_closest_canonical(interop.to_nibabel(image))
    ours = reorient(image, "RAS")
    np.testing.assert_array_equal(ours.array[0], np.asarray(peer.dataobj).T)
    np.testing.assert_allclose(ours.geometry.affine, peer.affine, atol=1e-9)


@given(world_images, st.data())
def test_crop_and_pad_move_no_voxel_in_the_world(image: Image, data: st.DataObject) -> None:
    size = image.shape[:0:-1]
    start = [data.draw(st.integers(0, n - 1)) for n in size]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, size, strict=True)]
    part = crop(image, start, stop)
    assert part.shape[:0:-1] == tuple(np.subtract(stop, start))
    assert_in_place(part)
    back = pad(part, start, np.subtract(size, stop), fill=9e9)
    assert back.shape == image.shape
    assert_in_place(back, back.array[0] != 9e9)
    assert (back.array[0] != 9e9).sum() == part.array[0].size


def test_a_plane_is_cropped_and_padded_in_the_plane() -> None:
    image = Image.from_numpy(np.arange(20, dtype=np.uint8).reshape(4, 5), spacing=(0.5, 0.7))
    part = crop(image, (1, 2), (4, 3))
    assert part.array.tolist() == [[[[11, 12, 13]]]]
    assert part.geometry == Plane((0.5, 0.7))
    assert pad(part, (1, 0), (0, 1), fill=7).array.tolist() == [
        [[[7, 11, 12, 13], [7, 7, 7, 7]]]
    ]  # fmt: skip
    assert flip(part, "x").array.tolist() == [[[[13, 12, 11]]]]
    with pytest.raises(GeometryError, match="left and right"):
        reorient(part)


def test_padding_is_air_around_ct_and_nothing_around_a_mask() -> None:
    two = Image(np.array([[[[-1000, 40]]], [[[1, 2]]]], np.int16), Patient(np.eye(4)))
    assert pad(two, (1, 0, 0), (0, 0, 0)).array[:, 0, 0, 0].tolist() == [-1000, 0]


def test_what_a_writer_needs_is_kept_where_it_is_still_true() -> None:
    stored = {"slope": 2.0, "intercept": 1, "source_uid": "1.2", "dim": (1, 2), "slopes": [1, 2]}
    names = (Channel("PET", "SUV"), Channel("CT", "HU"))
    image = Image(np.zeros((2, 2, 3, 4), np.int16), Patient(np.eye(4), "1.2.3"), names, stored)
    for moved in (flip(image, "z"), crop(image, (0, 0, 1), (1, 2, 2)), reorient(image, "LPS")):
        assert dict(moved.stored) == {"slope": 2.0, "intercept": 1}
        assert moved.channels == names
        assert moved.geometry.frame_uid == "1.2.3"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: crop(image, (0, 0, 0), (9, 1, 1)),
        lambda image: crop(image, (-1, 0, 0), (1, 1, 1)),
        lambda image: crop(image, (1, 1, 1), (1, 2, 2)),
        lambda image: crop(image, (0.5, 0, 0), (1, 1, 1)),
        lambda image: pad(image, (-1, 0, 0), (1, 1, 1)),
        lambda image: pad(image, (1, 0, 0), (1, 1, 1), fill=300),
        lambda image: pad(image, (1, 0, 0), (1, 1, 1), fill=float("nan")),
    ],
)
def test_nonsense_is_refused(change: object) -> None:
    image = Image(np.zeros((1, 2, 3, 4), np.uint8), Patient(np.eye(4)))
    with pytest.raises(InputError):
        change(image)  # type: ignore[operator]


@pytest.mark.parametrize("orientation", ["RA", "RLS", "ras", "RASI", "", "XYZ"])
def test_an_unknown_orientation_is_refused(orientation: str) -> None:
    with pytest.raises(UsageError, match="three letters"):
        reorient(world_image((2, 2, 2), np.eye(4)), orientation)


@pytest.mark.parametrize("axes", ["", "xx", "w"])
def test_unknown_axes_are_refused(axes: str) -> None:
    with pytest.raises(UsageError, match="each once"):
        flip(world_image((2, 2, 2), np.eye(4)), axes)


def test_a_padding_that_no_memory_holds_is_refused() -> None:
    image = Image(np.zeros((2, 3, 4, 5), np.int16), Patient(np.eye(4)))
    with pytest.raises(InputError, match=r"1,000,005 × 1,000,004 × 3 voxels .* channels: 2"):
        pad(image, (1_000_000, 1_000_000), (0, 0))
