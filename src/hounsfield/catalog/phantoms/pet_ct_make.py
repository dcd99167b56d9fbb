"""Writes the PET/CT data set: patient after patient, truth at the end, one rename."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.pet_ct import Settings, Summary
from hounsfield.catalog.phantoms.pet_ct_body import Body, draw
from hounsfield.catalog.phantoms.pet_ct_dicom import Frames, Person, uid, write_ct, write_pet
from hounsfield.catalog.phantoms.pet_ct_scan import (
    Scan,
    in_pet,
    lesion_mask,
    rigid,
    see_ct,
    see_pet,
)
from hounsfield.files import whole_folder

TRUTH, RIGID = "truth.csv", "ras_pet_from_ras_ct.json"
COLUMNS = (
    "patient", "lesion", "site", "x", "y", "z", "ct_x", "ct_y", "ct_z",
    "radius_mm", "suv", "suv_around",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Case:
    body: Body
    person: Person
    ct: Scan
    pet: Scan
    settings: Settings


def write_all(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None
) -> Summary:
    """The whole data set in the folder `out`, or nothing (`files.whole_folder`)."""
    rows: list[tuple[object, ...]] = []
    files = 0
    with whole_folder(out) as work:
        for patient in range(settings.patients):
            written, truth = _write_patient(work, patient, settings)
            files, rows = files + written, rows + truth
            if progress:
                progress(patient + 1, settings.patients)
        _write_truth(work, rows, settings)
    return Summary(patients=settings.patients, files=files, lesions=len(rows))


def _write_truth(work: Path, rows: list[tuple[object, ...]], settings: Settings) -> None:
    with (work / TRUTH).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    matrix = np.round(rigid(settings), 12).tolist()
    (work / RIGID).write_text(json.dumps(matrix) + "\n", encoding="utf-8")


def _write_patient(
    work: Path, patient: int, settings: Settings
) -> tuple[int, list[tuple[object, ...]]]:
    """One patient's files; their number, and the truth of the lesions."""
    rng = np.random.default_rng([settings.seed, patient])
    healthy = bool(rng.random() < settings.healthy)
    body = draw(rng, 0 if healthy else settings.lesions)
    person = _person(rng, body)
    case = _Case(body, person, see_ct(body, settings, rng), see_pet(body, settings, rng), settings)
    study = work / person.number / f"{person.scanned:%m-%d-%Y}-NA-PET-CT phantom-{patient:05d}"
    written = (_dicom if settings.form == "dicom" else _nifti)(study, case, rng)
    return written, _truth(case)


def _truth(case: _Case) -> list[tuple[object, ...]]:
    """Where each lesion is in the PET's world and in the CT's, RAS+ mm, and its true uptake."""
    rows = []
    moved = in_pet(case.body, case.settings).lesions
    ras_pet_from_ras_ct = rigid(case.settings)
    for number, (one, there) in enumerate(zip(case.body.lesions, moved, strict=True), start=1):
        pet = (ras_pet_from_ras_ct @ (*there.centre, 1))[:3]
        places = [f"{value:.3f}" for value in (*pet, *one.centre)]
        numbers = [f"{value:.4f}" for value in (one.radius, one.suv, one.around)]
        rows.append((case.person.number, number, one.site, *places, *numbers))
    return rows


def _dicom(study: Path, case: _Case, rng: Generator) -> int:
    frame = uid(rng)
    ids = Frames(uid(rng), frame, uid(rng) if case.settings.other_frame else frame)
    for name in ("2-CT", "3-PET"):
        (study / name).mkdir(parents=True)
    return write_ct(study / "2-CT", case.ct, case.person, ids, rng) + write_pet(
        study / "3-PET", case.pet, case.person, ids, rng
    )


def _nifti(study: Path, case: _Case, rng: Generator) -> int:
    """autoPET's files; CTres, SUV, PET and SEG lie on one grid."""
    from hounsfield import formats
    from hounsfield.geometry import Patient
    from hounsfield.image import Image

    study.mkdir(parents=True)
    pet, ct = case.pet, case.ct
    files: dict[str, tuple[NDArray[np.generic], NDArray[np.float64]]] = {
        "CT": (ct.voxels.astype(np.int16), ct.affine),
        "CTres": (_on_pet(ct, pet), pet.affine),
        "PET": (pet.voxels * np.float32(case.person.becquerel), pet.affine),
        "SUV": (pet.voxels, pet.affine),
        "SEG": (lesion_mask(case.body, case.settings), pet.affine),
    }
    for name, (voxels, affine) in files.items():
        formats.write(Image(voxels[None], Patient(affine)), study / f"{name}.nii.gz")
    return len(files)


def _on_pet(ct: Scan, pet: Scan) -> NDArray[np.float32]:
    """The CT on the PET's grid, linear; air where it was not taken."""
    from scipy.ndimage import affine_transform

    ct_from_pet = np.linalg.solve(ct.affine, pet.affine)
    reverse = ct_from_pet[:3, :3][::-1, ::-1]  # arrays are (Z, Y, X)
    moved = affine_transform(
        ct.voxels, reverse, ct_from_pet[:3, 3][::-1], pet.voxels.shape, order=1, cval=-1024.0
    )
    return np.asarray(moved, np.float32)


def _person(rng: Generator, body: Body) -> Person:
    """Invented: names, times and dose, about 3 MBq/kg, an hour before the scan."""
    family = rng.choice(["Aster", "Birch", "Cedar", "Dahlia", "Elm", "Fern", "Gorse", "Hazel"])
    given = rng.choice(["Robin", "Sam", "Alex", "Kim", "Jo"])
    scanned = datetime(2021, 3, 1) + timedelta(minutes=int(rng.integers(8 * 60, 16 * 60)))
    scanned += timedelta(days=int(rng.integers(600)))
    wait = timedelta(seconds=int(rng.integers(3300, 4500)))
    return Person(
        name=f"{family}^{given}",
        number=f"PETCT_{rng.bytes(5).hex()}",
        sex=body.sex,
        weight=body.weight,
        height=body.height,
        injected=scanned - wait,
        dose=float(round(3e6 * body.weight * rng.uniform(0.9, 1.1), -4)),
        scanned=scanned,
    )
