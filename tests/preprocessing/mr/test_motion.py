"""Motion and ghosting are what k-space makes of them; the scores order what was simulated."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.mr.artefacts import Artefacts, artefacts
from hounsfield.preprocessing.mr.motion import (
    Ghosting,
    Motion,
    Pose,
    RandomGhosting,
    RandomMotion,
    moved,
)


def oblique() -> np.ndarray:
    """Spacing (1.5, 2, 2.5), turned about the head's axis, x to the left."""
    c, s = np.cos(0.3), np.sin(0.3)
    affine = np.eye(4)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag([-1.5, 2.0, 2.5])
    affine[:3, 3] = (20, -30, 5)
    return affine


def head(noise: float = 0.0) -> Image:
    """A head of several tissues with fine structure, (1, 6, 96, 80), air on all four sides."""
    z, y, x = np.meshgrid(
        np.linspace(-1, 1, 6), np.linspace(-1.4, 1.4, 96), np.linspace(-1.6, 1.6, 80), indexing="ij"
    )
    r = np.sqrt(x**2 + 0.8 * y**2 + 0.3 * z**2)
    texture = 100.0 * (np.sin(9 * x) * np.sin(7 * y) > 0) * (r < 0.7)
    tissue = 700.0 * (r < 0.9) + 250 * (r < 0.7) - 500 * (r < 0.2) + texture
    rng = np.random.default_rng(0)
    complex_noise = rng.normal(0, 1, tissue.shape) + 1j * rng.normal(0, 1, tissue.shape)
    array = np.abs(tissue + noise * complex_noise).astype(np.float32)
    return Image(array[None], Patient(np.diag([2, 2, 4, 1.0])))


def nodding(size: float) -> Motion:
    """Three poses whose angles (degrees) and shifts (mm) grow with `size`."""
    return Motion(
        (
            Pose(0.3, (0, 0, size), (size, 0, 0)),
            Pose(0.55, (0, 0, -size), (0, size, 0)),
            Pose(0.8, (size, 0, 0), (0, -size, size)),
        )
    )


def test_who_does_not_move_is_not_changed() -> None:
    image = head()
    for still in (Motion(()), Motion((Pose(0.4),)), Ghosting(0.0)):
        np.testing.assert_allclose(still(image).array, image.array, atol=1e-3)


def test_who_moves_before_the_scan_is_elsewhere() -> None:
    image = head()
    pose = Pose(0.0, (0, 0, 5), (4, -6, 0))
    np.testing.assert_allclose(Motion((pose,))(image).array, moved(image, pose).array, atol=0.01)


