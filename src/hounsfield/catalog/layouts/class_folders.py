"""One folder a class: `train|val|test/CLASS/*`, or `CLASS/*`; e.g. the Kermany/Mooney set.

Files lie directly in the class folders, or in one folder a patient within them (`CLASS/sub-001/*`),
as volumes do. Patients are guessed from file names that are
known to carry them; the numbers of the Kermany/Mooney set come again in train and test, so a
guess is no proof of a leak.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import may_be_picture, part_of, pictures, stem, wrapped
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import folders, listing, walk
from hounsfield.formats.contract import Source
from hounsfield.formats.folder import is_picture

TITLE = "Class folders (Kermany/Mooney chest X-rays, and any like it)"
LICENCE = "the data set's own; Kermany et al. 2018: CC BY 4.0"
GET = """\
kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, or data.mendeley.com/datasets/rscbjbr9sj
FOLDER/
├── train/                               or training
│   ├── NORMAL/IM-0115-0001.jpeg         one folder a class, any names (0/ and 1/ too)
│   └── PNEUMONIA/person1_bacteria_1.jpeg
├── val/                                 or valid, validation; may be absent
└── test/                                or testing; may be absent
or, without official parts: FOLDER/CLASS/*; volumes: FOLDER/CLASS/sub-001/*.dcm, or .nii.gz
"""

# The patient's number in names such as these; each is a guess.
PATIENTS = (
    re.compile(r"^(person\d+)_(?:bacteria|virus)_\d+", re.I),  # Mooney: person23_bacteria_78
    re.compile(r"^(?:NORMAL\d*-)?(IM-\d+)-\d+", re.I),  # Mooney: NORMAL2-IM-1427-0001
    re.compile(r"^[A-Z]+-(\d{3,})-\d+$", re.I),  # Kermany: BACTERIA-1008087-0001, CNV-53018-1
    re.compile(r"^((?:patient|subject|sub)[-_]?\d+)(?:[-_]|$)", re.I),
)
# Folders that hold pictures and are no class.
NO_CLASS = re.compile(
    r"(image|img|picture|photo|mask|label|annotation|segmentation|ground.?truth|gt|raw|input|output"
    r"|jpegimage|dicom|scan)s?(tr|ts|va)?|in|ref|out",
    re.I,
)
# Folders that hold one patient, study or series: UIDs, long numbers, "sub-01", "SE0003".
ONE_PATIENT = re.compile(
    r"\d+(\.\d+){3,}|.*\d{3,}.*"
    r"|(pat|patient|sub|subj|subject|case|study|series|ses|session|scan|visit|pt|vol|volume|[ps][aet]?)"
    r"[-_ ]?\d+",
    re.I,
)
MOST_NAMED = 10
MOST_CLASSES = 50  # without official parts; above it, the folders are patients


class _Folder(NamedTuple):
    part: Part | None
    label: str
    path: str  # below the base


def recognise(root: Path) -> bool:
    """At least two class folders with pictures in them that are neither patients nor kinds."""
    if not root.is_dir() or len(folders(wrapped(root))) > MOST_CLASSES:
        return False
    base = _base(root)
    found = _classes(base) if base is not None else []
    classes = {folder.label for folder in found}
    odd = [name for name in classes if _is_odd(name)]
    if base is None or len(classes) < 2 or len(odd) * 2 > len(classes):
        return False
    if found[0].part is not None:
        return True
    filled = [name for name in folders(base) if listing(base / name)]
    if len(found) < 0.75 * len(filled):
        return False  # some folders hold pictures and many hold other files: no set of classes
    some = islice(chain.from_iterable(_images(base / f.path) for f in found), 2 * len(classes))
    return len(list(some)) == 2 * len(classes)


def entries(root: Path) -> Iterator[Entry]:
    """One entry an image file, sorted by part, class and name.

    Raises:
        InputError: no class folders, or a class of another part that the training part lacks.
    """
    base = _base(root)
    found = _classes(base) if base is not None else []
    if base is None or not found:
        raise InputError("no class folders with images", file=root, remedy=GET)
    _check_classes(base, found)
    for folder in found:
        for name in _images(base / folder.path):
            patient = guess_patient(name)
            yield Entry(
                Source(str(base), (f"{folder.path}/{name}",)),
                f"{folder.path}/{name}",
                patient,
                "guessed" if patient else "unknown",
                (Label("class", "class", folder.label),),
                folder.part,
            )


def noticed(root: Path) -> list[Finding]:
    """Folders among the classes that hold no picture: a class that is lost, most often."""
    base = _base(root)
    if base is None:
        return []
    kept = _classes(base)
    lost = [
        folder.path
        for folder in _candidates(base)
        if folder not in kept
        and (folder.part is None) == (kept[0].part is None)
        and not _is_odd(folder.label)
    ]
    if not lost:
        return []
    told = ", ".join(lost[:MOST_NAMED]) + (", …" if len(lost) > MOST_NAMED else "")
    one = len(lost) == 1
    return [
        Finding(
            kind="empty-class",
            severity="warning",
            text=f"{'class folder' if one else f'{len(lost)} class folders'} {told} "
            f"{'has' if one else 'have'} no images",
            remedy="put images directly into a class's folder, or move the folder away",
        )
    ]


def guess_patient(name: str) -> str | None:
    """The patient that a file's name seems to carry, or its folder's; None for DICOM's headers."""
    if "/" in name:
        return None if _is_dicom(name) else name.split("/", maxsplit=1)[0]
    matches = (pattern.match(stem(name)) for pattern in PATIENTS)
    return next((match[1] for match in matches if match), None)


def _base(root: Path) -> Path | None:
    """The folder that holds parts or classes: the root, or the only folder in it."""
    if not root.is_dir():
        return None
    return next((base for base in (root, wrapped(root)) if _classes(base)), None)


def _classes(base: Path) -> list[_Folder]:
    """The class folders that hold a picture; those in parts, where there are any."""
    held = [folder for folder in _candidates(base) if _holds_picture(base / folder.path)]
    return [folder for folder in held if folder.part is not None] or held


def _candidates(base: Path) -> list[_Folder]:
    """The folders in parts, and those directly in the base that are no parts."""
    names = folders(base)
    in_parts = [
        _Folder(part_of(part), label, f"{part}/{label}")
        for part in names
        if part_of(part) is not None
        for label in folders(base / part)
    ]
    return in_parts + [_Folder(None, name, name) for name in names if part_of(name) is None]


def _is_odd(name: str) -> bool:
    """Does a folder's name say that it is no class?"""
    return bool(NO_CLASS.fullmatch(name) or ONE_PATIENT.fullmatch(name))


def _holds_picture(folder: Path) -> bool:
    held = listing(folder)
    if any(is_picture(entry.name) for entry in held):
        return True
    return _one_a_patient(folder) and any(
        may_be_picture(path) for path in walk(folder, files_only=True)
    )


def _images(folder: Path) -> list[str]:
    """The files of a class: its own pictures, or those of its patients' folders."""
    own = pictures(folder)
    if own or not _one_a_patient(folder):
        return own
    return [path for path in walk(folder, files_only=True) if may_be_picture(path)]


def _one_a_patient(folder: Path) -> bool:
    inner = folders(folder)
    return bool(inner) and all(ONE_PATIENT.fullmatch(name) for name in inner)


def _is_dicom(name: str) -> bool:
    return name.lower().endswith((".dcm", ".dicom", ".ima")) or "." not in name.rsplit("/", 1)[-1]


def _check_classes(base: Path, found: list[_Folder]) -> None:
    """A class that only a later part has is a different spelling, most often."""
    known = {folder.label for folder in found if folder.part == "train"}
    for folder in found:
        if known and folder.label not in known:
            raise InputError(
                f"the class {folder.label!r} is not in the training part",
                file=base / folder.path,
                expected=f"one of {', '.join(sorted(known))}",
                remedy="give the folder the same name in every part, or move it away",
            )
