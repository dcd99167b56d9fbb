"""NIH ChestX-ray14: 112,120 frontal chest radiographs of 30,805 patients with fourteen findings.

The findings were mined from reports; each becomes a value of 0 or 1, so "No Finding" is fourteen
zeros. The official lists are by patient: `train_val_list.txt` is the training part, from which a
split takes its validation part. Kaggle's sample of 5,606 pictures is read, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import age_of, inside, pictures, wrapped
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.contract import Source

TITLE = "NIH ChestX-ray14 (Wang et al. 2017)"
LICENCE = "the NIH's terms: any use, with attribution to the NIH Clinical Center and the paper"
GET = """\
nihcc.app.box.com/v/ChestXray-NIHCC, or kaggle.com/datasets/nih-chest-xrays/data
FOLDER/
├── Data_Entry_2017_v2020.csv            Image Index,Finding Labels,…,Patient ID,…,View Position
├── train_val_list.txt, test_list.txt    the official parts, by patient (may be absent)
└── images_001/images/*.png … or images/*.png
"""

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv")
COLUMNS = ("Image Index", "Finding Labels", "Patient ID")
LISTS: dict[str, Part] = {"train_val_list.txt": "train", "test_list.txt": "test"}
FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia"),
    *("Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening"),
    "Hernia",
)
NONE = "No Finding"
OLDEST = 120  # years; some ages of the table are 4 centuries


def recognise(root: Path) -> bool:
    table = _table(wrapped(root))
    return table is not None and set(COLUMNS) <= set(table.columns())


def entries(root: Path) -> Iterator[Entry]:
    """One entry a row, in the table's order; a picture that is missing is listed too.

    Raises:
        InputError: no such table, an unknown finding, an image that comes twice or stands in
            both official lists.
    """
    base = wrapped(root)
    table = _table(base)
    if table is None:
        raise InputError("no Data_Entry_2017_v2020.csv", file=root, remedy=GET)
    where, parts = _pictures(base), _parts(base)
    seen: dict[str, int] = {}
    for number, row in table.rows(COLUMNS):
        name = row["Image Index"]
        if name in seen:
            raise table.row_error(number, f"the image of row {seen[name]} again")
        seen[name] = number
        path = where.get(name) or inside(base, f"images/{name}", f"row {number}")
        yield Entry(
            Source(str(base), (path,)),
            name,
            row["Patient ID"] or None,
            "given" if row["Patient ID"] else "unknown",
            tuple(_labels(table, number, row)),
            parts.get(name),
            columns=_facts(row),
        )


def _table(base: Path) -> Table | None:
    found = [base / name for name in TABLES if (base / name).is_file()]
    return Table(found[0]) if found else None


def _pictures(base: Path) -> Mapping[str, str]:
    """A picture's name -> its path: in images, images_001/images, sample/images …"""
    places = [name for name in folders(base) if name.startswith(("images", "sample"))]
    places += [f"{name}/images" for name in places]
    return {name: f"{place}/{name}" for place in places for name in pictures(base / place)}


def _parts(base: Path) -> Mapping[str, Part]:
    found: dict[str, Part] = {}
    for file, part in LISTS.items():
        path = base / file
        names = path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else ()
        for name in names:
            if found.setdefault(name, part) != part:
                raise InputError(
                    "an image of this list stands in the other one, too",
                    file=path,
                    remedy="take both lists from one release",
                )
    return found


def _labels(table: Table, number: int, row: Row) -> Iterator[Label]:
    told = {word.strip() for word in row["Finding Labels"].split("|")} - {""}
    unknown = told - {NONE, *FINDINGS}
    if unknown:
        raise table.row_error(
            number, f"an unknown finding {min(unknown)!r}", expected=", ".join((NONE, *FINDINGS))
        )
    for finding in FINDINGS if told else ():
        yield Label("value", finding, value=float(finding in told))


def _facts(row: Row) -> dict[str, str | float | None]:
    age = age_of(row.get("Patient Age"))
    return {
        "sex": row.get("Patient Gender") or row.get("Patient Sex") or None,
        "age": age if age is not None and age <= OLDEST else None,
        "view": row.get("View Position") or None,
    }