def test_a_shift_by_whole_voxels_by_hand() -> None:
    image = head()
    shifted = moved(image, Pose(0, millimetres=(4, -6, 0)))  # 2 mm voxels: x + 2, y - 3
    np.testing.assert_allclose(shifted.array, np.roll(image.array, (-3, 2), (2, 3)), atol=1e-2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_turn_about_the_centre_of_the_grid(axis: int) -> None:
    """A blob's centroid lands where a rotation of its world position, done here, puts it."""
    affine = oblique()
    ball = np.zeros((25, 27, 29))
    z, y, x = np.indices(ball.shape)
    ball += np.exp(-((x - 18) ** 2 + (y - 9) ** 2 + (z - 15) ** 2) / 4)
    angles = [0.0, 0.0, 0.0]
    angles[axis] = 20.0
    pose = Pose(0, (angles[0], angles[1], angles[2]), (3.0, -2.0, 1.0))
    found = moved(Image(ball[None], Patient(affine)), pose).array[0]
    voxel = [float((found * index).sum() / found.sum()) for index in (x, y, z)]
    rest = (affine @ [18, 9, 15, 1])[:3]
    centre = (affine @ [14, 13, 12, 1])[:3]
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_euler("xyz", angles, degrees=True).apply(rest - centre) + centre
    expected = turned + np.array([3, -2, 1])
    np.testing.assert_allclose((affine @ [*voxel, 1])[:3], expected, atol=0.05)


@pytest.mark.parametrize(("axis", "index"), [("x", 3), ("y", 2), ("z", 1)])
def test_ghosts_by_hand(axis: str, index: int) -> None:
    """Period p lays copies of half the strength N/p to both sides; p = 2 one of the whole."""
    rng = np.random.default_rng(1)
    image = Image(rng.uniform(1, 2, (1, 12, 24, 36)).astype(np.float32))
    size = image.array.shape[index]
    nyquist = image.array + 0.3 * np.roll(image.array, size // 2, index)
    np.testing.assert_allclose(Ghosting(0.3, 2, axis)(image).array, nyquist, rtol=1e-5)
    both = np.roll(image.array, size // 4, index) + np.roll(image.array, -size // 4, index)
    expected = image.array + 0.15 * both
    np.testing.assert_allclose(Ghosting(0.3, 4, axis)(image).array, expected, rtol=1e-5)


def test_it_spreads_along_the_phase_encoding_axis_alone() -> None:
    image = head()
    columns = image.array.any((0, 1, 2))
    shaken = Motion((Pose(0.6, millimetres=(0, 8, 0)),), "y")(image).array
    assert np.abs(shaken[..., ~columns]).max() < 1e-2
    air = ~image.array.any((0, 1, 3))
    assert np.abs(shaken[:, :, air][..., columns]).mean() > 1
    ghosts = Ghosting(0.2, 3, "x")(image).array
    assert np.abs(ghosts[:, :, air]).max() < 1e-2


def test_chance_is_drawn_once() -> None:
    drawn = [RandomMotion(4, 2, 5).draw(np.random.default_rng(3)) for _ in range(2)]
    assert drawn[0] == drawn[1] != RandomMotion(4, 2, 5).draw(np.random.default_rng(4))
    assert len(drawn[0].poses) == 4
    for pose in drawn[0].poses:
        assert max(map(abs, pose.degrees)) <= 2
        assert max(map(abs, pose.millimetres)) <= 5
    image = head()
    assert np.array_equal(drawn[0](image).array, drawn[1](image).array)
    ghosts = [RandomGhosting().draw(np.random.default_rng(seed)) for seed in range(20)]
    assert all(0 <= one.strength <= 0.3 and 2 <= one.period <= 8 for one in ghosts)


def test_refusals() -> None:
    with pytest.raises(InputError, match="rising times"):
        Motion((Pose(0.5), Pose(0.2)))
    with pytest.raises(InputError, match="rising times"):
        Motion((Pose(1.0),))
    with pytest.raises(InputError, match="strength"):
        Ghosting(1.5)
    bare = Image(np.ones((1, 2, 8, 8)))
    with pytest.raises(GeometryError, match="millimetres"):
        nodding(1)(bare)
    with pytest.raises(InputError, match="one voxel along z"):
        Ghosting(0.1, 2, "z")(Image(np.ones((1, 1, 8, 8))))
    with pytest.raises(InputError, match="not finite"):
        Ghosting(0.1)(Image(np.full((1, 2, 8, 8), np.nan)))


def rising(values: list[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


SIZES, STRENGTHS = (0.5, 1, 2, 4), (0.05, 0.1, 0.2, 0.4)


def scored(image: Image, *changes: Motion | Ghosting) -> list[Artefacts]:
    return [artefacts(image), *(artefacts(change(image)) for change in changes)]


def test_scores_order_a_phantom() -> None:
    image = head(noise=10)
    shaken = scored(image, *map(nodding, SIZES))
    for values in (
        [one.blur for one in shaken],
        [one.entropy for one in shaken],
        [one.streaks[1] for one in shaken],
    ):
        assert rising(values), values
    ghosts = scored(image, *(Ghosting(strength) for strength in STRENGTHS))
    assert rising([one.ghost[1] for one in ghosts])
    # the ghost's own strength, by hand: the air under it is as bright as strength × body
    assert ghosts[3].ghost[1] == pytest.approx(0.2, abs=0.03)
    assert all(abs(one.ghost[0]) < 0.02 for one in ghosts)
    assert ghosts[0].streaks == pytest.approx((1, 1), abs=0.05)


def test_scores_find_the_real_phase_encoding_axis_and_order_real_heads(real_data: Path) -> None:
    """EPI of one head: its own ghosts lie along the axis that its name tells."""
    import nibabel as nib

    from hounsfield.interop import from_nibabel

    folder = real_data / "dicom-mr-nih" / "Ref"
    for way, axis in (("AP", 1), ("PA", 1), ("LR", 0), ("RL", 0)):
        (path,) = folder.glob(f"EPI_PE={way}_*.nii.gz")
        image = from_nibabel(nib.load(path))
        still = artefacts(image)
        assert still.streaks[axis] > 1.2, way
        assert still.streaks[1 - axis] < 0.8, way
        shaken = scored(image, *map(nodding, SIZES))
        assert rising([one.blur for one in shaken])
        assert rising([one.entropy for one in shaken])
        ghosts = scored(image, *(Ghosting(strength) for strength in STRENGTHS))
        assert rising([one.ghost[1] for one in ghosts])


def test_ghosts_of_a_crop_without_air(real_data: Path) -> None:
    """No air, so no ratio; the entropy still orders ghosts."""
    import nibabel as nib

    from hounsfield.interop import from_nibabel

    folder = real_data / "hippocampus" / "Task04_Hippocampus" / "imagesTr"
    for path in sorted(folder.glob("hippo*.nii.gz"))[:5]:
        ghosts = scored(from_nibabel(nib.load(path)), *map(Ghosting, STRENGTHS))
        assert np.isnan([*ghosts[0].ghost, *ghosts[0].streaks]).all()
        assert rising([one.entropy for one in ghosts])
