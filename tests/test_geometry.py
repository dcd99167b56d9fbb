"""Affines and plane spacings."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hounsfield.errors import GeometryError
from hounsfield.geometry import Patient, Plane


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
