"""The images in a folder: DICOM files become volumes, and the rest is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hounsfield import formats
from hounsfield.errors import FormatError, HounsfieldError
from hounsfield.folders import walk
from hounsfield.formats.contract import NotAnImage, Source
from hounsfield.formats.whole import whole

# Names that say "picture". Some we cannot read yet: those are set aside with the reason.
PICTURES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2"),
    *(".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".mnc"),
    *(".mgh", ".mgz", ".hdr", ".hdr.gz", ".npy", ".fff"),  # never .img: it comes with its .hdr
)
FILMS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv")


@dataclass(frozen=True, eq=False)
class Contents:
    """What lies in a folder: images in the order of their files, files that are damaged, others."""

    sources: list[Source]
    bad: list[tuple[Path, HounsfieldError]]
    others: list[tuple[Path, HounsfieldError]]  # sound files without a picture: tables, plans


def is_picture(name: str) -> bool:
    """Does a file's name say that it is an image, or a film of them?"""
    return name.lower().endswith((*PICTURES, *FILMS))


def contents(folder: Path, tell: Callable[[int], None] | None = None) -> Contents:
    """The images of a folder and of all folders in it; opens headers, and no pixel.

    `tell` gets the number of files seen so far.
    """
    return contents_of((folder / name for name in walk(folder)), tell)


def contents_of(files: Iterable[Path], tell: Callable[[int], None] | None = None) -> Contents:
    """The images that some files hold, together: a series is one image.

    A folder among them is one that cannot be listed (`folders.walk`).
    """
    found: dict[tuple[object, ...], tuple[int, Source]] = {}
    dicom: dict[Path, int] = {}
    made = Contents([], [], [])
    for number, file in enumerate(files):
        try:
            name = formats.sniff(file)
            if name == "dicom":
                dicom[file] = number
            else:
                # A header and its voxels name one pair
                for source in map(whole, formats.find(file, name)):
                    found.setdefault((source.root, source.paths, source.member), (number, source))
        except HounsfieldError as error:
            _set_aside(made, file, _shut(file) if os.path.isdir(file) else error)  # noqa: PTH112
        if tell is not None:
            tell(number + 1)
    voxels = {file for _, source in found.values() for file in source.files[1:]}
    alone = [pair for pair in found.values() if pair[1].file not in voxels]
    placed = alone + _volumes(dicom, made)
    made.sources.extend(source for _, source in sorted(placed, key=lambda pair: pair[0]))
    others = [pair for pair in made.others if pair[0] not in voxels]
    return replace(made, others=others, bad=[pair for pair in made.bad if pair[0] not in voxels])


def _volumes(dicom: dict[Path, int], made: Contents) -> list[tuple[int, Source]]:
    from hounsfield.formats.dicom.series import find_all

    sources, bad = find_all(list(dicom))
    for file, error in bad:
        _set_aside(made, file, error)
    return [(dicom[source.file], source) for source in sources]


def _set_aside(made: Contents, file: Path, error: HounsfieldError) -> None:
    if isinstance(error, NotAnImage) and not (is_picture(file.name) and _is_unknown(error)):
        made.others.append((file, error))
    else:
        made.bad.append((file, error))


def _shut(folder: Path) -> FormatError:
    return FormatError(
        "no permission to open this folder",
        file=folder,
        remedy="ask its owner for permission, or copy it",
    )


def _is_unknown(error: FormatError) -> bool:
    """A file named like a picture whose content is of no known format: something is wrong."""
    return error.problem == formats.NO_IMAGE
