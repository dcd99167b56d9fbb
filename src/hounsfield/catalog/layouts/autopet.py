"""autoPET: whole-body PET/CT as NIfTI, with lesions drawn on the PET.

A case is a study: SUV and the CT on the PET's grid (`CTres`), with the mask `SEG`. The CT on its
own grid and the PET in Bq/mL lie beside them and are left out. Also the nnU-Net form in which the
later challenges are given out (`imagesTr`, `labelsTr`). Its names are `tracer_patient_study`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import pictures, wrapped
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.contract import Source

TITLE = "autoPET, FDG- and PSMA-PET-CT-Lesions (2022–2025)"
LICENCE = "the owners' terms at FDAT and TCIA; cite Gatidis et al. 2022, Jeblick et al. 2023"
GET = """\
fdat.uni-tuebingen.de/records/wf9fy-txq84 (FDG), autopet.grand-challenge.org/Dataset
FOLDER/
└── PETCT_01140d52d8/                    one patient
    └── 08-13-2005-NA-PET-CT .../        one study
        ├── SUV.nii.gz, CTres.nii.gz     PET in SUV, and the CT on its grid
        ├── SEG.nii.gz                   1: lesion
        └── CT.nii.gz, PET.nii.gz        not used
or, later challenges: imagesTr/psma_PATIENT_STUDY_0000.nii.gz (CT), _0001 (SUV), labelsTr/
"""

_NNUNET = re.compile(r"((?:fdg|psma)_([^_]+)_.+)_000([01])\.nii\.gz")
_LOOKED_AT = 5  # patients: the first may hold nothing


def recognise(root: Path) -> bool:
    base = wrapped(root)
    if not base.is_dir():
        return False
    if any(_NNUNET.fullmatch(name) for name in pictures(base / "imagesTr")):
        return True
    return any(
        _is_study(base / patient / study)
        for patient in folders(base)[:_LOOKED_AT]
        for study in folders(base / patient)[:_LOOKED_AT]
    )


def entries(root: Path) -> Iterator[Entry]:
    """Two entries a study, SUV and CT, sorted by patient and study.

    Raises:
        InputError: no study is there.
    """
    base = wrapped(root)
    if not recognise(root):
        raise InputError("no PATIENT/STUDY/SUV.nii.gz and no imagesTr", file=root, remedy=GET)
    if (base / "imagesTr").is_dir():
        yield from _nnunet(base)
        return
    for patient in folders(base):
        for study in folders(base / patient):
            if _is_study(base / patient / study):
                yield from _study(base, patient, study)


def _is_study(folder: Path) -> bool:
    return (folder / "SUV.nii.gz").exists()


def _study(base: Path, patient: str, study: str) -> Iterator[Entry]:
    case = f"{patient}/{study}"
    files = {"SUV": f"{case}/SUV.nii.gz", "CT": f"{case}/CTres.nii.gz"}
    mask = f"{case}/SEG.nii.gz"
    yield from _case(base, case, patient, files, mask)


def _nnunet(base: Path) -> Iterator[Entry]:
    """The studies by their names; 0000 is the CT, 0001 the SUV."""
    found = {
        match[1]: match[2] for match in map(_NNUNET.fullmatch, pictures(base / "imagesTr")) if match
    }
    for case, patient in found.items():
        files = {name: f"imagesTr/{case}_000{n}.nii.gz" for name, n in (("SUV", 1), ("CT", 0))}
        yield from _case(base, case, patient, files, f"labelsTr/{case}.nii.gz")


def _case(base: Path, case: str, patient: str, files: dict[str, str], mask: str) -> Iterator[Entry]:
    """Both images, even where one is missing: the scan then sets it aside with the reason."""
    labels: tuple[Label, ...] = ()
    if (base / mask).exists():
        labels = (Label("mask", "lesion", mask=Source(str(base), (mask,))),)
    for channel, path in files.items():
        yield Entry(
            Source(str(base), (path,)),
            path,
            patient,
            "given",
            labels if channel == "SUV" else (),
            case=case,
            channel=channel,
        )
