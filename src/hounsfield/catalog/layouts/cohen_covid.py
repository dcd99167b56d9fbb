"""Cohen's COVID-19 image data collection: `metadata.csv` beside `images/` and `volumes/`.

Findings are paths such as "Pneumonia/Viral/COVID-19" and kept whole; "todo" and "Unknown" are
no finding. CT slices come too; the column `modality` tells them apart. Clinical notes, places
and dates are not taken over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import inside, wrapped
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.formats.contract import Source

TITLE = "COVID-19 Image Data Collection (Cohen et al. 2020)"
LICENCE = "each image its own (column `license`): Apache-2.0, CC BY, CC BY-NC-SA and others"
GET = """\
git clone https://github.com/ieee8023/covid-chestxray-dataset
FOLDER/
├── metadata.csv                         patientid,offset,sex,age,finding,…,view,modality,…,filename
├── images/*.jpg, *.png, *.jpeg
└── volumes/*.nii.gz                     may be absent
"""

NO_FINDING_YET = ("todo", "unknown")
KEPT = ("sex", "view", "modality", "RT_PCR_positive", "survival", "intubated", "went_icu")


def recognise(root: Path) -> bool:
    table = wrapped(root) / "metadata.csv"
    if not table.is_file() or not (table.parent / "images").is_dir():
        return False
    return {"patientid", "finding", "filename"} <= set(Table(table).columns())


def entries(root: Path) -> Iterator[Entry]:
    """One entry a row, sorted by folder and file name; a file that is missing is listed too.

    Raises:
        InputError: a column is missing, an age or offset is no number, a file comes twice with
            different patients or findings.
    """
    base = wrapped(root)
    table = Table(base / "metadata.csv")
    seen: dict[str, tuple[int, Row]] = {}
    for number, row in table.rows(("patientid", "finding", "filename")):
        if not row["filename"]:
            raise table.row_error(number, "no filename", expected="the name of an image file")
        folder = row.get("folder") or "images"
        path = inside(base, f"{folder}/{row['filename']}", f"row {number}")
        first, before = seen.setdefault(path, (number, row))
        if any(before[name] != row[name] for name in ("patientid", "finding")):
            raise table.row_error(
                number, f"the file of row {first} with another patient or finding"
            )
    for path, (number, row) in sorted(seen.items()):
        yield _entry(base, path, table, number, row)


def _entry(base: Path, path: str, table: Table, number: int, row: Row) -> Entry:
    finding = row["finding"]
    known = finding and finding.lower() not in NO_FINDING_YET
    columns: dict[str, str | float | None] = {name: row.get(name) or None for name in KEPT}
    for name in ("age", "offset"):
        columns[name] = table.number(number, row, name) if name in row else None
    return Entry(
        Source(str(base), (path,)),
        path,
        row["patientid"] or None,
        "given" if row["patientid"] else "unknown",
        (Label("class", "finding", finding),) if known else (),
        columns=columns,
    )
