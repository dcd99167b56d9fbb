"""Images that lie in several files: all of them, whichever was given.

The voxels of x.hdr, x.mhd and x.nhdr lie in files of their own. Listed alone, a header would
stand for whatever its voxels are, and a file of voxels for an image that nobody can read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from hounsfield.errors import HounsfieldError
from hounsfield.formats.contract import Source
from hounsfield.formats.nifti.pair import data_for

_HEADERS = (".hdr", ".hdr.gz", ".mhd", ".nhdr")
# What voxels beside a header are called. Those without a suffix are found from their header only.
_VOXELS = (
    *(".img", ".img.gz", ".raw", ".raw.gz", ".zraw", ".dat", ".bil", ".bip", ".bsq"),
    *(".cube", ".hyspex", ".envi"),
)
_HEAD = 64  # bytes that tell an ENVI header


def whole(source: Source) -> Source:
    """The source with its header first and all files of its voxels; others are as they were.

    Opens the text of headers, and no voxel. What is wrong with a header, reading it tells.
    """
    if len(source.paths) != 1:
        return source
    name = source.paths[0].lower()
    if not name.endswith((*_HEADERS, *_VOXELS)):
        return source
    file = source.file
    headers = [file] if name.endswith(_HEADERS) else _headers_of(file)
    for header in headers:
        voxels = _voxels_of(header)
        if voxels and (header == file or file in voxels):
            return _together(source, header, voxels)
    return source


def _headers_of(voxels: Path) -> list[Path]:
    """The headers that may stand beside a file of voxels: x.hdr of x.img, of x.img.gz, …"""
    stem = next(
        voxels.name[: -len(end)] for end in sorted(_VOXELS, key=len, reverse=True)
        if voxels.name.lower().endswith(end)
    )  # fmt: skip
    ends = [cased for end in _HEADERS for cased in (end, end.upper())]
    names = [f"{stem}{end}" for end in ends] + [f"{voxels.name}.hdr", f"{voxels.name}.HDR"]
    return [path for name in names if (path := voxels.with_name(name)).is_file()]


def _voxels_of(header: Path) -> tuple[Path, ...]:
    """The files of voxels that a header has beside it, in their order; none where it is alone."""
    from hounsfield.formats import envi
    from hounsfield.formats.metaimage import fields as metaimage_header
    from hounsfield.formats.nrrd import fields as nrrd_header

    name = header.name.lower()
    try:
        if name.endswith(".mhd"):
            files = metaimage_header.payload_of(metaimage_header.parse(header)).files
        elif name.endswith(".nhdr"):
            files = nrrd_header.parse(header).payload.files
        elif _is_envi(header):
            files = (envi._pair(header)[1],)  # ENVI's own order of names
        else:
            data = data_for(header)
            files = (data,) if data is not None else ()
        return tuple(file for file in files if file != header and file.is_file())
    except (HounsfieldError, OSError, ValueError):
        return ()


def _is_envi(header: Path) -> bool:
    from hounsfield.formats.envi.fields import is_header

    with header.open("rb") as file:
        return is_header(file.read(_HEAD))


def _together(source: Source, header: Path, voxels: tuple[Path, ...]) -> Source:
    folder, home = PurePosixPath(source.paths[0]).parent, header.parent
    inside = [file for file in (header, *voxels) if file.is_relative_to(home)]
    if len(inside) <= len(voxels):
        return source
    paths = tuple((folder / file.relative_to(home).as_posix()).as_posix() for file in inside)
    return replace(source, paths=paths)
