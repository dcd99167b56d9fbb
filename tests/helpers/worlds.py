"""Images whose three channels hold the world position of each voxel, so that any move shows."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hounsfield.geometry import Patient
from hounsfield.image import Image

KINDS = ("straight", "mirrored", "permuted", "oblique", "sheared")


def affine_of(seed: int, kind: str) -> np.ndarray:
    """An affine of anisotropic voxels of a kind."""
    rng = np.random.default_rng(seed)
    matrix = np.diag(rng.uniform(0.4, 3, 3))
    if kind == "mirrored":
        matrix = matrix * rng.choice([-1, 1], 3)
    if kind == "permuted":
        matrix = matrix[rng.permutation(3)] * rng.choice([-1, 1], 3)[:, None]
    if kind in ("oblique", "sheared"):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        shear = np.eye(3) + (kind == "sheared") * np.triu(rng.uniform(-0.4, 0.4, (3, 3)), 1)
        matrix = turn @ shear @ matrix
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return affine


def positions(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """World x, y, z (3, Z, Y, X) of the voxels of a grid (Z, Y, X)."""
    z, y, x = np.indices(shape)
    return (
        np.einsum("ij,jzyx->izyx", affine[:3, :3], np.stack([x, y, z]))
        + affine[:3, 3, None, None, None]
    )


def world_image(shape: tuple[int, ...], affine: np.ndarray) -> Image:
    return Image(positions(shape, affine), Patient(affine))


shapes = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8))
affines = st.builds(affine_of, st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
world_images = st.builds(world_image, shapes, affines)


def assert_in_place(image: Image, where: np.ndarray | None = None, atol: float = 1e-9) -> None:
    """Each voxel holds the position that the geometry gives it."""
    assert isinstance(image.geometry, Patient)
    expected = positions(image.shape[1:], image.geometry.affine)
    got, expected = (image.array, expected) if where is None else (
        image.array[:, where], expected[:, where]
    )  # fmt: skip
    np.testing.assert_allclose(got, expected, atol=atol, rtol=0)
