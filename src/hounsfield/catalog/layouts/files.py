"""Anything else: every file below a folder that may be an image, without labels.

Who the patient is, the files' headers say. Files that are no images are set aside by the scan.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hounsfield.catalog.layouts.contract import Entry
from hounsfield.catalog.layouts.reading import may_be_picture
from hounsfield.errors import FormatError
from hounsfield.folders import walk
from hounsfield.formats.contract import Source

TITLE = "Any images in any folders, without labels"
LICENCE = "the data set's own"
GET = """\
FOLDER/
└── any/depth/of/folders/IM0001          DICOM (also without suffix), NIfTI, PNG, JPEG, TIFF, NumPy
or a single file
"""


def recognise(root: Path) -> bool:
    return root.exists()


def entries(root: Path) -> Iterator[Entry]:
    """One entry an image, depth first and sorted by name; a single file works as root too.

    Hidden files are left out; a link that leads back to a folder above is not followed.
    """
    if root.is_dir():
        for path in walk(root, files_only=True):
            if may_be_picture(path):
                yield from _of(root, path)  # a link to nowhere too: the scan lists it as missing
    else:
        yield from _of(root.parent, root.name)


def _of(root: Path, path: str) -> Iterator[Entry]:
    """The images of one file; only an .npz holds several."""
    plain = Source(os.fspath(root), (path,))
    for source in _members(plain) if path.lower().endswith(".npz") else [plain]:
        yield Entry(source, f"{path}/{source.member}" if source.member else path)


def _members(plain: Source) -> list[Source]:
    from hounsfield import formats

    try:
        return [replace(plain, member=one.member) for one in formats.find(plain.file)]
    except FormatError:
        return [plain]  # the scan sets it aside with the reason
