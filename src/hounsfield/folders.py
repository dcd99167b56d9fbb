"""Walking through folders: hidden files, circles of links and our own output are left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# A folder that holds one of these is a run, a catalog or an unfinished one: no data set's part.
MADE_HERE = ("run.json", "request.json", "link.parquet", ".index")


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
