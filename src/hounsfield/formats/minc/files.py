"""The two containers of MINC behind one face: netCDF classic (MINC 1) and HDF5 (MINC 2).

Only headers and small variables are read here; the image stays on disk. A file may name others
(HDF5's external links, external and virtual storage): none is followed.
netCDF: "The NetCDF Classic Format Specification", docs.unidata.ucar.edu/netcdf-c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from struct import unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise

CLASSIC = (b"CDF\x01", b"CDF\x02")
HDF5 = b"\x89HDF\r\n\x1a\n"

_HEAD = 4 << 20  # a netCDF header, with the history of every tool that touched the file
_SMALL = 1 << 20  # numbers of a variable that is not the image
_CHUNK = 64 << 20
_TYPES = {1: "i1", 2: "S1", 3: "i2", 4: "i4", 5: "f4", 6: "f8"}  # NC_BYTE … NC_DOUBLE
_DIMENSION, _VARIABLE, _ATTRIBUTE = 10, 11, 12

Attributes = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Container:
    """What both containers give: the image as something to slice, the rest as values."""

    version: int
    image: Any  # slices to an array
    dtype: np.dtype[Any]  # of the stored numbers
    dims: tuple[str, ...]  # names of the image's axes, the slowest first
    attributes: Callable[[str], Attributes]  # of a variable; empty where there is none
    variable: Callable[[str], tuple[tuple[str, ...], NDArray[np.float64]] | None]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.image.shape)


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """The container of a file.

    Raises:
        FormatError: no image, one that the file cannot hold, or parts in other files.
    """
    with path.open("rb") as file:
        magic = file.read(8)
    if magic[:4] in CLASSIC:
        yield _classic(path)
        return
    import h5py

    with h5py.File(path, "r") as file:
        yield _hdf5(file, path)


# ---- netCDF classic


@dataclass(frozen=True)
class _Variable:
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: Attributes
    dtype: np.dtype[Any]
    begin: int


@dataclass
class _Cursor:
    """Walks a header; every read beyond its end is an error of `struct`."""

    block: bytes
    at: int = 4

    def number(self, kind: str = "i") -> int:
        (value,) = unpack_from(f">{kind}", self.block, self.at)
        self.at += 8 if kind == "q" else 4
        if value < 0:
            raise ValueError(f"a negative number at byte {self.at}")
        return int(value)

    def taken(self, size: int) -> bytes:
        taken = self.block[self.at : self.at + size]
        if len(taken) < size:
            raise ValueError("the header is cut off")
        self.at += size + -size % 4
        return taken

    def name(self) -> str:
        return self.taken(self.number()).decode("latin-1")

    def count(self, wanted: int) -> int:
        tag, count = self.number(), self.number()
        if tag not in (0, wanted) or (tag == 0 and count):
            raise ValueError(f"a list of kind {tag}")
        return count

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.count(_ATTRIBUTE)):
            name, kind = self.name(), _TYPES[self.number()]
            size = self.number()
            raw = self.taken(size * np.dtype(kind).itemsize)
            text = kind == "S1"
            found[name] = raw.rstrip(b"\0") if text else np.frombuffer(raw, ">" + kind)
        return found


def _classic(path: Path) -> Container:
    with path.open("rb") as file:
        cursor = _Cursor(file.read(_HEAD))
    kind = "q" if cursor.block[3] == 2 else "i"
    cursor.number("I")  # records; MINC has none
    axes = [(cursor.name(), cursor.number()) for _ in range(cursor.count(_DIMENSION))]
    cursor.attributes()
    variables: dict[str, _Variable] = {}
    for _ in range(cursor.count(_VARIABLE)):
        name = cursor.name()
        mine = [axes[cursor.number()] for _ in range(cursor.number())]
        attributes, dtype = cursor.attributes(), np.dtype(">" + _TYPES[cursor.number()])
        cursor.number("I")  # its size in bytes, which the shape says too
        dims, shape = tuple(axis[0] for axis in mine), tuple(axis[1] for axis in mine)
        variables[name] = _Variable(dims, shape, attributes, dtype, cursor.number(kind))
    if "image" not in variables or not variables["image"].dims:
        raise _no_image(path)

    def small(name: str) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
        one = variables.get(name)
        if one is None or one.dtype.kind not in "if":
            return None
        check_promise(
            path, (*one.shape, 1), one.dtype, min(path.stat().st_size - one.begin, 8 * _SMALL)
        )
        values = np.fromfile(path, one.dtype, prod(one.shape), offset=one.begin)
        return one.dims, values.reshape(one.shape).astype(np.float64)

    image = variables["image"]
    dtype = _signed(image)
    check_promise(path, image.shape, dtype, path.stat().st_size - image.begin)
    return Container(
        version=1,
        image=np.memmap(path, dtype, "r", image.begin, image.shape),
        dtype=dtype,
        dims=image.dims,
        attributes=lambda name: variables[name].attributes if name in variables else {},
        variable=small,
    )


def _signed(image: _Variable) -> np.dtype[Any]:
    """The type of the voxels; netCDF has no unsigned ones, MINC says so in an attribute.

    Bytes are unsigned unless it says otherwise (MINC 1 programmer's guide, MIsigntype).
    """
    if image.dtype.kind == "S":
        raise ValueError("an image of letters")
    if image.dtype.kind == "f":
        return image.dtype
    said = image.attributes.get("signtype", b"")
    size = image.dtype.itemsize
    unsigned = said.startswith(b"unsigned") or (not said and size == 1)
    return np.dtype(f">{'u' if unsigned else 'i'}{size}")


# ---- HDF5


def _hdf5(file: Any, path: Path) -> Container:
    image = _at(file, "minc-2.0/image/0/image", path)
    if image is None or not hasattr(image, "shape") or not image.shape:
        raise _no_image(path)
    if image.dtype.kind not in "iuf" or image.dtype.itemsize > 8:
        raise FormatError(f"voxels of {image.dtype}", file=path, expected="real numbers")
    _check_storage(image, path)

    def found(name: str) -> Any:
        places = [f"image/0/{name}", f"dimensions/{name}", f"info/{name}"] if name else [""]
        for place in places:
            one = _at(file, f"minc-2.0/{place}".rstrip("/"), path)
            if one is not None:
                return one
        return None

    def small(name: str) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
        one = found(name)
        if one is None or not hasattr(one, "shape") or one.dtype.kind not in "iuf":
            return None
        check_promise(path, (*one.shape, 1), one.dtype, 8 * _SMALL)
        _check_storage(one, path)
        return _order(one), np.asarray(one[()], np.float64)

    return Container(
        version=2,
        image=image,
        dtype=image.dtype,
        dims=_order(image),
        attributes=lambda name: one.attrs if (one := found(name)) is not None else {},
        variable=small,
    )


def _at(file: Any, place: str, path: Path) -> Any:
    """What lies at a place, through links inside the file alone; None where there is nothing."""
    import h5py

    here = file
    for name in place.split("/"):
        key = name.encode("latin-1")
        if not isinstance(here, h5py.Group) or not here.id.links.exists(key):
            return None
        if here.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise FormatError(
                f"its part {name!r} is a link to elsewhere", file=path,
                expected="all parts in the file itself", remedy="copy the image into one file",
            )  # fmt: skip
        here = here[name]
    return here


def _check_storage(data: Any, path: Path) -> None:
    """Refuse voxels in other files, and what the stored bytes cannot become."""
    if data.external or data.is_virtual:
        raise FormatError(
            "its voxels lie in other files", file=path, expected="all parts in the file itself",
            remedy="copy the image into one file",
        )  # fmt: skip
    stored = int(data.id.get_storage_size())
    packed = data.chunks is not None
    check_promise(path, (*data.shape, 1), data.dtype, stored, DEFLATE_RATIO if packed else 1)
    if packed and prod(data.chunks) * data.dtype.itemsize > max(_CHUNK, 2 * data.nbytes):
        raise FormatError(f"pieces of {data.chunks} voxels", file=path, remedy="convert it anew")


def _order(data: Any) -> tuple[str, ...]:
    """The names of a variable's axes; a longer list than it has axes is left over from others."""
    text = data.attrs.get("dimorder", b"")
    names = text.decode("latin-1") if isinstance(text, bytes) else str(text)
    return tuple(name for name in names.split(",") if name)[: len(data.shape)]


def _no_image(path: Path) -> FormatError:
    return FormatError(
        "no MINC image in this file", file=path, remedy="check that it is a MINC file; export it"
    )
