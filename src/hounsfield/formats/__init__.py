"""Reading and writing image files: one file a format, behind one list."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hounsfield.errors import FormatError, InputError, UsageError, did_you_mean
from hounsfield.files import whole_path
from hounsfield.folders import SPECIAL, is_special
from hounsfield.formats.contract import HEAD_BYTES, Format, Header, Like, NotAnImage, Source
from hounsfield.formats.guard import refusing
from hounsfield.geometry import shifted
from hounsfield.image import Image

# name -> module, imported when first needed; asked in this order, by content
FORMATS = {
    "dicom": "hounsfield.formats.dicom",
    "nifti": "hounsfield.formats.nifti",
    "analyze": "hounsfield.formats.analyze",
    "nrrd": "hounsfield.formats.nrrd",
    "metaimage": "hounsfield.formats.metaimage",
    "mgh": "hounsfield.formats.mgh",
    "minc": "hounsfield.formats.minc",
    "png": "hounsfield.formats.png",
    "thermal": "hounsfield.formats.thermal",  # a JPEG too, so asked before
    "jpeg": "hounsfield.formats.jpeg",
    "tiff": "hounsfield.formats.tiff",
    "numpy": "hounsfield.formats.numpy_arrays",
    "envi": "hounsfield.formats.envi",
    "pixel-csv": "hounsfield.formats.pixel_csv",
    "video": "hounsfield.formats.video",
}
# Suffixes of a header with its voxels in a second file -> the format that writes both
PAIRED = {".hdr": "nifti", ".img": "nifti", ".mhd": "metaimage", ".nhdr": "nrrd"}
_ALIASES = {".nii": ".nii.gz", ".jpeg": ".jpg", ".tiff": ".tif", ".mgh": ".mgz"}
NO_IMAGE = "the content is of no known image format"


def load(name: str) -> Format:
    """The module of a format by its name."""
    if name not in FORMATS:
        raise UsageError(f"no format {name!r}", remedy=did_you_mean(name, FORMATS))
    return cast("Format", importlib.import_module(FORMATS[name]))


def sniff(path: str | Path) -> str:
    """The name of the format that a file's content shows, whatever its suffix.

    Raises:
        FormatError: the file is missing, unreadable, empty, or of no known format.
    """
    path = _path(path)
    head = _head(path)
    if not head:
        raise FormatError("the file is empty (0 bytes)", file=path, remedy="copy it again")
    for name in FORMATS:
        if load(name).sniff(head, path):
            return name
    raise NotAnImage(
        NO_IMAGE,
        file=path,
        expected=f"one of {', '.join(FORMATS)}",
        remedy="check that the file is an image and was copied whole",
    )


def _path(given: object) -> Path:
    """A path that names something; "" would be the current folder.

    Raises:
        UsageError: no path.
    """
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"a path cannot be {given!r}", expected="a text, a Path or a Source that names a file"
        )
    if os.fspath(given) == "":
        raise UsageError("no path was given", expected="the name of a file or a folder")
    return Path(given)


def _head(path: Path) -> bytes:
    if is_special(path):
        raise NotAnImage(SPECIAL, file=path, remedy="save what it gives to a file, and read that")
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(
            "there is no such file", file=path, remedy="check the path for a typing error"
        ) from None
    except IsADirectoryError:
        raise FormatError(
            "this is a folder, not an image file",
            file=path,
            remedy="`hounsfield info FOLDER` lists what it holds",
        ) from None
    except PermissionError:
        raise FormatError(
            "no permission to read this file", file=path, remedy="ask its owner, or copy it"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise FormatError(
            f"the file cannot be read ({getattr(error, 'strerror', error)})",
            file=path,
            remedy="check the disk and the connection to it, then copy the file",
        ) from error


def find(path: str | Path, name: str | None = None) -> list[Source]:
    """The images in a file (several in an .npz) or in a folder, without reading their pixels.

    In a folder, DICOM files are put together into volumes, whatever their names; files that
    hold no image or are damaged are left out (`folder.contents` tells them). `name` is the
    format of a file that has been sniffed already.
    """
    path = _path(path)
    if _is_dir(path):
        from hounsfield.formats.folder import contents

        return contents(path).sources
    module = load(name or sniff(path))
    with refusing(path, "the file"):
        return module.find(path)


def header(source: Source | str | Path) -> Header:
    """An image's header; no pixel is decoded."""
    one = named(source)
    module = load(sniff(one.file))
    with refusing(one.file, "the header"):
        return module.header(one)


def read(source: Source | str | Path, *, like: Like | None = None) -> Image:
    """The image of a file that holds one, or the one that a `Source` names.

    Raises:
        FormatError: missing, truncated, of no known format, or holding several images.
    """
    one = named(source)
    module = load(sniff(one.file))
    with refusing(one.file, "the image"):
        return module.read(one, like)


