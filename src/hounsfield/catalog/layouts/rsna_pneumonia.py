"""RSNA Pneumonia Detection Challenge 2018: 26,684 chest radiographs with boxes (stage 2).

`patientId` names one image, so DICOM's PatientID (the same name) is no patient either. True
patients come only from the published mapping to the NIH ChestX-ray14 images, where it is there.
Test images have no public labels and are left out. Two files of our phantoms are read too:
`lung_masks/ID.png` and `official_split.csv` (patientId, part).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import inside, part_of, pictures, stem
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source

TITLE = "RSNA Pneumonia Detection Challenge (2018)"
LICENCE = "RSNA's terms: non-commercial research and education, with attribution"
GET = """\
kaggle.com/c/rsna-pneumonia-detection-challenge (account needed), or rsna.org, AI challenges
FOLDER/
├── stage_2_train_images/ID.dcm          26,684 radiographs, one ID an image
├── stage_2_train_labels.csv             patientId,x,y,width,height,Target
├── stage_2_detailed_class_info.csv      patientId,class (may be absent)
└── pneumonia-challenge-dataset-mappings_2018.json
                                         from rsna.org; without it, patients are unknown
"""
TRUST_HEADER_PATIENT = False  # it repeats the image's name

MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
CLASSES = ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity")
Box = tuple[float, float, float, float]


@dataclass
class _Truth:
    target: str
    boxes: list[Box] = field(default_factory=list)


def recognise(root: Path) -> bool:
    return _stage(root) is not None


def entries(root: Path) -> Iterator[Entry]:
    """One entry an image or labelled row, sorted by the image's name.

    Raises:
        InputError: a row with an unknown Target, class or part, a box that is none, a row that
            comes twice, rows of an image that contradict each other, or a broken mapping.
    """
    stage = _stage(root)
    if stage is None:
        raise InputError(
            "no stage_2_train_images beside stage_2_train_labels.csv", file=root, remedy=GET
        )
    truths = _truths(Table(root / f"{stage}_train_labels.csv"))
    findings = _findings(Table(root / f"{stage}_detailed_class_info.csv"))
    patients, parts = _patients(root / MAPPING), _parts(Table(root / "official_split.csv"))
    masks = set(pictures(root / "lung_masks"))
    folder = f"{stage}_train_images"
    for name in sorted({stem(file) for file in pictures(root / folder)} | truths.keys()):
        labels = (*_labels(truths.get(name), findings.get(name)), *_mask(root, name, masks))
        yield Entry(
            Source(str(root), (inside(root, f"{folder}/{name}.dcm"),)),
            name,
            patients.get(name),
            "mapped" if name in patients else "unknown",
            labels,
            parts.get(name),
        )


def _stage(root: Path) -> str | None:
    for stage in ("stage_2", "stage_1"):
        table, folder = root / f"{stage}_train_labels.csv", root / f"{stage}_train_images"
        if table.is_file() and folder.is_dir():
            return stage
    return None


def _labels(truth: _Truth | None, finding: str | None) -> Iterator[Label]:
    if truth is not None:
        yield Label("class", "pneumonia", "pneumonia" if truth.target == "1" else "no pneumonia")
    if finding is not None:
        yield Label("class", "finding", finding)
    for box in truth.boxes if truth is not None else ():
        yield Label("box", "opacity", "opacity", box=box)


def _mask(root: Path, name: str, masks: set[str]) -> Iterator[Label]:
    if f"{name}.png" in masks:
        yield Label("mask", "lung", mask=Source(str(root), (f"lung_masks/{name}.png",)))


def _truths(table: Table) -> dict[str, _Truth]:
    columns = ("patientId", "x", "y", "width", "height", "Target")
    truths: dict[str, _Truth] = {}
    for number, row in table.rows(columns):
        target, box = row["Target"], _box(table, number, row)
        if target not in ("0", "1"):
            raise table.row_error(number, f"Target is {target!r}", expected="0 or 1")
        if box is not None and target == "0":
            raise table.row_error(number, "a box where Target is 0", expected="Target 1, or no box")
        before = truths.get(row["patientId"])
        if before is None:
            before = truths[row["patientId"]] = _Truth(target)
        elif before.target != target:
            raise table.row_error(number, "Target differs from an earlier row of this image")
        elif box is None or box in before.boxes:
            raise table.row_error(number, "this row was already given")
        if box is not None:
            before.boxes.append(box)
    return truths


def _box(table: Table, number: int, row: Row) -> Box | None:
    """x, y, width, height in pixels become x0, y0, x1, y1; None where all are empty."""
    cells = [table.number(number, row, name) for name in ("x", "y", "width", "height")]
    x, y, width, height = cells
    if cells == [None] * 4:
        return None
    if x is None or y is None or width is None or height is None or min(width, height) <= 0:
        raise table.row_error(number, "not a box", expected="x, y, width > 0 and height > 0")
    return x, y, x + width, y + height


def _findings(table: Table) -> dict[str, str]:
    found: dict[str, str] = {}
    if not table.path.is_file():
        return found
    for number, row in table.rows(("patientId", "class")):  # one row a box: repeats are meant
        if row["class"] not in CLASSES:
            raise table.row_error(number, f"class is {row['class']!r}", expected="; ".join(CLASSES))
        if found.setdefault(row["patientId"], row["class"]) != row["class"]:
            raise table.row_error(number, "class differs from an earlier row of this image")
    return found


def _patients(path: Path) -> dict[str, str]:
    """Image name -> NIH's patient number, from `img_id` "00013249_006.png"."""
    if not path.is_file():
        return {}
    try:
        pairs = [(row["subset_img_id"], row["img_id"]) for row in json.loads(path.read_bytes())]
        return {name: str(int(_nih(image))) for name, image in pairs}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the mapping to NIH's images cannot be read ({type(error).__name__})",
            file=path,
            expected='a list of {"subset_img_id": ID, "img_id": "00013249_006.png", …}',
            remedy="download it again, or move it away: patients are then unknown",
        ) from error


def _nih(image: str) -> str:
    match = re.fullmatch(r"(\d+)_\d+(\.png)?", image)
    if match is None:
        raise ValueError("an img_id of another form")
    return match[1]


def _parts(table: Table) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    if not table.path.is_file():
        return parts
    for number, row in table.rows(("patientId", "part")):
        part = part_of(row["part"])
        if part is None:
            raise table.row_error(number, f"part is {row['part']!r}", expected="train, val or test")
        if row["patientId"] in parts:
            raise table.row_error(number, "this image was already given a part")
        parts[row["patientId"]] = part
    return parts
