"""Pictures as rows of a CSV: `label,pixel0…pixel783` (Kaggle's Digit Recognizer, and its kin).

In a folder, files without labels (Kaggle's `test.csv`) are left out where another one has them;
such a file can be named itself, for prediction. Where two files have labels (Sign MNIST, Fashion
MNIST), their names tell the parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import part_of
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import listing
from hounsfield.formats import pixel_csv
from hounsfield.formats.contract import HEAD_BYTES, Source

TITLE = "Digits as CSV (Kaggle; also Fashion and Sign MNIST)"
LICENCE = "CC BY-SA 3.0 (MNIST)"
GET = """\
kaggle.com/c/digit-recognizer (account needed)
FOLDER/
├── train.csv                            label,pixel0,…,pixel783: one picture a row, 0 to 255
└── test.csv                             pixel0,…,pixel783, without labels
or the file itself; `dataset:digits` is built in
"""


def recognise(root: Path) -> bool:
    return bool(_files(root))


def entries(root: Path) -> Iterator[Entry]:
    """One entry a row, file by file in the order of their names.

    Raises:
        InputError: no such file, or a row whose label is no whole number.
    """
    files = _files(root)
    if not files:
        raise InputError("no CSV that begins with label,pixel0,…", file=root, remedy=GET)
    labelled = [path for path in files if pixel_csv.columns(path)[0] == "label"]
    several = len(labelled) > 1
    for path in labelled or files:
        part = _part(path) if several else None
        for row, label in enumerate(_labels(path, path in labelled)):
            yield Entry(
                Source(str(path.parent), (path.name,), str(row)),
                f"{path.stem}/{row}" if several else str(row),
                labels=(Label("class", "class", label),) if label is not None else (),
                part=part,
            )


def _labels(path: Path, labelled: bool) -> Iterator[str | None]:
    """The first cell of each row; the pixels are not looked at."""
    with path.open("rb") as file:
        next(file)
        for number, line in enumerate((line for line in file if line.strip()), start=2):
            cell = line.partition(b",")[0].strip().strip(b'"').decode("ascii", errors="replace")
            if labelled and not cell.isdigit():
                raise InputError(
                    f"row {number}: label is {cell!r}",
                    file=path,
                    expected="a whole number",
                    remedy="correct the row, or drop the label column to predict",
                )
            yield str(int(cell)) if labelled else None


def _files(root: Path) -> list[Path]:
    if root.is_dir():
        names = [e.name for e in listing(root) if e.name.lower().endswith(".csv") and e.is_file()]
        return [root / name for name in names if _is_ours(root / name)]
    return [root] if root.is_file() and _is_ours(root) else []


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return pixel_csv.sniff(file.read(HEAD_BYTES), path)
    except OSError:
        return False


def _part(path: Path) -> Part | None:
    """The part in a name such as `sign_mnist_train`."""
    return next((p for w in re.split(r"[^a-z]+", path.stem.lower()) if (p := part_of(w))), None)
