"""Walking through folders: hidden files, circles of links and our own output are left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

# A folder that holds one of these is a run, a catalog or an unfinished one: no data set's part.
MADE_HERE = ("run.json", "request.json", "link.parquet", ".index")
SPECIAL = "no ordinary file (a pipe, a socket or a device)"


def is_hidden(name: str) -> bool:
    """Is a file or folder none of the data set's?"""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _made_here(entry: os.DirEntry[str]) -> bool:
    """Is an entry a folder that indexing or training has written?"""
    if not is_folder(entry):
        return False
    return any(os.path.exists(f"{entry.path}/{name}") for name in MADE_HERE)  # noqa: PTH110  # never raises


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Is an entry a folder, or a link to one? One that may not be asked is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_special(path: str | Path) -> bool:
    """Is this a pipe, a socket or a device, or a link to one? To open one can wait for ever."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # texts too
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def leads_back(path: Path) -> bool:
    """Is this a link to a folder in which it lies? Whoever followed it would go in a circle."""
    if not (os.path.islink(path) and os.path.isdir(path)):  # noqa: PTH112, PTH114  # never raise
        return False
    above = {*path.absolute().parents, *(path.parent.resolve() / path.name).parents}
    return path.resolve() in {folder.resolve() for folder in above}


def home(files: Iterable[Path]) -> Path:
    """The folder that holds all of some files."""
    return Path(os.path.commonpath([file.parent for file in files]))


def listing(folder: Path) -> list[os.DirEntry[str]]:
    """A folder's entries without hidden ones and our own output folders, sorted by name.

    A link to a folder above is left out. None of a folder that cannot be listed: the scan sets
    both aside with the reason.
    """
    return _entries(folder) or []


def _entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """As `listing`, but None where a folder cannot be listed."""
    try:
        with os.scandir(folder) as found:
            seen = [entry for entry in found if not _left_out(entry)]
    except OSError:
        return None
    return sorted(seen, key=lambda entry: entry.name)


def _left_out(entry: os.DirEntry[str]) -> bool:
    if is_hidden(entry.name) or _made_here(entry):
        return True
    return entry.is_symlink() and leads_back(Path(entry.path))


def walk(root: Path, below: str = "", *, files_only: bool = False) -> Iterator[str]:
    """The POSIX paths of all files below a folder, depth first and sorted by name.

    Links to elsewhere are followed; a link to nowhere is a file. What cannot be read comes too,
    so that it can be told, unless there shall be `files_only`: folders that cannot be listed
    ("" for the root itself), pipes, sockets and devices.
    """
    entries = _entries(root / below)
    if entries is None and not files_only:
        yield below
    for entry in entries or ():
        path = f"{below}/{entry.name}" if below else entry.name
        if is_folder(entry):
            yield from walk(root, path, files_only=files_only)
        elif not (files_only and _is_special(entry)):
            yield path


def _is_special(entry: os.DirEntry[str]) -> bool:
    """As `is_special`; only links must be followed to know."""
    if entry.is_symlink():
        return is_special(entry.path)
    return not entry.is_file()


def passed_over(root: Path) -> Iterator[tuple[str, str]]:
    """What a walk leaves out though it may be the data set's, relative paths, with the reason."""
    yield from _passed_over(os.fspath(root), "") if root.is_dir() else ()


def _passed_over(folder: str, below: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield below or ".", f"the folder cannot be listed ({error.strerror})"
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if is_folder(entry):
            if entry.is_symlink() and leads_back(Path(entry.path)):
                yield path, "a link to a folder above it is not followed"
            else:
                yield from _passed_over(entry.path, path)
        elif _is_special(entry):
            yield path, SPECIAL


def folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return [entry.name for entry in listing(folder) if is_folder(entry)]
