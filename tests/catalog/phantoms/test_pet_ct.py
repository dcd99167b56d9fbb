"""The PET/CT phantom: its headers, its numbers and its truth, read by other libraries."""

from __future__ import annotations

import csv
import filecmp
import json
from dataclasses import replace
from math import erf, exp, pi, sqrt
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from hounsfield.catalog.phantoms.pet_ct import Settings, Summary, make
from hounsfield.catalog.phantoms.pet_ct_body import Lesion, draw
from hounsfield.catalog.phantoms.pet_ct_scan import pet_grid, see_pet
from hounsfield.errors import InputError

COARSE = Settings(patients=1, seed=5, voxel=8, counts=0)
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def series(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any]]:
    """Values (Z, Y, X) and affine by pydicom and the standard's formula alone."""
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    values = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept)
                       for s in slices])  # fmt: skip
    first, last = (np.array(s.ImagePositionPatient, float) for s in (slices[0], slices[-1]))
    affine = np.eye(4)
    affine[0, 0], affine[1, 1] = slices[0].PixelSpacing[1], slices[0].PixelSpacing[0]
    affine[:3, 2] = (last - first) / (len(slices) - 1)
    affine[:3, 3] = first
    return values, _RAS @ affine, slices


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    out = tmp_path_factory.mktemp("phantom") / "dicom"
    return out, make(out, COARSE)


def test_two_series_share_a_frame_and_tell_of_one_person(dicom: tuple[Path, Summary]) -> None:
    out, summary = dicom
    pet, ct = (series(only(out, f"*/*/{name}"))[2] for name in ("3-PET", "2-CT"))
    assert summary == Summary(patients=1, files=len(pet) + len(ct), lesions=6)
    for name in ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientWeight"):
        assert len({getattr(one, name) for one in pet + ct}) == 1
    assert len({one.SeriesInstanceUID for one in pet + ct}) == 2
    assert len({one.SOPInstanceUID for one in pet + ct}) == len(pet + ct)
    assert len({one.RescaleSlope for one in pet}) > len(pet) / 2
    assert {one.Units for one in pet} == {"BQML"}
    assert len({one.AcquisitionTime for one in pet}) > 1


def test_lesions_have_their_uptake_in_suv_by_hand(dicom: tuple[Path, Summary]) -> None:
    """The middle of a hot sphere after a Gaussian blur, in closed form (Kessler 1984)."""
    out, _ = dicom
    values, affine, slices = series(only(out, "*/*/3-PET"))
    item = slices[0].RadiopharmaceuticalInformationSequence[0]
    begun, injected = (
        int(t[:2]) * 3600 + int(t[2:4]) * 60 + int(t[4:6])
        for t in (slices[0].SeriesTime, item.RadiopharmaceuticalStartTime)
    )
    left = float(item.RadionuclideTotalDose) * 0.5 ** ((begun - injected) / 6586.2)
    suv = values * float(slices[0].PatientWeight) * 1000 / left
    sigma = 6 / 2.354820045
    checked = 0
    for row in truth(out):
        radius = float(row["radius_mm"])
        if radius < 12:  # on voxels of 8 mm
            continue
        a = radius / (sqrt(2) * sigma)
        recovered = erf(a) - 2 * a / sqrt(pi) * exp(-a * a)
        around = float(row["suv_around"])
        expected = around + recovered * (float(row["suv"]) - around)
        middle = _at(suv, affine, [float(row[k]) for k in "xyz"])
        assert middle == pytest.approx(expected, rel=0.15)
        checked += 1
    assert checked


def _at(voxels: NDArray[Any], affine: NDArray[Any], place: Any) -> float:
    x, y, z = np.round(np.linalg.solve(affine, (*place, 1))[:3]).astype(int)
    return float(voxels[z, y, x])


def _near(voxels: NDArray[Any], affine: NDArray[Any], place: Any, mm: float) -> NDArray[np.bool_]:
    z, y, x = np.indices(voxels.shape)
    world = np.einsum("ij,jzyx->izyx", affine[:3, :3], np.stack((x, y, z)))
    apart = np.linalg.norm(world.T + affine[:3, 3] - np.array(place), axis=-1).T
    return np.asarray(apart < mm)


def test_a_body_with_a_left_and_a_right(dicom: tuple[Path, Summary]) -> None:
    out, _ = dicom
    hu, affine, _ = series(only(out, "*/*/2-CT"))
    pet, pet_affine, _ = series(only(out, "*/*/3-PET"))
    for side, liver in ((1, True), (-1, False)):
        assert (55 < hu[_near(hu, affine, (side * 75, 12, -80), 12)].mean() < 65) == liver
    right, left = (pet[_near(pet, pet_affine, (side * 30, 30, 26), 12)].mean() for side in (1, -1))
    assert left > 1.5 * right  # the heart
    assert hu[_near(hu, affine, (76, 4, 75), 20)].mean() == pytest.approx(-820, abs=10)
    assert _at(hu, affine, (0, -70, -100)) > 200  # the spine lies behind


@pytest.mark.parametrize("form", ["dicom", "nifti"])
def test_the_same_seed_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    count = 2 if form == "nifti" else 1  # files of DICOM are many
    tiny = Settings(patients=count, voxel=12, form=form, healthy=0.5, seed=2)  # type: ignore[arg-type]
    steps: list[tuple[int, int]] = []
    first, again, other = (tmp_path / name for name in "abc")
    made = make(first, tiny, lambda done, of: steps.append((done, of)))
    make(again, tiny)
    files = [str(p.relative_to(first)) for p in sorted(first.rglob("*")) if p.is_file()]
    assert len(files) == made.files + 2
    assert filecmp.cmpfiles(first, again, files, shallow=False)[0] == files
    assert steps == [(done, count) for done in range(1, count + 1)]
    if form == "nifti":
        make(other, tiny.model_copy(update={"seed": 3}))
        assert {p.name for p in first.iterdir()} != {p.name for p in other.iterdir()}


