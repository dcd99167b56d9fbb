"""Siemens mosaics: all slices of a volume tiled into one picture, and the header that says how.

The CSA header (group 0029) is Siemens' own: after "SV10" and four bytes the number of tags, then
for each a name of 64 bytes, five numbers, and its items with their lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from struct import error as StructError
from struct import unpack_from

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.dicom.tags import PixelForm, Tags

_MOST_TAGS, _MOST_ITEMS = 1024, 10_000


@dataclass(frozen=True)
class Mosaic:
    """How many slices a mosaic holds, in how many tiles a side, and which way they are stacked."""

    slices: int
    side: int
    normal: tuple[float, float, float] | None  # LPS; None where the header does not say

    def tile(self, number: int, form: PixelForm) -> tuple[int, int, int, int]:
        """The rows and columns of a slice, half-open."""
        rows, columns = form.rows // self.side, form.columns // self.side
        down, right = divmod(number, self.side)
        return down * rows, (down + 1) * rows, right * columns, (right + 1) * columns


def mosaic_of(tags: Tags, form: PixelForm) -> Mosaic | None:
    """The mosaic that a file is, or None.

    Raises:
        GeometryError: the file says that it is one, and not of how many slices.
    """
    if "MOSAIC" not in tags.texts("ImageType"):
        return None
    csa = csa_values(tags.raw("SiemensImageHeader"))
    counts = csa.get("NumberOfImagesInMosaic", [])
    count = int(float(counts[0])) if counts else int(tags.soft_number("SiemensImagesInMosaic") or 0)
    side = ceil(sqrt(max(count, 0)))
    if count < 1 or form.rows % side or form.columns % side:
        raise GeometryError(
            f"a mosaic of {form.rows}×{form.columns} pixels that says it has {count} slices",
            file=tags.path,
            expected="Siemens' number of images in the mosaic: (0029,1010) or (0019,100A)",
            remedy="export the series again with its private elements",
        )
    normal = [float(text) for text in csa.get("SliceNormalVector", [])[:3]]
    return Mosaic(count, side, (normal[0], normal[1], normal[2]) if len(normal) == 3 else None)


def csa_values(data: bytes) -> dict[str, list[str]]:
    """The tags of a CSA header of the second kind ("SV10"), as texts; empty if it is none.

    Raises:
        FormatError: the header ends early or has absurd counts.
    """
    if data[:4] != b"SV10":
        return {}
    try:
        (count,) = unpack_from("<I", data, 8)
        at, found = 16, {}
        for _ in range(min(count, _MOST_TAGS)):
            name = data[at : at + 64].split(b"\0")[0].decode("latin-1")
            (items,) = unpack_from("<i", data, at + 76)
            at += 84
            values = []
            for _ in range(max(0, min(items, _MOST_ITEMS))):
                (size,) = unpack_from("<i", data, at + 4)
                start, at = at + 16, at + 16 + -(-max(size, 0) // 4) * 4
                values.append(data[start : start + max(size, 0)].split(b"\0")[0].decode("latin-1"))
            found[name] = [text.strip() for text in values if text.strip()]
    except StructError as error:
        raise FormatError(
            "Siemens' private header ends early", remedy="export the file again"
        ) from error
    return found
