"""What the layouts share: listing folders, safe paths, and the words for parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError

# Names that say "picture". Some we cannot read yet: those are set aside with the reason.
PICTURES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2"),
    *(".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".mnc", ".npy"),
)
PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "tune"), "val"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}

# A folder that holds one of these is a run, a catalog or an unfinished one: no data set's part.
MADE_HERE = ("run.json", "request.json", "link.parquet", ".index")

_AGE = re.compile(r"[<>≤≥]?\s*(\d+(?:\.\d+)?)\s*\+?\s*([ymwd]?)", re.I)
_YEARS = {"": 1.0, "y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}


def is_hidden(name: str) -> bool:
    """Is a file or folder none of the data set's?"""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _made_here(entry: os.DirEntry[str]) -> bool:
    """Is an entry a folder that indexing or training has written?"""
    return entry.is_dir() and any((Path(entry.path) / name).exists() for name in MADE_HERE)


def leads_back(path: Path) -> bool:
    """Is this a link to a folder in which it lies? Whoever followed it would go in a circle."""
    if not (path.is_symlink() and path.is_dir()):
        return False
    above = {*path.absolute().parents, *(path.parent.resolve() / path.name).parents}
    return path.resolve() in {folder.resolve() for folder in above}


def listing(folder: Path) -> list[os.DirEntry[str]]:
    """A folder's entries without hidden ones and our own output folders, sorted by name.

    A link to a folder above is left out. None of a folder that cannot be listed: the scan sets
    both aside with the reason.
    """
    try:
        with os.scandir(folder) as found:
            seen = [entry for entry in found if not _left_out(entry)]
    except OSError:
        return []
    return sorted(seen, key=lambda entry: entry.name)


def _left_out(entry: os.DirEntry[str]) -> bool:
    if is_hidden(entry.name) or _made_here(entry):
        return True
    return entry.is_symlink() and leads_back(Path(entry.path))


def walk(root: Path, below: str = "") -> Iterator[str]:
    """The POSIX paths of all files below a folder, depth first and sorted by name.

    Links to elsewhere are followed; a link to nowhere is a file.
    """
    for entry in listing(root / below):
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir():
            yield from walk(root, path)
        elif entry.is_file() or entry.is_symlink():
            yield path


def folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return [entry.name for entry in listing(folder) if entry.is_dir()]


def is_picture(name: str) -> bool:
    """Does a file's name say that it is an image?"""
    return name.lower().endswith(PICTURES)


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
    """Years, from "61", "> 89", "90+" or DICOM's age string ("061Y", "003M"; PS3.5 6.2)."""
    match = _AGE.fullmatch(text.strip()) if text else None
    return float(match[1]) * _YEARS[match[2].lower()] if match else None


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
