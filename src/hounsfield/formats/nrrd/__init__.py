"""NRRD: attached (.nrrd) and detached (.nhdr) headers are read, attached ones written.

All encodings (raw, gzip, bzip2, hex, text), all types but blocks, both byte orders, voxels in
one file or many. Axes in space become X, Y, Z; all others are flattened into C, the fastest of
them fastest. Without a space or voxel sizes there is no geometry; a space that does not name
the patient's sides is taken as left-posterior-superior, and `stored["orientation"]` is "none".
Key/value pairs of other programs may name people and are not kept.
"""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.beside import write_beside
from hounsfield.formats.contract import Facts, Header, Like, Source
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.formats.nrrd.fields import MAGIC, TYPES, Nrrd, parse
from hounsfield.formats.nrrd.space import channels_of, geometry_of
from hounsfield.formats.payload import check
from hounsfield.formats.places import RAS_FROM_LPS
from hounsfield.formats.remarks import KEY, remark
from hounsfield.formats.storing import as_bytes, kind_of, storable
from hounsfield.formats.volume import Volume, some, whole
from hounsfield.geometry import Patient, Plane, shifted
from hounsfield.image import RGB, Image

SUFFIX = ".nrrd"
EXTRA = None

_KEPT = ("space", "spaceorigin", "spacedirections", "measurementframe", "kinds", "encoding")
_NAMES = {kind: name for name, kind in reversed(TYPES.items())}


def sniff(head: bytes, path: Path) -> bool:
    return MAGIC.match(head) is not None


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The text alone; of a detached header also the sizes of the files that it names.

    Raises:
        FormatError: a field outside the definition, more voxels promised than stored, or
            voxels that are not beside their header.
        GeometryError: a space that is singular, or mirrored without saying how.
    """
    with refusing(source.file, "the header"):
        return _parsed(source).head


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels as stored (C, Z, Y, X), read or inflated into their own buffer.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"):
        return whole(_parsed(source), like)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; of raw voxels in one file the others are not read."""
    with refusing(source.file, "the voxels"):
        return some(_parsed(source.part(z0, z1)))


def write(image: Image, path: Path) -> None:
    """An attached header in the space left-posterior-superior, gzip, the same bytes each time.

    The affine is kept to the last bit. A plane's pixel size is written without a space.

    Raises:
        FormatError: the format has no such numbers.
    """
    array = storable(image.array, _NAMES, "NRRD")
    with path.open("wb") as raw:
        raw.write(f"{_text(image, _NAMES[kind_of(array)])}\n\n".encode("ascii"))
        _zip(array, raw)


def write_pair(image: Image, path: Path) -> None:
    """x.nhdr and x.raw.gz; see `write`."""
    array = storable(image.array, _NAMES, "NRRD")
    data = path.with_suffix(".raw.gz")
    text = f"{_text(image, _NAMES[kind_of(array)])}\ndata file: {data.name}\n"
    write_beside(path, text, data, lambda raw: _zip(array, raw))


def _zip(array: NDArray[Any], raw: IO[bytes]) -> None:
    from isal import igzip

    with igzip.IGzipFile("", "wb", 2, raw, mtime=0) as zipped:
        zipped.write(as_bytes(array))


def _parsed(source: Source) -> Volume:
    nrrd = parse(source.file)
    if not 2 <= len(nrrd.spatial) <= 3:
        raise FormatError(
            f"{len(nrrd.spatial)} axes in space", file=source.file, expected="2 or 3",
            remedy="correct the kinds or the space directions",
        )  # fmt: skip
    check(nrrd.payload)
    x, y, z = (*(nrrd.sizes[i] for i in nrrd.spatial), 1)[:3]
    first, last = frame_range(source, z)
    geometry, space = geometry_of(nrrd)
    channels = channels_of(nrrd)
    named = space != "none" or geometry is None
    words = f"NRRD, {nrrd.payload.dtype.newbyteorder('=')}, {nrrd.fields['encoding'].lower()}"
    words += "" if named else "; the patient's sides are not named, taken as L, P, S"
    head = Header(
        format="nrrd",
        shape=(len(channels), last - first, y, x),
        dtype=nrrd.payload.dtype.newbyteorder("="),
        geometry=shifted(geometry, first),
        channels=channels,
        facts=Facts(stored=words),
    )
    stored: dict[str, object] = {"format": "nrrd", "orientation": space, "sizes": nrrd.sizes}
    stored |= {name: nrrd.fields[name] for name in _KEPT if name in nrrd.fields}
    return Volume(nrrd.payload, head, (first, last), partial(_as_image, nrrd), stored)


def _as_image(nrrd: Nrrd, values: NDArray[Any]) -> NDArray[Any]:
    """The array, slowest axis first, as (C, Z, Y, X)."""
    count = len(nrrd.sizes)
    others = [i for i in range(count) if i not in nrrd.spatial]
    order = [count - 1 - i for i in (*reversed(others), *reversed(nrrd.spatial))]
    sizes = [nrrd.sizes[i] for i in nrrd.spatial]
    x, y, z = (*sizes, 1)[:3]
    channels = prod(nrrd.sizes[i] for i in others)
    return values.transpose(order).reshape(channels, z, y, x)


def _text(image: Image, kind: str) -> str:
    c, z, y, x = image.shape
    flat = z == 1 and not isinstance(image.geometry, Patient)
    sizes = [x, y] if flat else [x, y, z]
    kinds = ["domain"] * len(sizes)
    if c > 1:
        sizes.append(c)
        kinds.append("RGB-color" if image.channels == RGB else "list")
    lines = [
        "NRRD0005",
        f"type: {kind}",
        f"dimension: {len(sizes)}",
        *_place(image, len(sizes)),
        f"sizes: {' '.join(map(str, sizes))}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: gzip",
    ]
    said = "" if image.channels == RGB and image.geometry is None else remark(image)
    return "\n".join([*lines, f"{KEY}:={said}"] if said else lines)


def _place(image: Image, axes: int) -> list[str]:
    if isinstance(image.geometry, Plane):
        sizes = [*map(repr, map(float, image.geometry.spacing)), *["nan"] * (axes - 2)]
        return [f"spacings: {' '.join(sizes)}"]
    if image.geometry is None:
        return []
    lps_from_voxel = RAS_FROM_LPS @ image.geometry.affine
    columns = [
        "(" + ",".join(repr(float(value)) for value in column) + ")"
        for column in lps_from_voxel[:3].T
    ]
    steps = [*columns[:3], *["none"] * (axes - 3)]
    return [
        "space: left-posterior-superior",
        f"space directions: {' '.join(steps)}",
        f"space origin: {columns[3]}",
    ]
