"""Images to and from nibabel and SimpleITK, on bodies with a left and a right."""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield import interop
from hounsfield.errors import GeometryError, MissingExtraError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image

ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)
SIZES = st.tuples(*[st.floats(0.2, 4)] * 3)


def body(angles: tuple[float, ...], sizes: tuple[float, ...], mirrored: bool = False) -> Image:
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        one[[a, a, b, b], [a, b, a, b]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        rotation = rotation @ one
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * (1, 1, -1 if mirrored else 1)
    affine[:3, 3] = (-11.5, 7.25, 40)
    array = np.arange(60, dtype=np.int16).reshape(1, 3, 4, 5)
    return Image(array, Patient(affine))


@given(ANGLES, SIZES, st.booleans())
@settings(max_examples=50, deadline=None)
def test_simpleitk_puts_every_voxel_where_we_do(
    angles: tuple[float, ...], sizes: tuple[float, ...], mirrored: bool
) -> None:
    image = body(angles, sizes, mirrored)
    other = interop.to_sitk(image)
    for x, y, z in ((0, 0, 0), (4, 0, 2), (1, 3, 1)):
        left, back, up = other.TransformIndexToPhysicalPoint((x, y, z))
        assert isinstance(image.geometry, Patient)
        here = image.geometry.affine @ [x, y, z, 1]
        np.testing.assert_allclose((-left, -back, up), here[:3], atol=1e-6)
        assert other.GetPixel(x, y, z) == image.array[0, z, y, x]
    again = interop.from_sitk(other)
    np.testing.assert_array_equal(again.array, image.array)
    assert isinstance(again.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, image.geometry.affine, atol=1e-6)


@given(ANGLES, SIZES)
@settings(max_examples=20, deadline=None)
def test_nibabel_and_back(angles: tuple[float, ...], sizes: tuple[float, ...]) -> None:
    image = body(angles, sizes)
    other = interop.to_nibabel(image)
    assert other.shape == (5, 4, 3)
    assert np.asarray(other.dataobj)[4, 0, 2] == image.array[0, 2, 0, 4]
    again = interop.from_nibabel(other)
    np.testing.assert_array_equal(again.array, image.array)
    assert isinstance(image.geometry, Patient)
    assert isinstance(again.geometry, Patient)
    np.testing.assert_allclose(again.geometry.affine, image.geometry.affine)


def test_channels_become_volumes_and_vectors() -> None:
    array = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    image = Image(array, Patient(np.diag([1.0, 2, 3, 1])))
    assert interop.to_nibabel(image).shape == (5, 4, 3, 2)
    np.testing.assert_array_equal(interop.from_nibabel(interop.to_nibabel(image)).array, array)
    other = interop.to_sitk(image)
    assert other.GetNumberOfComponentsPerPixel() == 2
    assert other.GetPixel(4, 1, 2) == (array[0, 2, 1, 4], array[1, 2, 1, 4])
    np.testing.assert_array_equal(interop.from_sitk(other).array, array)


def test_a_plane_is_two_dimensional() -> None:
    image = Image(np.ones((1, 1, 4, 5), bool), Plane((0.2, 0.3)))
    other = interop.to_sitk(image)
    assert other.GetSpacing() == (0.2, 0.3)
    assert interop.from_sitk(other).geometry == Plane((0.2, 0.3))
    with pytest.raises(GeometryError, match="no affine"):
        interop.to_nibabel(image)


def test_a_turned_plane_is_refused() -> None:
    other = interop.to_sitk(Image(np.zeros((1, 1, 4, 5), np.uint8), Plane((0.1, 0.2))))
    other.SetDirection((-1, 0, 0, 1))
    with pytest.raises(GeometryError, match="direction"):
        interop.from_sitk(other)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [("int64", "int64"), ("uint64", "uint64"), ("float16", "float32"), ("bool", "uint8")],
)
def test_nibabel_takes_every_type(kind: str, theirs: str) -> None:
    array = np.arange(60).reshape(1, 3, 4, 5).astype(kind)
    other = interop.to_nibabel(Image(array, Patient(np.diag([2.0, 3, 4, 1]))))
    assert other.get_data_dtype() == theirs
    np.testing.assert_array_equal(np.asanyarray(other.dataobj), array[0].T)


def test_what_cannot_be_kept_is_refused() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    array = np.zeros((1, 2, 3, 4), np.int16)
    with pytest.raises(GeometryError, match="sheared"):
        interop.to_sitk(Image(array, Patient(sheared)))
    with pytest.raises(GeometryError, match="1 mm"):
        interop.to_sitk(Image(array))
    assert interop.to_nibabel(Image(array)).affine is None
    assert (
        interop.from_nibabel(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), None)).geometry is None
    )


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtraError, match="pip install SimpleITK"):
        interop.to_sitk(Image(np.zeros((1, 1, 2, 2)), Plane((1, 1))))


def test_itk_images_of_four_dimensions_are_refused() -> None:
    with pytest.raises(Exception, match="4 dimensions"):
        interop.from_sitk(sitk.Image([2, 2, 2, 2], sitk.sitkInt16))