@dataclass(frozen=True, eq=False)
class Opened:
    """A file's header, with the pixels still on disk."""

    source: Source
    header: Header

    def slab(self, z0: int, z1: int) -> Image:
        """Planes z0 ≤ z < z1, without the rest where the format allows it."""
        depth = self.header.shape[1]
        if not 0 <= z0 < z1 <= depth:
            raise InputError(
                f"no planes {z0} to {z1}", file=self.source.file, expected=f"within 0 to {depth}"
            )
        module: Any = load(self.header.format)
        if hasattr(module, "slab"):
            return cast("Image", module.slab(self.source, z0, z1))
        whole = self.read()
        array = whole.array[:, z0:z1]
        return replace(whole, array=array, geometry=shifted(whole.geometry, z0))

    def read(self) -> Image:
        return read(self.source)


def open(source: Source | str | Path) -> Opened:
    """The header at once, and the pixels in slabs when asked for."""
    one = named(source)
    return Opened(one, header(one))


def writable() -> dict[str, str]:
    """The suffix of each format that we write -> its name."""
    return {load(name).SUFFIX: name for name in FORMATS if hasattr(load(name), "write")}


def suffixes(name: str) -> list[str]:
    """Every suffix under which a format is written, the usual one first."""
    own = load(name).SUFFIX
    others = [one for one, other in _ALIASES.items() if other == own]
    return [own, *others, *(one for one, other in PAIRED.items() if other == name)]


def write(image: Image, path: str | Path) -> None:
    """Write an image in the format of the path's suffix, whole or not at all.

    Raises:
        UsageError: no format writes this suffix.
        FormatError: the format cannot hold the image without loss; it says which loss.
    """
    path = Path(path)
    suffix = _suffix(path)
    name = format_of(path)
    module: Any = load(name)
    if suffix in PAIRED:
        module.write_pair(image, path)  # two files, each whole, the header last
        return
    with whole_path(path, suffix=suffix) as part:
        module.write(image, part)


def _suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def format_of(path: Path) -> str:
    """The format that writes a path's suffix.

    Raises:
        UsageError: none does; the message says which there are.
    """
    suffix, known = _suffix(path), writable()
    if suffix in PAIRED:
        return PAIRED[suffix]
    name = known.get(_ALIASES.get(suffix, suffix))
    if name is None:
        raise UsageError(
            f"no format is written with the suffix {suffix!r}" if suffix else "no suffix is given",
            file=path,
            expected=f"one of {', '.join(sorted({*known, *_ALIASES, *PAIRED}))}",
        )
    return name


def named(source: Source | str | Path) -> Source:
    """The one image that a path names: a file, `scan.npz#3`, a folder of one, `folder#2`.

    Raises:
        FormatError: there is none, or there are several.
    """
    if isinstance(source, Source):
        return source
    path = _path(source)
    text, mark, member = str(source).partition("#")
    # scan.npz#train_images/17, or the second of a folder: scans#2
    if mark and not os.path.exists(path):  # noqa: PTH110  # never raises
        if _is_dir(Path(text)):
            return _numbered(Path(text), member)
        return Source.of(text, member)
    found = _undamaged(path) if _is_dir(path) else find(path)
    if len(found) == 1:
        return found[0]
    names = [f"{path}#{one.member}" for one in found[:3]]
    if _is_dir(path):
        names = [f"{path}#{number}" for number in range(1, len(found) + 1)][:3]
    raise FormatError(
        f"holds {len(found)} images" if found else "holds no image",
        file=path,
        remedy=f"name one: {', '.join(names)}, …; `hounsfield info {path}` lists them"
        if found
        else "`hounsfield info` says what is in it",
    )


def _is_dir(path: Path) -> bool:
    """Is this a folder? One that may not be asked is none, and is refused when it is opened."""
    return os.path.isdir(path)  # noqa: PTH112  # never raises


def _undamaged(folder: Path) -> list[Source]:
    """The images of a folder; a damaged file may be a part of one, so it is not passed over."""
    from hounsfield.formats.folder import contents

    held = contents(folder)
    if held.bad:
        one = len(held.bad) == 1
        raise FormatError(
            f"{len(held.bad)} damaged {'file' if one else 'files'} in the folder: "
            f"{held.bad[0][1].problem}",
            file=folder,
            remedy=f"copy the folder again, or read what is left of it: {folder}#1; "
            f"`hounsfield info {folder} --phi` names the {'file' if one else 'files'}",
        )
    return held.sources


def _numbered(folder: Path, number: str) -> Source:
    """The image of a folder by its number, as `hounsfield info` lists them."""
    found = find(folder)
    if not number.isdigit() or not 1 <= int(number) <= len(found):
        raise FormatError(
            f"there is no image {number!r}", file=folder, expected=f"1 to {len(found)}"
        )
    return found[int(number) - 1]
