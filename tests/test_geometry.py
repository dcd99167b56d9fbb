"""Affines and plane spacings."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.errors import GeometryError
from hounsfield.geometry import Patient, Plane, shifted


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_spacing_and_orientation_are_nibabels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.2, 4, 3)
    affine[:3, 3] = rng.normal(size=3) * 100
    patient = Patient(affine)
    assert patient.spacing == pytest.approx(nib.affines.voxel_sizes(affine))
    cosines = np.abs(rotation)
    clear = np.sort(cosines, axis=0)[-1] - np.sort(cosines, axis=0)[-2]
    if clear.min() > 0.05:  # near a diagonal two answers are right
        assert patient.orientation == "".join(nib.aff2axcodes(affine))


@pytest.mark.parametrize(
    "affine",
    [np.eye(3), np.zeros((4, 4)), np.diag([1.0, 1, 0, 1]), np.diag([1.0, np.nan, 1, 1]),
     np.diag([1.0, 1, 1, 2])],
)  # fmt: skip
def test_what_is_no_affine_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(GeometryError):
        Patient(affine)


def test_small_voxels_are_no_singular_affine() -> None:
    """Electron microscopy: 4 × 4 × 40 nm; a hundred kilometres are no volume if they are flat."""
    assert Patient(np.diag([4e-6, 4e-6, 4e-5, 1])).spacing == (4e-6, 4e-6, 4e-5)
    flat = np.eye(4) * 1e8
    flat[3, 3], flat[:3, 2] = 1, (1e8, 0, 1)
    with pytest.raises(GeometryError, match="singular"):
        Patient(flat)


def test_planes_further_along_z() -> None:
    affine = np.array([[0, 0.5, 0.1, -3], [-0.8, 0, 0.2, 5], [0, 0.1, 1.2, 7], [0, 0, 0, 1.0]])
    further = shifted(Patient(affine, "1.2.3"), 2)
    assert isinstance(further, Patient)
    assert further.frame_uid == "1.2.3"
    np.testing.assert_allclose(further.affine @ [4, 3, 0, 1], affine @ [4, 3, 2, 1])
    assert shifted(None, 2) is None
    assert shifted(Plane((1, 2)), 2) == Plane((1, 2))


def test_an_affine_is_copied_and_cannot_be_written() -> None:
    mine = np.eye(4)
    patient = Patient(mine)
    mine[0, 3] = 5
    assert patient.affine[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        patient.affine[0, 3] = 5


@pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, -2), (1, float("nan")), (1, 1, 1)])
def test_what_is_no_plane_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError, match="positive"):
        Plane(spacing)  # type: ignore[arg-type]
