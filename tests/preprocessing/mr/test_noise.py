"""Noise that was added is found again, in air and in details, within stated bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.mr.noise import from_details, noise


def body(shape: tuple[int, int, int] = (8, 90, 80)) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.linspace(-1.3, 1.3, size) for size in shape), indexing="ij")
    r = np.sqrt(x**2 + y**2 + 0.2 * z**2)
    return 700.0 * (r < 0.9) + 250 * (r < 0.7) - 500 * (r < 0.2)


def rician(sigma: float, seed: int = 0) -> Image:
    rng, truth = np.random.default_rng(seed), body()
    parts = [rng.normal(0, sigma, truth.shape) for _ in range(2)]
    return Image(np.abs(truth + parts[0] + 1j * parts[1])[None].astype(np.float32))


@pytest.mark.parametrize("sigma", [3.0, 20.0, 100.0])
def test_rician_noise_within_two_percent(sigma: float) -> None:
    found = noise(rician(sigma))
    assert found.method == "air"
    assert found.sigma == pytest.approx(sigma, rel=0.02)
    truth = body()
    assert found.snr == pytest.approx(truth[truth > 0].mean() / sigma, rel=0.03)


@pytest.mark.parametrize("sigma", [5.0, 20.0, 60.0])
def test_details_within_ten_percent(sigma: float) -> None:
    values = body() + np.random.default_rng(1).normal(0, sigma, body().shape)
    assert from_details(values, body() > 0) == pytest.approx(sigma, rel=0.1)


def test_hu_have_noise_and_no_ratio() -> None:
    values = body() - 1000 + np.random.default_rng(2).normal(0, 12, body().shape)
    found = noise(Image(values[None], Patient(np.eye(4)), (Channel(unit="HU"),)))
    assert found.method == "details"
    assert found.sigma == pytest.approx(12, rel=0.1)
    assert found.snr is None


@pytest.mark.parametrize("how", ["stripped", "crop", "tissue", "dim tissue", "ghosts"])
def test_air_is_used_only_where_it_is_noise(how: str) -> None:
    array = rician(20).array.copy()
    if how == "stripped":
        array[0][body() == 0] = 0
    elif how == "crop":
        array = array[:, :, 30:60, 30:50].copy()
    elif how == "tissue":  # what is around the body is bright, as in a crop within the head
        array[0][body() == 0] += 300
    elif how == "dim tissue":  # and varies as noise would
        array[0][body() == 0] *= 10
    else:  # a few bright streaks move the median little
        array[:, :, 40:44, :] += 60 * (body() == 0)[:, 40:44, :]
    found = noise(Image(array))
    assert found.method == ("air" if how == "ghosts" else "details")
    assert bool(found.why) == (how != "ghosts")
    assert found.sigma == pytest.approx(20, rel=0.12)


def test_a_mask_and_a_channel_are_obeyed() -> None:
    both = Image(np.concatenate([rician(5).array, rician(25, 3).array]))
    mask = Image((body() > 900)[None].astype(np.uint8))
    assert noise(both, mask, 1).sigma == pytest.approx(25, rel=0.03)
    assert noise(both, mask, 0).snr == pytest.approx(950 / 5, rel=0.05)


def test_no_noise_is_zero_and_too_little_is_unknown() -> None:
    assert noise(Image(body()[None])).sigma == 0
    tiny = np.arange(16.0).reshape(1, 1, 4, 4)
    assert np.isnan(noise(Image(tiny)).sigma)


def test_real_heads_in_air_and_crops_in_details(real_data: Path) -> None:
    import nibabel as nib

    from hounsfield.interop import from_nibabel

    (path,) = (real_data / "dicom-mr-nih" / "Ref").glob("*test_4.nii.gz")
    image = from_nibabel(nib.load(path))
    rng, found = np.random.default_rng(0), noise(image)
    assert found.method == "air"
    for added in (40, 80):  # in quadrature, as independent noise adds
        parts = [rng.normal(0, added, image.shape[1:]) for _ in range(2)]
        louder = np.abs(image.array[0] + parts[0] + 1j * parts[1])
        told = noise(Image(louder[None])).sigma
        assert told == pytest.approx(np.hypot(found.sigma, added), rel=0.1)
    folder = real_data / "hippocampus" / "Task04_Hippocampus" / "imagesTr"
    for crop in sorted(folder.glob("hippo*.nii.gz"))[:8]:
        assert noise(from_nibabel(nib.load(crop))).method == "details"
