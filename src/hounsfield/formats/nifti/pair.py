"""Header and voxels in two files, x.hdr and x.img, each of them gzip or not."""

from __future__ import annotations

from pathlib import Path

from hounsfield.errors import FormatError
from hounsfield.formats.beside import data_beside, header_beside
from hounsfield.formats.contract import Source
from hounsfield.formats.guard import refusing
from hounsfield.formats.streams import beginning

_BYTES = 4096  # what stands before the stream of a gzip file of ours, and more


def start_of(path: Path, count: int = 544) -> bytes:
    """The first bytes of a file, inflated if it is gzip."""
    with refusing(path, "the header"), path.open("rb") as file:
        return beginning(file.read(_BYTES + count), count)


def is_data(path: Path) -> bool:
    """Is this, by its name, the file of the voxels?"""
    return _plain(path).suffix.lower() == ".img"


def header_for(data: Path) -> Path | None:
    """The header beside an .img; beside x.img.gz x.hdr.gz comes before x.hdr."""
    return header_beside(data) if is_data(data) else None


def data_for(header: Path) -> Path | None:
    """The .img beside a header."""
    data = data_beside(header)
    return data if data is not None and is_data(data) else None


def source_of(path: Path) -> Source:
    """Both files, header first, whichever of them was given.

    Raises:
        FormatError: the other one is missing.
    """
    header = header_for(path) or path
    data = path if is_data(path) else data_for(header)
    if data is None:
        raise FormatError(
            "this is the header of a pair, and its voxels are not beside it",
            file=path,
            expected=f"a file {_plain(path).with_suffix('.img').name} in the same folder",
            remedy="put both files into one folder, under one name",
        )
    return Source(str(path.parent), (header.name, data.name))


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path
