"""What the layouts share: listing folders, safe paths, and the words for parts."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import listing
from hounsfield.formats.folder import is_picture

PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "tune"), "val"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}

# Suffixes and names that no image has; everything else is looked into.
NO_PICTURE = (
    *(".csv", ".tsv", ".txt", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".xml", ".ini"),
    *(".xlsx", ".xls", ".ods", ".parquet", ".html", ".htm", ".pdf", ".doc", ".docx", ".log"),
    *(".py", ".ipynb", ".m", ".r", ".sh", ".bat", ".zip", ".tar", ".tar.gz", ".tgz", ".bval"),
    *(".bvec", ".sql", ".db", ".lock"),
)
NO_PICTURE_NAMES = ("readme", "license", "licence", "copying", "changes", "dicomdir", "version")
# What a cell of a table says where nothing is known.
UNKNOWN = frozenset(
    ("", "na", "n/a", "nan", "none", "null", "unknown", "missing", "not known", "-", "?", ".")
)
_AGE = re.compile(r"[<>≤≥]?\s*(\d+(?:\.\d+)?)\s*\+?\s*([ymwd]?)", re.I)
_YEARS = {"": 1.0, "y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}


def may_be_picture(path: str) -> bool:
    """Is a file worth looking into? Only suffixes and names that no image has say no."""
    name = PurePosixPath(path).name.lower()
    return not name.endswith(NO_PICTURE) and name not in NO_PICTURE_NAMES


def pictures(folder: Path) -> list[str]:
    """The names of the image files directly in a folder, sorted; none if it is no folder."""
    if not folder.is_dir():
        return []
    return [e.name for e in listing(folder) if is_picture(e.name) and e.is_file()]


def stem(name: str) -> str:
    """A file's name without its suffix; `.nii.gz` counts as one."""
    lower = name.lower()
    return name[:-7] if lower.endswith(".nii.gz") else PurePosixPath(name).stem


def wrapped(root: Path) -> Path:
    """The only folder in a folder that holds nothing else (archives often wrap), or itself."""
    if not root.is_dir():
        return root
    held = listing(root)
    return root / held[0].name if len(held) == 1 and held[0].is_dir() else root


def part_of(word: str) -> Part | None:
    """The part that a word names ("validation" -> "val"), or None."""
    return PARTS.get(word.strip().lower())


def age_of(text: str | None) -> float | None:
    """Years, from "61", "> 89", "90+" or DICOM's age string ("061Y", "003M"; PS3.5 6.2).

    "000Y" is none: scanners write it where no age was entered.
    """
    match = _AGE.fullmatch(text.strip()) if text else None
    if match is None or (float(match[1]) == 0 and match[2] in ("y", "Y")):
        return None
    return float(match[1]) * _YEARS[match[2].lower()]


def inside(root: Path, text: str, where: str = "the table") -> str:
    """A path written in a table, as a POSIX path relative to `root`.

    The path itself may name a person, so the error tells only `where` it stands.

    Raises:
        InputError: it leads out of the folder.
    """
    plain = PurePosixPath(text.strip().replace("\\", "/"))
    if plain.is_absolute() and plain.is_relative_to(root.absolute().as_posix()):
        plain = plain.relative_to(root.absolute().as_posix())
    drive = len(plain.parts) > 0 and plain.parts[0].endswith(":")
    if plain.is_absolute() or drive or ".." in plain.parts or "\0" in text:
        raise InputError(
            f"{where} names a file outside of this folder",
            file=root,
            expected="paths below this folder, without '..'",
            remedy="put the table above the images, or write its paths relative to itself",
        )
    return str(plain)
