"""Any CSV, TSV, Excel or Parquet table with a column of image files.

Which columns mean what is found by their names and content (`columns.NAMES`), or given in
`columns.yaml` beside the table. Only the named roles are taken over: other columns may hold names,
dates or notes of patients. Rows with boxes may repeat an image; no other row may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from hounsfield.catalog.layouts.columns import SIDECAR, Columns, detect
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import UNKNOWN, age_of, inside, part_of
from hounsfield.catalog.layouts.rows import TABLES, Row, Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import listing
from hounsfield.formats.contract import Source

TITLE = "A table with a column of image files"
LICENCE = "the data set's own"
GET = """\
FOLDER/
├── labels.csv                           image,patient,label,split,sex,age,view: only image must be
├── columns.yaml                         says which column is what, where their names do not
└── images/a.png                         paths below the table, or below one of its folders

columns.yaml, any of these lines:
    path: image_file      the column of the files; `folder:` before and `suffix:` after it
    patient: subject
    label: diagnosis      the class
    values: [edema, mass] one number a finding, e.g. 0 or 1
    part: split           train, val or test
    sex: gender           also `age:`, `view:`, `reader:`
    mask: lung_mask       the column of mask files
    box: [x0, y0, x1, y1] or size: [x, y, width, height], in pixels
    facts: [bmi, smoker]  further columns of the cases, for `train --table age,bmi`
    label: null           takes a role away that was found wrongly
