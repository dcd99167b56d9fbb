"""What the columns of a table mean: found by their names and content, or given.

`columns.yaml` beside the table (or the argument `columns`) names them, any of:

    path: image_file        # below `folder`, with `suffix` appended
    folder: images          # where the paths begin, below the table's own folder
    suffix: .dcm
    patient: subject
    label: diagnosis        # the class
    values: [edema, mass]   # one value of 0 or 1 (or any number) a finding
    part: split             # train, val, test
    sex: gender
    age: age_years
    view: projection
    mask: lung_mask         # a path like `path`, without the suffix
    box: [x0, y0, x1, y1]   # pixels; or size: [x, y, width, height]
    reader: radiologist
    facts: [bmi, smoker]    # further columns of the cases, e.g. for `train --table age,bmi`
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hounsfield.catalog.layouts.reading import inside
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.errors import InputError
from hounsfield.folders import folders
from hounsfield.formats.folder import PICTURES

SIDECAR = "columns.yaml"
SAMPLE = 200  # rows that detection looks at
Four = tuple[str, str, str, str]

# role -> names, in lower case without spaces, dots and underscores; the first found is taken
NAMES: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "filepath", "imagepath", "imgpath", "dicompath", "file", "filename"),
        *("imagefile", "imagefilename", "imagename", "imageindex", "image", "img", "dicom"),
        *("imageid", "imgid", "dicomid", "sopinstanceuid", "idcode", "id"),
    ),
    "patient": ("patient", "patientid", "patientnumber", "subject", "subjectid", "participantid"),
    "label": (
        *("label", "class", "classname", "target", "diagnosis", "finding", "findinglabels"),
        *("category", "dx", "level", "grade"),
    ),
    "part": ("part", "split", "subset", "partition"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age": ("age", "patientage", "ageyears"),
    "view": ("view", "viewposition", "projection"),
    "mask": ("mask", "maskpath", "maskfile", "segmentation", "segmentationpath"),
    "reader": ("reader", "radiologist", "radid", "annotator"),
}
# names of numbers that are predicted, in the same form; others are named as `values`
MEASURES = (
    *("boneage", "boneagemonths", "ejectionfraction", "ef", "lvef", "bmi", "bmd", "tscore"),
    *("measurement", "score", "volume", "value"),
)
BOXES: tuple[Four, ...] = (("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"))
SIZES: tuple[Four, ...] = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
SUFFIXES = ("", ".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii.gz", ".nii", ".npy")


class Columns(BaseModel):
    """Which column of a table says what. None: no column does."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    path: str
    folder: str = ""
    suffix: str = ""
    patient: str | None = None
    label: str | None = None
    values: tuple[str, ...] = ()
    part: str | None = None
    sex: str | None = None
    age: str | None = None
    view: str | None = None
    mask: str | None = None
    box: Four | None = None
    size: Four | None = None
    reader: str | None = None
    facts: tuple[str, ...] = ()

    def used(self) -> list[str]:
        """All columns that are named."""
        roles = [getattr(self, role) for role in NAMES]
        several = (*self.values, *(self.box or ()), *(self.size or ()), *self.facts)
        return [name for name in (*roles, *several) if name]


def detect(table: Table, given: Mapping[str, Any] | None = None) -> Columns | None:
    """What the columns mean; None where no column holds the names of files that are there.

    `given` goes before `columns.yaml`, and that before what is found.

    Raises:
        InputError: a given role is unknown, or names a column that the table does not have.
    """
    names = table.columns()
    known = {**_sidecar(table.path.parent / SIDECAR), **(given or {})}
    unknown = [role for role in known if role not in Columns.model_fields]
    if unknown:
        raise table.error(
            f"{SIDECAR} has an unknown role {unknown[0]!r}",
            expected=", ".join(Columns.model_fields),
        )
    # Checked before they are used: `folder: 2020` is a text, `folder: null` is nothing.
    known = _validated(table, {"path": "", **known}).model_dump(include=set(known))
    sample = [row for _, row in islice(table.rows(), SAMPLE)]
    place = _place(table.path.parent, sample, known, names)
    if place is None:
        return None
    found = {**_by_name(names, str(place["path"])), **place, **known}
    if not {"label", "values"} & {role for role, name in found.items() if name}:
        columns = _validated(table, found)
        found |= _measures(sample, columns) or _zeros_and_ones(sample, columns)
    columns = _validated(table, found)
    missing = [name for name in columns.used() if name not in names]
    if missing:
        raise table.error(f"no column {missing[0]!r}", expected=f"one of {', '.join(names)}")
    return columns


