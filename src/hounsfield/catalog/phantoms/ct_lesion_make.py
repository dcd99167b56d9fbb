"""Writes the CT volumes as NIfTI, the table of labels and the truth; one rename at the end."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hounsfield.catalog.phantoms.ct_lesion import Settings, Summary
from hounsfield.catalog.phantoms.ct_lesion_body import (
    Scan,
    centres,
    draw_chest,
    draw_scan,
    pixels,
    see,
)
from hounsfield.files import whole_folder

LABELS, TRUTH = "labels.csv", "truth.csv"
LUNG_AT = 90.0  # mm from the middle of the body to that of a lung


def write_all(
    out: Path, settings: Settings, progress: Callable[[int, int], None] | None
) -> Summary:
    """The whole data set in the folder `out`, or nothing (`files.whole_folder`)."""
    labels: list[tuple[object, ...]] = []
    truths: list[tuple[object, ...]] = []
    with whole_folder(out) as work:
        (work / "volumes").mkdir(parents=True)
        for patient in range(settings.patients):
            _write_patient(work, patient, settings, labels, truths)
            if progress:
                progress(patient + 1, settings.patients)
        _write(work / LABELS, ("image", "patient", "label"), labels)
        names = ("scan", "x", "y", "z", "diameter_mm", "slices", "vessels", "lung")
        _write(work / TRUTH, names, truths)
    ill = sum(row[2] == "lesion" for row in labels)
    return Summary(patients=settings.patients, scans=len(labels), lesions=ill)


def _write_patient(
    work: Path,
    patient: int,
    settings: Settings,
    labels: list[tuple[object, ...]],
    truths: list[tuple[object, ...]],
) -> None:
    rng = np.random.default_rng([settings.seed, patient])
    chest = draw_chest(rng, settings)
    for number in range(settings.scans):
        ill = bool(rng.random() < settings.prevalence)
        scan = draw_scan(rng, chest, settings, ill)
        name = f"ct{patient:05d}-{number}"
        _write_volume(work / f"volumes/{name}.nii.gz", see(scan, settings, rng), scan, settings)
        row = (f"volumes/{name}.nii.gz", f"P{patient:05d}", "lesion" if ill else "none")
        labels.append(row)
        truths.append((name, *_truth(scan, settings)))


def _write_volume(path: Path, voxels: NDArray[np.int16], scan: Scan, settings: Settings) -> None:
    from hounsfield import formats
    from hounsfield.geometry import Patient
    from hounsfield.image import Channel, Image

    image = Image(voxels[None], Patient(affine(scan, settings)), (Channel("CT", "HU"),))
    formats.write(image, path)


def affine(scan: Scan, settings: Settings) -> NDArray[np.float64]:
    """Voxel (x, y, z) to RAS+ mm: x runs to the left and y to the back, as in most DICOM."""
    side, first = settings.field / settings.size, float(pixels(settings)[0])
    ras_from_voxel = np.diag([-side, -side, settings.thickness, 1.0])
    ras_from_voxel[:3, 3] = (
        -first - LUNG_AT * scan.chest.side,
        -first,
        float(centres(settings)[0]),
    )
    return ras_from_voxel


def _truth(scan: Scan, settings: Settings) -> tuple[object, ...]:
    """The nodule's centre in RAS+ mm, its diameter and the slices it is in; the vessels' number."""
    lung = "left" if scan.chest.side > 0 else "right"
    ball = scan.nodule
    if ball is None:
        return "", "", "", "", "", len(scan.vessels), lung
    near = np.abs(centres(settings) - ball.z) < ball.radius + settings.thickness / 2
    place = (-ball.x - LUNG_AT * scan.chest.side, -ball.y, ball.z)
    told = [f"{value:.3f}" for value in (*place, 2 * ball.radius)]
    return *told, int(near.sum()), len(scan.vessels), lung


def _write(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
