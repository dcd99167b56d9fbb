"""APTOS 2019: photographs of the retina, graded for diabetic retinopathy from 0 to 4.

Grades: 0 none, 1 mild, 2 moderate, 3 severe, 4 proliferative. Patients are unknown. The set holds
pictures that come several times, some with different grades: the audit lists them. A table
without grades (Kaggle's `test.csv`) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import inside, part_of, pictures, stem, wrapped
from hounsfield.catalog.layouts.rows import Table
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.contract import Source

TITLE = "APTOS 2019 Blindness Detection: diabetic retinopathy"
LICENCE = "the competition's rules on Kaggle: non-commercial research and education"
GET = """\
kaggle.com/c/aptos2019-blindness-detection (account needed)
FOLDER/
├── train.csv                            id_code,diagnosis: 0 to 4
├── test.csv                             id_code alone: left out
└── train_images/ID.png
or with parts: train_1.csv, valid.csv, test.csv beside train_images/, val_images/, test_images/
"""

COLUMNS = {"id_code", "diagnosis"}
GRADES = ("0", "1", "2", "3", "4")


def recognise(root: Path) -> bool:
    return bool(_tables(wrapped(root)))


def entries(root: Path) -> Iterator[Entry]:
    """One entry a row, table by table; a picture that is missing is listed too.

    Raises:
        InputError: no such table, a grade that is none, an image that comes twice.
    """
    base = wrapped(root)
    tables = _tables(base)
    if not tables:
        raise InputError("no train.csv with id_code and diagnosis", file=root, remedy=GET)
    where = _pictures(base)
    seen: set[str] = set()
    for table in tables:
        part = part_of(table.path.stem.partition("_")[0]) if len(tables) > 1 else None
        for number, row in table.rows(tuple(COLUMNS)):
            name, grade = row["id_code"], row["diagnosis"]
            if grade not in ("", *GRADES):
                raise table.row_error(number, f"diagnosis is {grade!r}", expected="0 to 4")
            if name in seen:
                raise table.row_error(number, "an image that was already given")
            seen.add(name)
            path = where.get(name) or inside(base, f"train_images/{name}.png", f"row {number}")
            yield Entry(
                Source(str(base), (path,)),
                name,
                labels=(Label("class", "diagnosis", grade),) if grade else (),
                part=part,
            )


def _tables(base: Path) -> list[Table]:
    """The tables with grades beside a folder of images."""
    if not base.is_dir() or not any(name.endswith("_images") for name in folders(base)):
        return []
    found = [Table(path) for path in sorted(base.glob("*.csv"))]
    named = [table for table in found if part_of(table.path.stem.partition("_")[0])]
    return [table for table in named if _has_grades(table)]


def _has_grades(table: Table) -> bool:
    try:
        return set(table.columns()) == COLUMNS
    except InputError:  # another table, of whatever it may be
        return False


def _pictures(base: Path) -> dict[str, str]:
    """An image's name -> its path, in NAME_images or NAME_images/NAME_images."""
    places = [name for name in folders(base) if name.endswith("_images")]
    places += [f"{name}/{name}" for name in places]
    return {stem(one): f"{place}/{one}" for place in places for one in pictures(base / place)}
