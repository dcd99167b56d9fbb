"""MetaImage: .mha and .mhd are read, headers with their voxels (.mha) written.

Voxels in the file itself, in another or in many, in either byte order, compressed or in words.
The first three axes are X, Y, Z; numbers of one voxel and further axes are flattened into C.
ITK's world is left-posterior-superior; without ElementSpacing there is no geometry.
ElementToIntensityFunction is applied. Tags of other programs, such as the DICOM elements that ITK
writes, may name people and are not kept. The remark about channels lies in tags `hounsfield0`, ….
"""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats.beside import write_beside
from hounsfield.formats.contract import Facts, Header, Like, Source
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.formats.metaimage.fields import (
    START,
    TYPES,
    Tags,
    geometry_of,
    parse,
    payload_of,
    said,
)
from hounsfield.formats.payload import check
from hounsfield.formats.places import RAS_FROM_LPS
from hounsfield.formats.remarks import KEY, remark, understood
from hounsfield.formats.storing import as_bytes, kind_of, storable
from hounsfield.formats.volume import Volume, some, whole
from hounsfield.geometry import Patient, Plane, shifted
from hounsfield.image import Channel, Image

SUFFIX = ".mha"
EXTRA = None

_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}
_KEPT = ("TransformMatrix", "Offset", "CenterOfRotation", "AnatomicalOrientation",
         "ElementSpacing", "ElementType", "HeaderSize")  # fmt: skip
_NAMES = {kind: name for name, kind in reversed(TYPES.items())} | {
    "i4": "MET_INT",
    "u4": "MET_UINT",
}
_LINE = 200  # MetaIO gives up on long lines


def sniff(head: bytes, path: Path) -> bool:
    return START.match(head) is not None and (
        b"DimSize" in head or path.suffix.lower() in (".mha", ".mhd")
    )


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The tags alone, and the sizes of the files that they name.

    Raises:
        FormatError: a tag outside the format, more voxels promised than stored, or voxels that
            are not beside their header.
        GeometryError: a place that is singular or not finite.
    """
    with refusing(source.file, "the header"):
        return _parsed(source).head


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels (C, Z, Y, X), read or inflated into their own buffer.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"):
        return whole(_parsed(source), like)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; of uncompressed voxels in one file the others are not read."""
    with refusing(source.file, "the voxels"):
        return some(_parsed(source.part(z0, z1)))


def write(image: Image, path: Path) -> None:
    """Header and voxels in one file, uncompressed, so that slabs can be read from it.

    The affine is kept to rounding; channels are the numbers of a voxel.

    Raises:
        FormatError: the format has no such numbers.
    """
    text, voxels = _parts(image, "LOCAL")
    with path.open("wb") as file:
        file.write(text.encode("ascii"))
        file.write(voxels)


def write_pair(image: Image, path: Path) -> None:
    """x.mhd and x.raw; see `write`."""
    data = path.with_suffix(".raw")
    text, voxels = _parts(image, data.name)
    write_beside(path, text, data, lambda file: file.write(voxels))


def _parts(image: Image, data: str) -> tuple[str, memoryview]:
    """The header that names where the voxels are, and the voxels."""
    array = storable(image.array, _NAMES, "MetaImage")
    voxels = np.moveaxis(array, 0, 3) if image.shape[0] > 1 else array
    return _text(image, _NAMES[kind_of(array)], data), as_bytes(voxels)


def _parsed(source: Source) -> Volume:
    tags = parse(source.file)
    payload = payload_of(tags)
    check(payload)
    sizes = (*tags.sizes, 1)
    x, y, z = sizes[:3]
    first, last = frame_range(source, z)
    count = prod(tags.sizes[3:]) * tags.numbers
    noted = understood(tags.remark, count, source.file)
    scale = _scale(tags)
    dtype = payload.dtype.newbyteorder("=")
    words = f"MetaImage, {dtype}, {payload.coding}"
    words += f" × {scale[0]:g} + {scale[1]:g}" if scale != (1, 0) else ""
    head = Header(
        format="metaimage",
        shape=(count, last - first, y, x),
        dtype=dtype if scale == (1, 0) else _real(dtype),
        geometry=shifted(geometry_of(tags, noted.calibration) or noted.plane, first),
        channels=noted.channels or tuple(Channel() for _ in range(count)),
        modality=_MODALITIES.get(tags.get("Modality")),
        facts=Facts(stored=words),
    )
    stored = {"format": "metaimage", "slope": scale[0], "intercept": scale[1]}
    stored |= {name: tags.values[name] for name in _KEPT if name in tags.values}
    return Volume(payload, head, (first, last), partial(_as_image, tags), stored, scale)


def _scale(tags: Tags) -> tuple[float, float]:
    """(slope, intercept) of ElementToIntensityFunction."""
    slope = tags.reals("ElementToIntensityFunctionSlope", 1)
    intercept = tags.reals("ElementToIntensityFunctionOffset", 1)
    return (
        1.0 if slope is None else float(slope[0]),
        0.0 if intercept is None else float(intercept[0]),
    )


def _real(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Wide enough for scaled values."""
    narrow = stored.itemsize <= 2 or stored == np.float32
    return np.dtype(np.float32 if narrow else np.float64)


def _as_image(tags: Tags, values: NDArray[Any]) -> NDArray[Any]:
    """The array, slowest axis first, as (C, Z, Y, X); numbers of a voxel are fastest in C."""
    x, y, z = (*tags.sizes, 1)[:3]
    grid = values.reshape(-1, z, y, x, tags.numbers)
    return np.moveaxis(grid, 4, 1).reshape(-1, z, y, x)


def _text(image: Image, kind: str, data: str) -> str:
    c, z, y, x = image.shape
    flat = z == 1 and not isinstance(image.geometry, Patient)
    lines = [
        "ObjectType = Image",
        f"NDims = {2 if flat else 3}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        *_place(image, flat),
        f"DimSize = {x} {y}" + ("" if flat else f" {z}"),
    ]
    if c > 1:
        lines.append(f"ElementNumberOfChannels = {c}")
    line = remark(image, spacing=not flat)
    parts = [line[i : i + _LINE] for i in range(0, len(line), _LINE)]
    lines += [f"{KEY}{number} = {part}" for number, part in enumerate(parts)]
    return "\n".join([*lines, f"ElementType = {kind}", f"ElementDataFile = {data}\n"])


def _place(image: Image, flat: bool) -> list[str]:
    if image.geometry is None:
        return []
    if isinstance(image.geometry, Plane):
        # Of slices without a distance, a third size would be made up.
        return [f"ElementSpacing = {said(image.geometry.spacing)}"] if flat else []
    lps_from_voxel = RAS_FROM_LPS @ image.geometry.affine
    sizes = np.linalg.norm(lps_from_voxel[:3, :3], axis=0)
    turn = lps_from_voxel[:3, :3] / sizes
    return [
        f"TransformMatrix = {said(turn.T)}",
        f"Offset = {said(lps_from_voxel[:3, 3])}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {said(sizes)}",
    ]