def _by_name(names: Sequence[str], path: str) -> dict[str, Any]:
    """The roles that the columns' names tell, but for the path's."""
    plain = {_plain(name): name for name in reversed(names) if name != path}
    found: dict[str, Any] = {}
    for role, words in NAMES.items():
        if role != "path":
            found[role] = next((plain[word] for word in words if word in plain), None)
    for role, choices in (("box", BOXES), ("size", SIZES)):
        fits = [four for four in choices if all(word in plain for word in four)]
        found[role] = tuple(plain[word] for word in fits[0]) if fits else None
    return found


def _place(
    root: Path, sample: Sequence[Row], known: Mapping[str, Any], names: Sequence[str]
) -> dict[str, str] | None:
    """The column of paths, and what comes before and after each, so that the files are there."""
    places = [known["folder"]] if "folder" in known else ["", *folders(root)[:20]]
    suffixes = [known["suffix"]] if "suffix" in known else SUFFIXES
    paths = [known["path"]] if "path" in known else _candidates(sample, names)
    for path in paths:
        values = [row[path] for row in sample if row.get(path)][:20]
        for folder in places:
            for suffix in suffixes:
                there = sum(_is_there(root, folder, value + suffix) for value in values)
                if there * 2 > len(values):
                    return {"path": path, "folder": folder, "suffix": suffix}
    # A given path column is believed; the scan then lists the files that are missing.
    return {"path": paths[0]} if "path" in known else None


def _candidates(sample: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Columns that may hold paths: those named so, then those with an image's suffix."""
    plain = {_plain(name): name for name in reversed(names)}
    named = [plain[word] for word in NAMES["path"] if word in plain]
    shown = [n for n in names if any(row[n].lower().endswith(PICTURES) for row in sample[:20])]
    return list(dict.fromkeys([*named, *shown]))


def _is_there(root: Path, folder: str, value: str) -> bool:
    try:
        return (root / folder / inside(root / folder, value)).is_file()
    except InputError:  # it leads outside: reading the table will say so, if it is there at all
        return (root / folder / value).is_file()


def _measures(sample: Sequence[Row], columns: Columns) -> dict[str, Any]:
    """Columns of numbers by the names that measurements have."""
    taken, names = columns.used(), list(sample[0]) if sample else []
    found = [n for n in names if n not in taken and _plain(n) in MEASURES]
    numbers = [
        name
        for name in found
        if all(_is_number(row[name]) for row in sample)
        and {row[name] for row in sample} - {"", "0", "1"}  # those are findings
    ]
    return {"values": tuple(numbers)} if numbers else {}


def _is_number(cell: str) -> bool:
    """A finite number, or an empty cell: the case was not measured."""
    try:
        return not cell or math.isfinite(float(cell))
    except ValueError:
        return False


def _zeros_and_ones(sample: Sequence[Row], columns: Columns) -> dict[str, Any]:
    """Columns of nothing but 0 and 1: several are findings, a single one is the class."""
    taken = {"", *columns.used()}
    binary = [
        name
        for name in (sample[0] if sample else ())
        if name not in taken and {row[name] for row in sample} == {"0", "1"}
    ]
    return {"label": binary[0]} if len(binary) == 1 else {"values": tuple(binary)}


def _validated(table: Table, found: Mapping[str, Any]) -> Columns:
    try:
        return Columns.model_validate(dict(found))
    except ValidationError as error:
        first = error.errors()[0]
        role = ".".join(map(str, first["loc"]))
        raise table.error(f"{SIDECAR}, {role}: {first['msg'].lower()}") from error


def _sidecar(path: Path) -> dict[str, Any]:
    """The given roles, or none where the file is not there."""
    import yaml

    if not path.is_file():
        return {}
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _no_mapping(path) from error
    if not isinstance(read, dict):
        raise _no_mapping(path)
    return read


def _no_mapping(path: Path) -> InputError:
    return InputError(
        "not a list of roles",
        file=path,
        expected="lines such as `path: image_file`",
        remedy="`hounsfield layouts table` shows the roles",
    )


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " ._-"))
