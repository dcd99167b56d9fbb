"""Headers and voxels in two files: x.hdr beside x.img."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from hounsfield.files import whole_file

_HEADER = ".hdr"
_DATA = (".img", ".dat", ".bil", ".bip", ".bsq", ".raw", "")  # in the order of preference


def header_beside(path: Path) -> Path | None:
    """The .hdr of a file of bare voxels, if one stands beside it; of x.img.gz x.hdr.gz first."""
    zipped = path.suffix.lower() == ".gz"
    stem = path.with_suffix("") if zipped else path
    if stem.suffix.lower() not in _DATA:
        return None
    for suffix in (_HEADER, _HEADER.upper()):
        for end in (path.suffix, "") if zipped else ("",):
            header = Path(f"{stem.with_suffix(suffix)}{end}")
            if header.is_file():
                return header
    return None


def data_beside(header: Path) -> Path | None:
    """The file of bare voxels beside a .hdr (or .hdr.gz), whatever its suffix."""
    zipped = header.suffix.lower() == ".gz"
    stem = header.with_suffix("") if zipped else header
    for suffix in _DATA:
        for cased in dict.fromkeys((suffix, suffix.upper())):
            for end in (".gz", "") if zipped else ("", ".gz"):
                data = Path(f"{stem.with_suffix(cased)}{end}")
                if data != header and data.is_file():
                    return data
    return None


def write_beside(header: Path, text: str, data: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """A text header and its voxels, each whole; an old header goes first, the new one comes last.

    So there is never a header beside voxels that are not its own.
    """
    with whole_file(header) as head:
        head.write(text.encode())
        with whole_file(data) as body:
            fill(body)
            header.unlink(missing_ok=True)
