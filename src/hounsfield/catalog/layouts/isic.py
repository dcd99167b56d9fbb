"""ISIC: photographs of skin lesions, from the challenges, HAM10000 and the archive's own export.

Everything is found by what tables hold: a column of names such as ISIC_0024306, and beside it
columns of 0 and 1 (MEL, NV, …), `diagnosis`, `dx`, `benign_malignant` or `target`. Rows of several
tables on one image are joined. Where the patient is not given, the lesion stands for it
(guessed): pictures of one lesion never part, other lesions of the same person may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import age_of, inside, part_of, stem, wrapped
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.catalog.tables import Known, Part
from hounsfield.errors import InputError
from hounsfield.folders import folders, listing, walk
from hounsfield.formats.contract import Source

TITLE = "ISIC: skin lesions (challenges 2018 to 2024, HAM10000, the archive)"
LICENCE = "CC BY-NC 4.0 (challenges, HAM10000); in the archive each image its own"
GET = """\
challenge.isic-archive.com/data, api.isic-archive.com, or Kaggle's copies
FOLDER/
├── ISIC_2019_Training_Input/*.jpg       any folders of pictures ISIC_NUMBER.jpg
├── ISIC_2019_Training_GroundTruth.csv   image,MEL,NV,BCC,…: 0 and 1
└── ISIC_2019_Training_Metadata.csv      image,age_approx,anatom_site_general,lesion_id,sex
2018: …_LesionGroupings.csv; 2020, 2024, archive: diagnosis or target in one table with patient_id
"""

NAME = re.compile(r"ISIC_\d{5,}\w*", re.I)
IMAGE = ("isic_id", "image", "image_name", "image_id")  # columns of names, the surest first
CLASSES = ("MEL", "NV", "BCC", "AK", "AKIEC", "BKL", "DF", "VASC", "SCC", "UNK")
DIAGNOSIS = ("diagnosis", "dx", "diagnosis_3", "diagnosis_2")  # the first that says something
MALIGNANCY = ("target", "benign_malignant", "diagnosis_1")
NOT_KNOWN = ("", "unknown")
SITES = ("anatom_site_general", "anatom_site_general_challenge", "localization")
BEST = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm")  # of one picture in several files


def recognise(root: Path) -> bool:
    return root.is_dir() and bool(_labelled(_tables(wrapped(root))))


def entries(root: Path) -> Iterator[Entry]:
    """One entry an image that a table labels, by name; one whose file is missing is listed too.

    Raises:
        InputError: no labelled table, a row of the columns 0 and 1 without just one 1, rows of
            an image that contradict each other.
    """
    base = wrapped(root)
    tables = _tables(base) if root.is_dir() else []
    if not _labelled(tables):
        raise InputError("no table of labels beside pictures ISIC_*", file=root, remedy=GET)
    rows, parts = _joined(tables)
    where = _pictures(base)
    several = len(set(parts.values()) - {None}) > 1
    for name, row in sorted(rows.items()):
        if name not in parts:  # told of, and not labelled: a test image, most often
            continue
        path = where.get(name) or inside(base, f"{name}.jpg")
        patient, known = _patient(row)
        labels = tuple(_labels(row))
        part = parts[name] if several else None
        facts = _facts(row)
        yield Entry(Source(str(base), (path,)), name, patient, known, labels, part, columns=facts)


def _tables(base: Path) -> list[Table]:
    """The tables in a folder and the folders in it whose first row names an ISIC image."""
    places = [base, *(base / name for name in folders(base) if "isic" in name.lower())]
    paths = [
        place / entry.name
        for place in places
        for entry in listing(place)
        if entry.name.lower().endswith(".csv") and entry.is_file()
    ]
    return [table for path in paths if _image_column(table := Table(path))]


def _image_column(table: Table) -> str | None:
    try:
        names = table.columns()
        found = next((name for name in IMAGE if name in names), None)
        first = next(table.rows(), None) if found else None
    except InputError:  # another table, of whatever it may be
        return None
    return found if found and first and NAME.fullmatch(first[1][found]) else None


def _labelled(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if _says(table.columns())]


def _says(columns: Sequence[str]) -> bool:
    single = {*DIAGNOSIS, *MALIGNANCY} & set(columns)
    return bool(single) or len([name for name in CLASSES if name in columns]) > 1


def _joined(tables: Sequence[Table]) -> tuple[dict[str, Row], dict[str, Part | None]]:
    """By image, the cells of all tables, and the part that the table of its label names."""
    rows: dict[str, Row] = {}
    parts: dict[str, Part | None] = {}
    for table in tables:
        image = _image_column(table)
        assert image is not None
        labels, part = _says(table.columns()), _part(table.path)
        for number, row in table.rows():
            name = row.pop(image)
            mine = rows.setdefault(name, {})
            cells = _plain(table, number, row)
            odd = [key for key in cells if mine.get(key, cells[key]) != cells[key]]
            if odd:
                raise table.row_error(number, f"another {odd[0]} than in an earlier row of it")
            mine |= cells
            if labels:
                parts.setdefault(name, part)
    return rows, parts


def _plain(table: Table, number: int, row: Row) -> Row:
    """The cells that are used, with the class of the columns 0 and 1 as `class`."""
    used = (*DIAGNOSIS, *MALIGNANCY, *SITES, "patient_id", "lesion_id", "age_approx", "age", "sex")
    cells = {name: row[name] for name in used if row.get(name)}
    names = [name for name in CLASSES if name in row]
    if len(names) > 1:
        on = [name for name in names if (table.number(number, row, name) or 0) > 0]
        if len(on) != 1:
            raise table.row_error(number, f"{len(on)} classes are 1", expected="just one")
        cells["class"] = on[0]
    return cells


def _part(path: Path) -> Part | None:
    """The part in a name such as ISIC2018_Task3_Validation_GroundTruth."""
    return next((p for w in re.split(r"[^a-z]+", path.stem.lower()) if (p := part_of(w))), None)


def _patient(row: Row) -> tuple[str | None, Known]:
    if row.get("patient_id"):
        return row["patient_id"], "given"
    return (row["lesion_id"], "guessed") if row.get("lesion_id") else (None, "unknown")


def _labels(row: Row) -> Iterator[Label]:
    """The diagnosis, and whether it is malignant; a challenge's own target stands first."""
    told = (row.get(name, "") for name in ("class", *DIAGNOSIS))
    said = next((word for word in told if word.lower() not in NOT_KNOWN), None)
    diagnosis = [Label("class", "diagnosis", said)] if said else []
    kind = next((row[name] for name in MALIGNANCY if row.get(name)), "").lower()
    kind = {"0": "benign", "1": "malignant"}.get(kind, kind)
    malignancy = [Label("class", "malignancy", kind)] if kind not in NOT_KNOWN else []
    yield from (*malignancy, *diagnosis) if "target" in row else (*diagnosis, *malignancy)


def _facts(row: Row) -> Mapping[str, str | float | None]:
    sex = row.get("sex", "").lower()
    return {
        "sex": sex if sex not in NOT_KNOWN else None,
        "age": age_of(row.get("age_approx") or row.get("age")),
        "site": next((row[name] for name in SITES if row.get(name)), None),
    }


def _pictures(base: Path) -> dict[str, str]:
    """An image's name -> its path; of several files of one picture, the first kind of BEST."""
    found: dict[str, str] = {}
    files = [path for path in walk(base, files_only=True) if path.lower().endswith(BEST)]
    for path in sorted(files, key=lambda path: BEST.index(Path(path).suffix.lower())):
        found.setdefault(stem(path), path)
    return found
