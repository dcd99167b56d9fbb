"""Lungs of a thorax that is known: found, told apart, and distrusted where something is odd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield import formats
from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.ct.lungs import LEFT, RIGHT, lungs

SHAPE, MM = (60, 100, 130), (5.0, 3.0, 3.0)  # (Z, Y, X)


def coordinates() -> tuple[np.ndarray, ...]:
    """RAS mm from the centre: z up, y to the front, x to the right."""
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(SHAPE, MM, strict=True)]
    return tuple(np.meshgrid(*axes, indexing="ij"))


def ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    axes = zip(coordinates(), centre, radii, strict=True)
    return sum(((axis - c) / r) ** 2 for axis, c, r in axes) < 1


def thorax(bridge: float = 0.0, leak: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """HU (Z, Y, X) in RAS order, and the true labels.

    A body with fat, two lungs of different size with vessels, a trachea with two bronchi that
    reach into them, a stomach bubble, a table, padding beyond the scanner's circle.
    """
    z, y, x = coordinates()
    values = np.full(SHAPE, -1000.0)
    values[(y < -135) & (np.abs(x) < 150)] = 60  # the table
    values[(x / 175) ** 2 + (y / 125) ** 2 < 1] = -100
    values[(x / 165) ** 2 + (y / 115) ** 2 < 1] = 40
    truth = np.zeros(SHAPE, np.uint8)
    truth[ellipsoid((0, 0, 80), (115, 85, 55))] = RIGHT
    truth[ellipsoid((5, 0, -80), (105, 80, 50))] = LEFT
    values[truth > 0] = -850
    if bridge:  # where the lungs touch, in front of the heart
        where = (np.abs(y - 40) < bridge) & (np.abs(z) < 20) & (np.abs(x) < 45)
        values[where & (truth == 0)] = -800
    for side in (1,) if leak else (-1, 1):
        bronchus = ((y + 5) ** 2 + (z - 10 + 0.25 * np.abs(x)) ** 2 < 6**2) & (side * x > 0)
        bronchus &= np.abs(x) < 45
        values[bronchus & (truth == 0)] = -1000
    values[(x**2 + (y + 5) ** 2 < 9**2) & (z > 8)] = -1000
    values[ellipsoid((-120, 30, -60), (15, 30, 30))] = -1000
    vessels = (np.hypot(y - 20, z) < 5) | (np.hypot(y + 30, z - 30) < 5)
    values[vessels & (truth > 0)] = 40
    if leak:
        values[(np.abs(y) < 5) & (np.abs(z) < 8) & (x < -60)] = -900
    values += np.random.default_rng(0).normal(0, 15, SHAPE)
    values[x**2 + y**2 > 205**2] = -2000
    return values, truth


def as_image(values: np.ndarray, codes: str = "RAS") -> Image:
    """The thorax as stored along other axes: the body stays where it is."""
    import nibabel as nib

    from hounsfield.interop import from_nibabel

    affine = np.diag([*MM[::-1], 1.0])
    ras = nib.Nifti1Image(values.transpose(2, 1, 0).astype(np.float32), affine)
    wanted = nib.orientations.axcodes2ornt(codes)
    stored = ras.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(ras.affine), wanted)
    )
    return from_nibabel(stored)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("codes", ["RAS", "LPS"])
def test_known_lungs(codes: str) -> None:
    values, truth = thorax()
    found = lungs(as_image(values, codes))
    known = as_image(truth, codes).array
    for side in (RIGHT, LEFT):
        assert dice(found.mask.array == side, known == side) > 0.95
    litre = np.prod(MM) / 1000
    expected = [np.count_nonzero(truth == side) * litre for side in (RIGHT, LEFT)]
    assert found.millilitres == pytest.approx(expected, rel=0.05)
    assert found.notes == ()
    assert found.mask.array.dtype == np.uint8


def test_airways_and_stomach_are_no_lung() -> None:
    values, truth = thorax()
    mask = lungs(as_image(values)).mask.array[0]
    z, y, x = coordinates()
    trachea = (x**2 + (y + 5) ** 2 < 9**2) & (z > 20)
    assert np.count_nonzero(mask[trachea]) < 0.02 * np.count_nonzero(trachea)
    assert not mask[ellipsoid((-120, 30, -60), (15, 30, 30)) & (truth == 0)].any()


def test_vessels_are_closed_in() -> None:
    values, truth = thorax()
    image = as_image(values)
    with_vessels = lungs(image)
    without = lungs(image, closing=0)
    z, y, _ = coordinates()
    vessel = (np.hypot(y + 30, z - 30) < 5) & (truth > 0)
    filled = [np.count_nonzero(one.mask.array[0][vessel]) for one in (with_vessels, without)]
    assert filled[0] > 0.9 * np.count_nonzero(vessel)
    assert filled[1] < 0.05 * np.count_nonzero(vessel)


def test_lungs_that_touch_are_told_apart() -> None:
    values, truth = thorax(bridge=7)
    found = lungs(as_image(values))
    assert found.notes == ()
    for side in (RIGHT, LEFT):
        assert dice(found.mask.array[0] == side, truth == side) > 0.95


def test_a_wide_connection_is_told() -> None:
    found = lungs(as_image(thorax(bridge=30)[0]))
    assert "could not be separated" in found.notes[0]


def test_a_leak_is_told() -> None:
    values, truth = thorax(leak=True)
    found = lungs(as_image(values))
    assert ["left lung is open" in note and "(a leak)" in note for note in found.notes] == [True]
    assert dice(found.mask.array[0] == RIGHT, truth == RIGHT) > 0.95


def test_a_windpipe_that_leads_outside_is_no_leak() -> None:
    """Head and chest in one scan: the airway opens in front of the face."""
    values, truth = thorax()
    z, y, x = coordinates()
    values[(np.abs(x) < 12) & (y > -5) & (z > 135)] = -1000
    found = lungs(as_image(values))
    assert found.notes == ()
    for side in (RIGHT, LEFT):
        assert dice(found.mask.array[0] == side, truth == side) > 0.95


def test_bowel_gas_alone_is_no_lung() -> None:
    values, truth = thorax()
    values[truth > 0] = 40
    with pytest.raises(InputError, match="no lung"):
        lungs(as_image(values))


def test_what_is_cut_off_is_told() -> None:
    values, _ = thorax()
    found = lungs(as_image(values[20:]))
    assert [note for note in found.notes if "cut off at the first slice" in note]
    assert not [note for note in found.notes if "last slice" in note]


def test_thin_slices_find_the_same() -> None:
    """Twice as fine a grid takes the coarser inner steps, and finds the same volume."""
    values, _ = thorax()
    fine = np.repeat(np.repeat(values[::2], 4, 1), 4, 2)[:, 60:-60, 50:-50].astype(np.float32)
    affine = np.diag([0.75, 0.75, 10, 1.0])
    found = lungs(Image(fine[None], Patient(affine)))
    assert found.millilitres == pytest.approx(lungs(as_image(values)).millilitres, rel=0.03)


def test_refusals() -> None:
    values, _ = thorax()
    image = as_image(values)
    with pytest.raises(InputError, match="no lung"):
        lungs(Image(np.full((1, 8, 8, 8), 40.0), Patient(np.eye(4))))
    with pytest.raises(InputError, match="no lung"):  # all air is outside
        lungs(Image(np.full((1, 8, 8, 8), -1000.0), Patient(np.eye(4))))
    with pytest.raises(GeometryError, match="right, left"):
        lungs(Image(image.array))
    with pytest.raises(InputError, match="Bq/ml"):
        lungs(Image(image.array, image.geometry, (Channel(unit="Bq/ml"),)))


def test_a_head_has_none(real_data: Path) -> None:
    """Sinuses and mastoids are air within the body, too little to be lungs."""
    with pytest.raises(InputError, match="no lung"):
        lungs(formats.read(real_data / "dicom-ct-tilt" / "In"))
