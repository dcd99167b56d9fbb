"""COVID-19 Radiography Database: a folder a class with `images/`, `masks/` and a spreadsheet.

Also the older form, `COVID/*.png` without masks. Patients are unknown. The spreadsheets name
where each picture came from; it is kept as the column `origin`, for each class was gathered
elsewhere, and a network may learn the origin. Masks show the lungs and are 256 pixels wide,
pictures 299: a mask must be brought to its picture's grid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import pictures, stem, wrapped
from hounsfield.catalog.layouts.rows import Table
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.contract import Source

TITLE = "COVID-19 Radiography Database (2020–2022)"
LICENCE = "the owners' terms on Kaggle: research use, cite both papers"
GET = """\
kaggle.com/datasets/tawsifurrahman/covid19-radiography-database
FOLDER/
├── COVID/images/COVID-1.png             and COVID/masks/COVID-1.png
├── Lung_Opacity/images, masks
├── Normal/images, masks
├── Viral Pneumonia/images, masks
└── COVID.metadata.xlsx, …               FILE NAME, FORMAT, SIZE, URL (may be absent)
older: COVID/*.png, NORMAL/*.png, Viral Pneumonia/*.png
"""

CLASSES = ("covid", "covid-19", "lung_opacity", "normal", "viral pneumonia")


def recognise(root: Path) -> bool:
    base = wrapped(root)
    if not base.is_dir():
        return False
    names = {name.lower() for name in _classes(base)}
    if len(names) < 2 or not names & {"covid", "covid-19", "viral pneumonia"}:
        return False
    return bool(_sheets(base)) or any((base / n / "images").is_dir() for n in _classes(base))


def entries(root: Path) -> Iterator[Entry]:
    """One entry a picture, sorted by class and name.

    Raises:
        InputError: no class folder, or a spreadsheet that cannot be read or names a file twice.
    """
    base = wrapped(root)
    classes = _classes(base) if base.is_dir() else []
    if not classes:
        raise InputError("no folder of a known class", file=root, remedy=GET)
    origins = _origins(base)
    for label in classes:
        inner = f"{label}/images" if (base / label / "images").is_dir() else label
        masks = set(pictures(base / label / "masks"))
        for name in pictures(base / inner):
            labels = [Label("class", "finding", label)]
            if name in masks:
                mask = Source(str(base), (f"{label}/masks/{name}",))
                labels.append(Label("mask", "lung", mask=mask))
            yield Entry(
                Source(str(base), (f"{inner}/{name}",)),
                f"{label}/{name}",
                labels=tuple(labels),
                columns={"origin": origins.get(stem(name).lower())},
            )


def _classes(base: Path) -> list[str]:
    return [name for name in folders(base) if name.lower() in CLASSES]


def _sheets(base: Path) -> list[Path]:
    return sorted(base.glob("*.m[ae]tadata.xlsx"))  # one old release misspells it


def _origins(base: Path) -> dict[str, str]:
    """Picture's name in lower case (the sheets differ from the files there) -> its URL's host.

    The whole URL differs from picture to picture; the host tells of which collection each is.
    """
    found: dict[str, str] = {}
    for sheet in _sheets(base):
        table = Table(sheet)
        for number, row in table.rows(("FILE NAME", "URL")):
            name = row["FILE NAME"].lower()
            if name in found:
                raise table.row_error(number, "this FILE NAME was already given")
            found[name] = re.sub(r"^\w+://", "", row["URL"].lower()).partition("/")[0]
    return found
