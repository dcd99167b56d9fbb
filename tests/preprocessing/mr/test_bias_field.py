"""N4: a field that is known is found again, the place is kept, and what is no MR is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield import formats, interop
from hounsfield.errors import GeometryError, InputError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image
from hounsfield.preprocessing.mr.bias_field import N4, BiasCorrected, correct_bias, variation

QUICK = N4(shrink=2, iterations=(30, 30, 30))
AFFINE = np.array([[-1.9, 0.3, 0, 60], [0.3, 1.9, 0.2, -55], [0, -0.1, 4, 10], [0, 0, 0, 1.0]])


def head(shape: tuple[int, int, int] = (16, 40, 44)) -> tuple[np.ndarray, np.ndarray]:
    """A head of three tissues (Z, Y, X), and a smooth field that makes one side brighter."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    tissue = 700.0 * (r < 0.9) + 250 * (r < 0.65) - 550 * (r < 0.2)
    return tissue, np.exp(0.35 * x + 0.25 * y**2 - 0.2 * z)


@pytest.fixture(scope="module")
def biased() -> Image:
    tissue, field = head()
    noise = np.random.default_rng(0).normal(0, 10, tissue.shape)
    return Image(np.abs(tissue * field + noise)[None].astype(np.float32), Patient(AFFINE))


@pytest.fixture(scope="module")
def found(biased: Image) -> BiasCorrected:
    return correct_bias(biased, how=QUICK)


def test_a_known_field_is_found(found: BiasCorrected) -> None:
    _, field = head()
    inside = found.mask.array[0] > 0
    assert variation(field[inside]) > 0.15
    assert variation(found.field.array[0][inside] / field[inside]) < 0.02
    assert found.cv_after[0] < found.cv_before[0] - 0.02


def test_image_times_field_is_what_was_given(found: BiasCorrected, biased: Image) -> None:
    np.testing.assert_allclose(found.image.array * found.field.array, biased.array, rtol=1e-5)
    assert np.array_equal(found.image.geometry.affine, AFFINE)  # exactly
    inside = found.mask.array[0] > 0
    assert np.log(found.field.array[0][inside]).mean() == pytest.approx(0, abs=1e-5)


def test_the_same_with_any_number_of_threads(found: BiasCorrected, biased: Image) -> None:
    from SimpleITK import ProcessObject

    threads = 5
    before = ProcessObject.GetGlobalDefaultNumberOfThreads()
    ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    try:
        again = correct_bias(biased, how=QUICK)
        assert ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert np.array_equal(again.field.array, found.field.array)


def test_channels_have_their_own_fields_and_keep_their_names(biased: Image) -> None:
    mirrored = biased.array[:, :, :, ::-1]
    both = Image(
        np.concatenate([biased.array, mirrored]),
        biased.geometry,
        (Channel("T1"), Channel("T2")),
    )
    found = correct_bias(both, how=N4(shrink=4, iterations=(20, 20)))
    assert [channel.name for channel in found.image.channels] == ["T1", "T2"]
    left, right = found.field.array[:, 8, 20, 8]
    assert left < 0.9
    assert right > 1.1


def test_a_slice_is_a_picture(biased: Image) -> None:
    one = Image(biased.array[:, 8:9], Plane((2, 2)))
    found = correct_bias(one, how=QUICK)
    assert found.image.geometry == Plane((2, 2))
    assert found.cv_after[0] < found.cv_before[0]


def test_a_mask_on_another_grid_is_told(biased: Image) -> None:
    mask = np.ones(biased.shape, np.uint8)
    moved = AFFINE.copy()
    moved[0, 3] += 1.5
    with pytest.raises(GeometryError, match=r"the mask .* corners lie up to 1\.5 mm apart"):
        correct_bias(biased, Image(mask, Patient(moved)))
    with pytest.raises(GeometryError, match="44 × 40 × 15 voxels against 44 × 40 × 16"):
        correct_bias(biased, Image(mask[:, 1:], Patient(AFFINE)))
    with pytest.raises(InputError, match="the mask is empty"):
        correct_bias(biased, Image(mask * 0, Patient(AFFINE)))


def test_what_is_no_mr_is_refused(biased: Image) -> None:
    with pytest.raises(InputError, match="CT"):
        correct_bias(Image(biased.array, None, (Channel(unit="HU"),)))
    for unit in ("°C", "g/mL", "reflectance"):
        with pytest.raises(InputError, match=f"in {unit}"):
            correct_bias(Image(biased.array, None, (Channel(unit=unit),)))
    with pytest.raises(InputError, match="colour"):
        correct_bias(Image(np.concatenate([biased.array] * 3), None, RGB))
    with pytest.raises(InputError, match="not above 0"):
        correct_bias(Image(biased.array - 5000))
    with pytest.raises(InputError, match="one value only"):
        correct_bias(Image(biased.array * 0))
    broken = biased.array.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        correct_bias(Image(broken))
    with pytest.raises(InputError, match="at least 4"):
        correct_bias(Image(biased.array[:, :3]))
    with pytest.raises(InputError, match="shrink factor of 0"):
        N4(shrink=0)


def test_a_real_brain(real_data: Path) -> None:
    path = real_data / "nrrd" / "brain1_image.nrrd"
    import SimpleITK

    image = interop.from_sitk(SimpleITK.ReadImage(str(path)))
    found = correct_bias(image, how=N4(shrink=8, iterations=(20, 20, 20)))
    assert found.cv_after[0] < found.cv_before[0] * 0.95
    assert np.array_equal(found.image.geometry.affine, image.geometry.affine)


def test_a_real_diffusion_image(real_data: Path) -> None:
    image = formats.read(real_data / "minc" / "mincex_diff-B0.mnc")
    found = correct_bias(image, how=N4(shrink=8, iterations=(10, 10)))
    assert found.cv_after[0] < found.cv_before[0]
    assert np.array_equal(found.image.geometry.affine, image.geometry.affine)


def test_hippocampi(real_data: Path) -> None:
    folder = real_data / "hippocampus" / "Task04_Hippocampus" / "imagesTr"
    for path in sorted(folder.glob("hippo*.nii.gz"))[:2]:
        image = formats.read(path)
        found = correct_bias(image, how=N4(shrink=2, iterations=(20, 20)))
        assert np.array_equal(found.image.geometry.affine, image.geometry.affine)
        assert found.cv_after[0] <= found.cv_before[0]


def test_the_coarser_grid_keeps_eight_voxels_an_axis(biased: Image) -> None:
    from hounsfield.preprocessing.mr.bias_field import _factors

    assert _factors(biased, 4) == [4, 4, 2]
    large = Image(np.ones((1, 16, 80, 80), np.float32), Patient(np.eye(4)))
    assert _factors(large, 10) == [10, 10, 2]
    with pytest.raises(InputError, match="a shrink factor of 11") as caught:
        correct_bias(large, how=N4(11))
    assert caught.value.expected == "at most 10 for this image"