"""


def recognise(root: Path) -> bool:
    """A table is named, or its folder holds one whose files are there, or a `columns.yaml`."""
    if root.is_file():
        return root.suffix.lower() in TABLES
    return root.is_dir() and ((root / SIDECAR).is_file() or bool(_tables(root)))


def entries(root: Path, columns: Mapping[str, Any] | None = None) -> Iterator[Entry]:
    """One entry an image, in the table's order; `columns` as in `columns.yaml`.

    Raises:
        InputError: no table or several, no column of files, an image that comes twice, a path out
            of the folder, a part, age, number or box that is none.
    """
    table = _table(root, columns)
    found = detect(table, columns)
    if found is None:
        raise InputError(
            "no column names image files that are there",
            file=table.path,
            expected="paths relative to the table, or to a folder beside it",
            remedy=f"write `path: COLUMN` and `folder: FOLDER` into {SIDECAR} beside the table",
        )
    for path, rows in _images(table, found):
        yield _entry(table, found, path, rows)


def _table(root: Path, columns: Mapping[str, Any] | None) -> Table:
    if root.is_file():
        return Table(root)
    tables = _tables(root, columns)
    if len(tables) == 1:
        return tables[0]
    names = ", ".join(table.path.name for table in tables)
    raise InputError(
        f"{len(tables)} tables name images: {names}" if tables else "no table names images",
        file=root,
        expected="one table with a column of files",
        remedy="name the table itself, e.g. FOLDER/train.csv, or use the layout `files`",
    )


def _tables(root: Path, columns: Mapping[str, Any] | None = None) -> list[Table]:
    """The tables in a folder whose files are there; those with labels, where there are any."""
    found: list[tuple[Table, bool]] = []
    for entry in listing(root):
        if entry.is_file() and entry.name.lower().endswith(TABLES):
            table = Table(root / entry.name)
            try:
                meaning = detect(table, columns)
            except InputError:
                if (root / SIDECAR).is_file() or columns:
                    raise  # what was given does not fit, and that has to be said
                continue  # another table, of whatever it may be
            if meaning is not None:
                found.append((table, _says_something(meaning)))
    return [table for table, says in found if says] or [table for table, _ in found]


def _says_something(columns: Columns) -> bool:
    return bool(columns.label or columns.values or columns.mask or columns.box or columns.size)


def _images(table: Table, columns: Columns) -> Iterator[tuple[str, list[tuple[int, Row]]]]:
    """Each image's path below the table's folder, with its rows."""
    boxed = columns.box is not None or columns.size is not None
    base = table.path.parent
    folder = inside(base, columns.folder, SIDECAR)
    seen: dict[str, list[tuple[int, Row]]] = {}
    for number, row in table.rows():
        if not row[columns.path]:
            raise table.row_error(number, f"{columns.path} is empty", expected="a file")
        below = inside(base / folder, f"{row[columns.path]}{columns.suffix}", f"row {number}")
        path = str(PurePosixPath(folder, below))
        if path in seen and not boxed:
            raise table.row_error(
                number, f"the file of row {seen[path][0][0]} again", expected="one row an image"
            )
        seen.setdefault(path, []).append((number, row if boxed else {}))
        if not boxed:
            yield path, [(number, row)]
    if boxed:
        yield from seen.items()


def _entry(table: Table, columns: Columns, path: str, rows: Sequence[tuple[int, Row]]) -> Entry:
    number, row = rows[0]
    patient = row[columns.patient] if columns.patient else ""
    labels: dict[Label, None] = {}
    for number_of_row, cells in rows:
        new = dict.fromkeys(_labels(table, columns, number_of_row, cells))
        if any(_contradict(one, other) for one in new for other in labels):
            raise table.row_error(
                number_of_row, "another class than in an earlier row of this file"
            )
        labels |= new
    return Entry(
        Source(str(table.path.parent), (path,)),
        path,
        patient or None,
        "given" if patient else "unknown",
        tuple(labels),
        _part(table, columns, number, row),
        columns=_facts(table, columns, number, row),
    )


def _contradict(one: Label, other: Label) -> bool:
    """Two classes of one image by one reader."""
    same = one.kind == other.kind == "class" and one.reader == other.reader
    return same and one.label != other.label


def _labels(table: Table, columns: Columns, number: int, row: Row) -> Iterator[Label]:
    reader = (row[columns.reader] or None) if columns.reader else None
    label = (row[columns.label] or None) if columns.label else None
    box = _box(table, columns, number, row)
    if box is not None:
        yield Label("box", columns.label or "box", label or "box", box=box, reader=reader)
    elif label is not None and columns.label is not None:
        yield Label("class", columns.label, label, reader=reader)
    for name in columns.values:
        value = table.number(number, row, name)
        if value is not None:
            yield Label("value", name, value=value, reader=reader)
    if columns.mask is not None and row[columns.mask]:
        base = table.path.parent
        mask = Source(str(base), (inside(base, row[columns.mask], f"row {number}"),))
        yield Label("mask", columns.mask, mask=mask, reader=reader)


def _box(
    table: Table, columns: Columns, number: int, row: Row
) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 in pixels; None where all four cells are empty."""
    names = columns.box or columns.size
    if names is None:
        return None
    cells = [table.number(number, row, name) for name in names]
    if cells == [None] * 4:
        return None
    a, b, c, d = (float("nan") if cell is None else cell for cell in cells)
    box = (a, b, c, d) if columns.box else (a, b, a + c, b + d)
    if not (box[2] > box[0] and box[3] > box[1]):
        raise table.row_error(
            number, f"not a box: {', '.join(names)}", expected="width, height > 0"
        )
    return box


def _part(table: Table, columns: Columns, number: int, row: Row) -> Part | None:
    text = row[columns.part] if columns.part else ""
    part = part_of(text)
    if text and part is None:
        raise table.row_error(
            number, f"{columns.part} is {text!r}", expected="train, val or test, or `part: null`"
        )
    return part


def _facts(table: Table, columns: Columns, number: int, row: Row) -> dict[str, str | float | None]:
    """Sex and view as they are written; age in years; what else is asked for, as it is."""
    facts: dict[str, str | float | None] = {name: _fact(row[name]) for name in columns.facts}
    if columns.sex:
        facts["sex"] = row[columns.sex] or None
    if columns.view:
        facts["view"] = row[columns.view] or None
    if columns.age:
        text = row[columns.age]
        facts["age"] = age_of(text)
        if text and facts["age"] is None:
            raise table.row_error(
                number, f"{columns.age} is {text!r}", expected="years, e.g. 61, 061Y or 18M"
            )
    return facts


def _fact(text: str) -> str | float | None:
    """A number where the text is one; None where it says that nothing is known."""
    if text.strip().lower() in UNKNOWN:
        return None
    try:
        return float(text)
    except ValueError:
        return text