def test_nifti_as_autopet_has_it_equals_the_dicom(
    dicom: tuple[Path, Summary], tmp_path: Path
) -> None:
    make(tmp_path / "n", COARSE.model_copy(update={"form": "nifti"}))
    study = only(tmp_path / "n", "PETCT_*/*PET-CT*")
    images = {name: nibabel.load(study / f"{name}.nii.gz") for name in
              ("SUV", "CTres", "SEG", "PET", "CT")}  # fmt: skip
    for name in ("CTres", "SEG", "PET"):
        assert images[name].shape == images["SUV"].shape
        np.testing.assert_array_equal(images[name].affine, images["SUV"].affine)
    values, affine, _ = series(only(dicom[0], "*/*/3-PET"))
    np.testing.assert_allclose(images["SUV"].affine, affine, atol=1e-3)
    np.testing.assert_allclose(np.asarray(images["PET"].dataobj).T, values, atol=values.max() / 3e4)
    seg, suv = (np.asarray(images[name].dataobj) for name in ("SEG", "SUV"))
    assert set(np.unique(seg)) == {0, 1}
    assert suv[seg == 1].mean() > 1.5 * suv[(seg == 0) & (suv > 0.2)].mean()
    hu = np.asarray(images["CTres"].dataobj).T
    np.testing.assert_array_equal(hu[_near(hu, affine, (76, 4, 75), 20)] < -700, True)


def test_a_planted_shift_is_the_one_in_the_truth(tmp_path: Path) -> None:
    moved = COARSE.model_copy(
        update={
            "voxel": 10,
            "shift": (16.0, -24.0, 30.0),
            "turn": (0.0, 0.0, 8.0),
            "other_frame": True,
        }
    )
    make(tmp_path / "moved", moved)
    matrix = np.array(json.loads((tmp_path / "moved" / "ras_pet_from_ras_ct.json").read_text()))
    # by hand: a turn by 8° about z, from right to front
    np.testing.assert_allclose(matrix[:2, 0], (0.990268, 0.139173), atol=1e-6)
    np.testing.assert_allclose(matrix[:3, 3], (16, -24, 30))
    for row in truth(tmp_path / "moved"):
        ct = [float(row[f"ct_{k}"]) for k in "xyz"]
        np.testing.assert_allclose(
            (matrix @ (*ct, 1))[:3], [float(row[k]) for k in "xyz"], atol=2e-3
        )
    pet, affine, slices = series(only(tmp_path / "moved", "*/*/3-PET"))
    hot = max(
        truth(tmp_path / "moved"), key=lambda row: float(row["suv"]) * float(row["radius_mm"])
    )
    here, there = ([float(hot[f"{k}{axis}"]) for axis in "xyz"] for k in ("", "ct_"))
    assert _at(pet, affine, here) > 2 * _at(pet, affine, there)
    ct = series(only(tmp_path / "moved", "*/*/2-CT"))[2]
    assert slices[0].FrameOfReferenceUID != ct[0].FrameOfReferenceUID


def test_breathing_lifts_the_liver_in_the_pet_alone(
    dicom: tuple[Path, Summary], tmp_path: Path
) -> None:
    make(tmp_path / "deep", COARSE.model_copy(update={"breathing": 24.0}))
    both = dicom[0], tmp_path / "deep"
    (still, a, _), (deep, _, _) = (series(only(out, "*/*/3-PET")) for out in both)
    dome = (72, 12, 2)
    assert _at(deep, a, dome) > 2 * _at(still, a, dome)
    one, two = (series(only(out, "*/*/2-CT"))[0] for out in both)
    np.testing.assert_array_equal(one, two)


def test_an_occupied_folder_and_a_wrong_setting_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        make(tmp_path / "x", COARSE)
    with pytest.raises(ValidationError):
        Settings(voxel=0.1)


def test_small_lesions_lose_uptake_to_the_blur_that_is_stated() -> None:
    settings = Settings(counts=0, psf=8)
    body = draw(np.random.default_rng(0), 0)
    liver = next(one for one in body.shapes if one.name == "liver")
    x, y, z = (float(v) for v in pet_grid(settings)[1][:3, :3] @ (40, 38, 50))
    middle = pet_grid(settings)[1][:3, 3] + (x, y, z)  # of a voxel, within the liver
    assert np.linalg.norm((middle - liver.centre) / np.array(liver.radii)) < 0.6
    # The voxel blurs too: its width is that of a Gaussian of variance width² / 12
    sigma = sqrt((8 / 2.354820045) ** 2 + (4 * 4 + 4 * 4 + 5 * 5) / 3 / 12)
    for radius in (5.0, 9.0):
        one = Lesion("liver", (middle[0], middle[1], middle[2]), radius, 10.0, liver.suv, 50.0)
        scan = see_pet(replace(body, lesions=(one,)), settings, np.random.default_rng(0))
        a = radius / (sqrt(2) * sigma)
        recovered = erf(a) - 2 * a / sqrt(pi) * exp(-a * a)
        expected = liver.suv + recovered * (10 - liver.suv)
        assert scan.voxels[50, 38, 40] == pytest.approx(expected, rel=0.06)
