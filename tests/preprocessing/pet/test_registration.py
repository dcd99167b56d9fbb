"""Rigid registration finds a planted move of the phantom, the same each time, and says how well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hounsfield.catalog.phantoms.pet_ct import Settings
from hounsfield.catalog.phantoms.pet_ct_body import draw
from hounsfield.catalog.phantoms.pet_ct_scan import rigid, see_ct, see_pet
from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Image
from hounsfield.preprocessing.pet import registration
from hounsfield.preprocessing.pet.registration import Registration, moved, register

PLANTED = Settings(voxel=12, shift=(12.0, -9.0, 15.0), turn=(3.0, -4.0, 5.0))


@pytest.fixture(scope="module", autouse=True)
def few_samples() -> Iterator[None]:
    """Enough for this small phantom, and quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "SAMPLES", 10_000)
        yield


def scans(settings: Settings) -> tuple[Image, Image]:
    body = draw(np.random.default_rng(3), 6)
    ct = see_ct(body, settings, np.random.default_rng(1))
    pet = see_pet(body, settings, np.random.default_rng(2))
    return (
        Image(ct.voxels[None], Patient(ct.affine, "1.2.3")),
        Image(pet.voxels[None], Patient(pet.affine, "1.2.3")),
    )


@pytest.fixture(scope="module")
def found() -> tuple[Image, Image, Registration]:
    ct, pet = scans(PLANTED)
    return ct, pet, register(ct, pet)


def apart(made: Registration, settings: Settings) -> tuple[float, float]:
    """Millimetres at the middle and degrees between what was found and what was planted."""
    rest = made.ras_fixed_from_ras_moving @ rigid(settings)
    shift = np.linalg.norm((rest @ (*made.centre, 1))[:3] - made.centre)
    return float(shift), float(np.degrees(np.arccos(min(1, (np.trace(rest[:3, :3]) - 1) / 2))))


def test_a_planted_move_is_found(found: tuple[Image, Image, Registration]) -> None:
    mm, degrees = apart(found[2], PLANTED)
    assert mm < 1
    assert degrees < 1
    assert found[2].after > 1.3 * found[2].before
    assert found[2].residual < 6
    assert found[2].degrees == pytest.approx(7.05, abs=1)  # 3, -4 and 5° together, by hand
    assert "turned by" in str(found[2])


def test_the_same_each_time(found: tuple[Image, Image, Registration]) -> None:
    again = register(found[0], found[1])
    np.testing.assert_array_equal(
        again.ras_fixed_from_ras_moving, found[2].ras_fixed_from_ras_moving
    )
    assert again.residual == found[2].residual


def test_moved_keeps_the_voxels_and_carries_a_place_along(
    found: tuple[Image, Image, Registration],
) -> None:
    _, pet, made = found
    there = moved(pet, made, "1.2.3")
    assert there.array is pet.array
    assert isinstance(there.geometry, Patient)
    assert isinstance(pet.geometry, Patient)
    assert there.geometry.frame_uid == "1.2.3"
    voxel = np.array([20.0, 11.0, 30.0, 1.0])
    liver = np.array([72.0, 12.0, -78.0, 1.0])
    seen = rigid(PLANTED) @ liver  # in the PET's world
    np.testing.assert_allclose(made.ras_fixed_from_ras_moving @ seen, liver, atol=2)
    np.testing.assert_allclose(
        there.geometry.affine @ voxel,
        made.ras_fixed_from_ras_moving @ pet.geometry.affine @ voxel,
    )


def test_what_lies_right_already_stays(found: tuple[Image, Image, Registration]) -> None:
    ct, pet = scans(PLANTED.model_copy(update={"shift": (0.0,) * 3, "turn": (0.0,) * 3}))
    made = register(ct, pet)
    assert np.linalg.norm(made.shift) < 1.5
    assert made.degrees < 0.7
    assert made.after >= made.before


def test_volumes_far_apart_begin_centre_upon_centre(
    found: tuple[Image, Image, Registration],
) -> None:
    ct, pet, _ = found
    assert isinstance(pet.geometry, Patient)
    away = pet.geometry.affine.copy()
    away[:3, 3] += 2000
    made = register(ct, replace(pet, geometry=Patient(away, "9.9")))
    assert made.before == 0
    by_hand = made.ras_fixed_from_ras_moving.copy()
    by_hand[:3, 3] += by_hand[:3, :3] @ np.full(3, 2000.0)
    mm, degrees = apart(replace(made, ras_fixed_from_ras_moving=by_hand), PLANTED)
    assert mm < 1.5
    assert degrees < 1.5


def bad_images() -> dict[str, Any]:
    cube = np.zeros((1, 9, 8, 7), np.float32)
    ramp = np.linspace(0, 1, cube.size, dtype=np.float32).reshape(cube.shape)
    sheared = np.eye(4)
    sheared[0, 2] = 0.3
    return {
        "no place in a patient": Image(ramp[:, :1], Plane((1.0, 1.0))),
        "one value only": Image(cube, Patient(np.eye(4))),
        "no numbers": Image(np.where(ramp > 0.5, np.nan, ramp), Patient(np.eye(4))),
        "sheared": Image(ramp, Patient(sheared)),
    }


@pytest.mark.parametrize("said", bad_images())
def test_what_cannot_be_registered_is_refused(
    said: str, found: tuple[Image, Image, Registration]
) -> None:
    with pytest.raises((GeometryError, InputError), match=said):
        register(found[0], bad_images()[said])


def test_the_figure_tells_the_residual(found: tuple[Image, Image, Registration]) -> None:
    from hounsfield.preprocessing.pet.registration_figure import figure

    drawn = figure(*found)
    title = drawn._suptitle.get_text()
    assert f"there and back {found[2].residual:.1f} mm off" in title
    assert [axis.get_title() for axis in drawn.axes if axis.get_title()] == ["before", "after"]
