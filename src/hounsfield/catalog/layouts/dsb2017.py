"""Data Science Bowl 2017: chest CTs as folders of DICOM slices; did cancer follow within a year?

A folder of `stage1` or `stage2` is a patient, and its name the patient's. Its slices, whose file
names mean nothing, are put together by their headers while indexing: one image a series. Labels
are the patient's. Patients of the sample submissions are the official test part; where the
solution was given out as well, they have labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import wrapped
from hounsfield.catalog.layouts.rows import Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import folders, walk
from hounsfield.formats.contract import Source

TITLE = "Data Science Bowl 2017: lung cancer in chest CT"
LICENCE = "the competition's rules: use outside of it needs the owners' permission"
GET = """\
kaggle.com/c/data-science-bowl-2017 (account needed; where it is still given out)
FOLDER/
├── stage1/PATIENT/*.dcm                 1,595 patients, some hundred slices each
├── stage1_labels.csv                    id,cancer (0 or 1)
├── stage1_sample_submission.csv         the official test part (may be absent)
├── stage1_solution.csv                  its labels: id,cancer,Usage (may be absent)
└── stage2/, stage2_….csv                as stage1 (may be absent)
"""
CLASSES = {"0": "no cancer", "1": "cancer"}
STAGES = ("stage1", "stage2")
# What a name ends in -> the part that its patients belong to, and whether it says the truth
_TABLES: dict[str, tuple[Part, bool]] = {
    "labels": ("train", True),
    "sample_submission": ("test", False),
    "solution": ("test", True),
}


@dataclass(frozen=True)
class _Said:
    """What a stage's tables say of a patient; the sample submission's numbers are no labels."""

    part: Part
    cancer: str | None


def recognise(root: Path) -> bool:
    base = wrapped(root)
    labels = base / "stage1_labels.csv"
    if not labels.is_file() or not any((base / stage).is_dir() for stage in STAGES):
        return False
    return {"id", "cancer"} <= set(Table(labels).columns())


def entries(root: Path) -> Iterator[Entry]:
    """One entry a file, sorted by stage and patient; a labelled patient without files is listed.

    Raises:
        InputError: a row with a label that is none, or patients that the tables contradict.
    """
    base = wrapped(root)
    if not recognise(root):
        raise InputError("no stage1_labels.csv beside stage1", file=root, remedy=GET)
    for stage in STAGES:
        said, shown = _said(base, stage), folders(base / stage)
        if shown:
            missing = {name for name, one in said.items() if one.cancer is not None}
            for patient in sorted({*shown, *missing}):
                yield from _patient(base, f"{stage}/{patient}", patient, said.get(patient))


def noticed(root: Path) -> list[Finding]:
    """Patients of whom the tables say nothing."""
    base = wrapped(root)
    odd = [
        name for stage in STAGES for name in set(folders(base / stage)) - _said(base, stage).keys()
    ]
    if not odd:
        return []
    return [
        Finding(
            kind="not-in-table",
            severity="info",
            text=f"{counted(len(odd), 'patient')} in no table: without label and official part",
            remedy="stage1_sample_submission.csv and stage1_solution.csv name the test part",
        )
    ]


def _patient(base: Path, folder: str, patient: str, said: _Said | None) -> Iterator[Entry]:
    """The files of a patient; the folder itself where it is missing, so that the scan tells."""
    files = list(walk(base, folder, files_only=True)) if (base / folder).is_dir() else []
    labels: tuple[Label, ...] = ()
    if said is not None and said.cancer is not None:
        labels = (Label("class", "cancer", CLASSES[said.cancer]),)
    for path in files or [folder]:
        yield Entry(
            Source(str(base), (path,)),
            path.removesuffix(".dcm"),
            patient,
            "given",
            labels,
            said.part if said is not None else None,
        )


def _said(base: Path, stage: str) -> dict[str, _Said]:
    """Patient -> what the stage's tables say; a solution goes before a sample submission."""
    found: dict[str, _Said] = {}
    for end, (part, true) in _TABLES.items():
        table = Table(base / f"{stage}_{end}.csv")
        if not table.path.is_file():
            continue
        for number, row in table.rows(("id", "cancer") if true else ("id",)):
            name, cancer = row["id"], row["cancer"] if true else None
            if cancer is not None and cancer not in CLASSES:
                raise table.row_error(number, f"cancer is {cancer!r}", expected="0 or 1")
            before = found.get(name)
            if before is not None and (before.part != part or before.cancer is not None):
                raise table.row_error(number, "this patient was already given")
            found[name] = _Said(part, cancer)
    return found
