"""From DICOM folders to SUV and HU on one grid, against the phantom's truth."""

from __future__ import annotations

import csv
from dataclasses import replace
from math import erf, exp, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from hounsfield import formats
from hounsfield.catalog.phantoms.pet_ct import Settings, make
from hounsfield.errors import FormatError, GeometryError, InputError, UsageError
from hounsfield.formats.contract import Header, Identity
from hounsfield.formats.folder import contents
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.pet import registration
from hounsfield.preprocessing.pet.pet_ct import Combined, Wanted, combine, load, pairs
from hounsfield.workflow import pet_ct

COARSE = Settings(patients=1, seed=5, voxel=9, counts=0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pet-ct") / "data"
    make(out, COARSE)
    return out


@pytest.fixture(scope="module")
def on_pet(study: Path) -> Combined:
    return load(contents(study).sources, Wanted())


def lesions(study: Path) -> list[dict[str, str]]:
    with (study / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def at(image: Image, channel: int, place: Any) -> float:
    assert isinstance(image.geometry, Patient)
    x, y, z = np.round(np.linalg.solve(image.geometry.affine, (*place, 1))[:3]).astype(int)
    return float(image.array[channel, z, y, x])


def test_channels_are_suv_and_hu_on_the_pets_grid(on_pet: Combined) -> None:
    image = on_pet.image
    assert [(one.name, one.unit) for one in image.channels] == [("SUV", "g/mL"), ("CT", "HU")]
    assert image.spacing == pytest.approx((9, 9, 11.25))
    assert on_pet.pair.same_frame
    assert on_pet.pair.covered > 0.95
    np.testing.assert_array_equal(image.array[0], on_pet.pet.array[0])


def test_a_large_lesion_has_its_true_uptake(on_pet: Combined, study: Path) -> None:
    large = max(lesions(study), key=lambda row: float(row["radius_mm"]))
    radius, around = float(large["radius_mm"]), float(large["suv_around"])
    a = radius / (sqrt(2) * 6 / 2.354820045)
    recovered = erf(a) - 2 * a / sqrt(pi) * exp(-a * a)  # of a sphere's middle, by the blur
    expected = around + recovered * (float(large["suv"]) - around)
    assert at(on_pet.image, 0, [float(large[k]) for k in "xyz"]) == pytest.approx(expected, rel=0.2)


def test_liver_and_lung_lie_where_both_see_them(on_pet: Combined) -> None:
    liver, lung = (75, 20, -95), (-84, 4, 80)
    assert at(on_pet.image, 1, liver) == pytest.approx(60, abs=25)
    assert at(on_pet.image, 1, lung) == pytest.approx(-830, abs=40)
    assert at(on_pet.image, 0, liver) > 3 * at(on_pet.image, 0, lung)
    assert at(on_pet.image, 1, (-75, 60, -150)) < 55  # no liver on the left


def test_on_the_cts_grid_the_ct_stays_as_it_is(study: Path) -> None:
    made = load(contents(study).sources, Wanted(grid="ct", suv="lbm"))
    assert made.image.spacing == pytest.approx((4.5, 4.5, 6.75))
    assert [one.name for one in made.image.channels] == ["SUL", "CT"]
    np.testing.assert_array_equal(made.image.array[1], made.body.array[0])


def test_a_shift_is_registered_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "SAMPLES", 10_000)
    moved = {"shift": (20.0, -12.0, 25.0), "turn": (0.0, 0.0, 6.0), "other_frame": True}
    make(tmp_path / "data", COARSE.model_copy(update=moved))
    sources = contents(tmp_path / "data").sources
    with pytest.raises(GeometryError, match="different frames of reference"):
        load(sources, Wanted())
    made = pet_ct(
        tmp_path / "data",
        tmp_path / "out.nii.gz",
        Wanted(grid="ct", registered=True),
        figure=tmp_path / "figure.png",
    )
    assert made.registration is not None
    assert made.registration.after > 1.3 * made.registration.before
    hot = max(lesions(tmp_path / "data"), key=lambda r: float(r["suv"]) * float(r["radius_mm"]))
    in_ct = np.array([float(hot[f"ct_{k}"]) for k in "xyz"])
    in_pet = [float(hot[k]) for k in "xyz"]
    there = (made.registration.ras_fixed_from_ras_moving @ (*in_pet, 1))[:3]
    assert np.linalg.norm(there - in_ct) < 3
    assert at(made.image, 0, in_ct) == pytest.approx(at(made.pet, 0, in_pet), rel=0.25)
    written = formats.read(tmp_path / "out.nii.gz")
    np.testing.assert_allclose(written.array, made.image.array, atol=1e-4)
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"


def test_a_header_without_weight_gives_no_suv_and_no_file(study: Path, tmp_path: Path) -> None:
    changed(study, tmp_path / "data" / "Muster Maria", "3-PET", PatientWeight=None)
    with pytest.raises(FormatError, match="PatientWeight is missing") as caught:
        pet_ct(tmp_path / "data", tmp_path / "out.nii.gz", Wanted())
    assert "Muster" not in str(caught.value)  # folders are named after people
    assert str(tmp_path / "data") in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["data"]


def header(modality: str, z0: float = 0.0, *, frame: str | None = "1.2", depth: int = 40,
           study: str | None = "s", patient: str = "p") -> Header:  # fmt: skip
    affine = np.diag([-4.0, -4.0, 5.0, 1.0])
    affine[2, 3] = z0
    return Header(
        "dicom",
        (1, depth, 30, 32),
        np.dtype(np.float32),
        Patient(affine, frame),
        (Channel(),),
        modality,
        Identity(patient, study),
    )


def told(*headers: Header) -> list[tuple[int, int, bool]]:
    return [(one.pet, one.body, one.same_frame) for one in pairs(headers)]


def test_pairs_follow_the_frame_of_reference() -> None:
    pet, ct = header("PT"), header("CT")
    assert told(ct, pet) == [(1, 0, True)]
    assert told(header("MR"), pet) == [(1, 0, True)]
    assert told(header("CT", frame="9"), ct, pet) == [(2, 1, True)]  # a later CT elsewhere
    assert told(header("CT", frame="9"), pet) == [(1, 0, False)]
    assert told(header("CT", frame=None), header("PT", frame=None)) == [(1, 0, False)]


def test_the_picture_that_shows_most_of_the_pet_is_taken() -> None:
    pet, ct = header("PT"), header("CT")
    assert told(header("CT", z0=120), ct, pet) == [(2, 1, True)]
    assert told(header("CT", z0=900), pet) == []
    assert told(ct, header("CT"), pet) == [(2, 0, True), (2, 1, True)]
    (half,) = pairs([header("CT", z0=100), pet])
    assert half.covered == pytest.approx(0.5, abs=0.1)


def test_other_studies_people_scouts_and_planes_are_no_partners() -> None:
    pet = header("PT")
    plane = replace(header("CT"), geometry=Plane((1.0, 1.0)))
    others = [header("CT", study="t"), header("CT", patient="q"), header("CT", depth=1), plane,
              header("US")]  # fmt: skip
    assert told(pet, *others) == []
    assert told(header("PT", study=None), header("CT", study=None)) == []


def test_several_pairs_are_listed_and_chosen_by_number(study: Path, tmp_path: Path) -> None:
    sources = contents(study).sources
    three = [*sources, next(s for s in sources if formats.header(s).modality == "CT")]
    with pytest.raises(InputError, match=r"2 possible pairs[\s\S]*3: CT") as caught:
        load(three, Wanted())
    assert "PETCT_" not in str(caught.value)
    assert load(three, Wanted(body=3)).pair.body == 2
    assert load(three, Wanted(pet=2, body=1)).pair == load(sources, Wanted()).pair
    with pytest.raises(InputError, match="image 9 is no volume"):
        load(three, Wanted(pet=9, body=1))
    with pytest.raises(InputError, match="image 1 is a CT"):
        load(three, Wanted(pet=1, body=2))
    with pytest.raises(InputError, match="image 2 is a PET"):
        load(three, Wanted(pet=2, body=2))
    with pytest.raises(InputError, match="no PET") as caught:
        load([sources[0]], Wanted())
    assert "--pet" not in str(caught.value)
    (tmp_path / "x.nii.gz").touch()
    with pytest.raises(UsageError, match="exists"):
        pet_ct(study, tmp_path / "x.nii.gz", Wanted())
    with pytest.raises(UsageError, match="--figure"):
        pet_ct(study, tmp_path / "y.nii.gz", Wanted(), figure=tmp_path / "z.png")


def changed(study: Path, out: Path, folder: str, **tags: str | None) -> Path:
    """The study with other elements in the files of one series."""
    for path in study.rglob("*.dcm"):
        target = out / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = pydicom.dcmread(path)
        for name, value in tags.items() if path.parent.name == folder else ():
            setattr(data, name, value)
        data.save_as(target)
    return out


def test_two_people_are_no_pair_even_by_number(study: Path, tmp_path: Path) -> None:
    sources = contents(changed(study, tmp_path, "3-PET", PatientID="another")).sources
    modalities = [formats.header(one).modality for one in sources]
    numbers = {"pet": modalities.index("PT") + 1, "body": modalities.index("CT") + 1}
    for registered in (False, True):
        with pytest.raises(InputError, match="two patients") as caught:
            load(sources, Wanted(registered=registered, **numbers))
        assert "another" not in str(caught.value)


def test_without_a_frame_of_reference_positions_are_not_trusted(
    study: Path, tmp_path: Path
) -> None:
    sources = contents(changed(study, tmp_path, "3-PET", FrameOfReferenceUID=None)).sources
    with pytest.raises(GeometryError, match="no common frame of reference"):
        load(sources, Wanted())


def test_combine_refuses_what_has_no_place() -> None:
    cube = np.zeros((1, 3, 4, 5), np.float32)
    volume = Image(cube, Patient(np.eye(4)))
    with pytest.raises(GeometryError, match="PET has no place"):
        combine(Image(cube[:, :1], Plane((1.0, 1.0))), volume)
    with pytest.raises(InputError, match="2 channels"):
        combine(volume, Image(np.concatenate([cube, cube]), Patient(np.eye(4))))
