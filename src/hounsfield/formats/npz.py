"""The arrays inside .npy and .npz files: their headers, and a small cache of what was read."""

from __future__ import annotations

import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise

_KEPT_BYTES = 1 << 30  # of arrays; the last one read is kept whatever its size
_MAX_MEMBERS = 100_000
_MAX_HEADER = 10_000  # bytes; NumPy's own limit, which it looks at after reading
_kept: OrderedDict[tuple[str, int, int, str], NDArray[Any]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """One array: its member's name ("" for the whole .npy), shape and type."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int  # of the data, behind the array's own header


def entries(path: Path) -> dict[str, Entry]:
    """The arrays of a file, by name without .npy."""
    status = path.stat()
    return _entries(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _entries(path: str, _changed: int, size: int) -> dict[str, Entry]:
    if not zipfile.is_zipfile(path):
        with Path(path).open("rb") as file:
            return {"": _checked(Path(path), "", file, size)}
    found = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise FormatError(f"{len(members):,} members", file=path, expected="an .npz of arrays")
        for member in members:
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            # What is stored bounds what is there; the archive's own sizes may lie.
            there = min(member.file_size, member.compress_size * DEFLATE_RATIO)
            with archive.open(member) as stream:
                found[name] = _checked(Path(path), name, stream, there)
    return found


def _checked(path: Path, name: str, file: IO[bytes], size: int) -> Entry:
    """An array's header, refused where it promises more than is there."""
    major, _ = npy.read_magic(file)
    width = 2 if major == 1 else 4
    length = file.read(width)
    count = int.from_bytes(length, "little")
    if major not in (1, 2, 3) or count > _MAX_HEADER:
        raise FormatError(
            f"an array of version {major} with a header of {count:,} bytes",
            file=path,
            expected=f"version 1 to 3, at most {_MAX_HEADER:,} bytes",
        )
    read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
    shape, fortran, dtype = read(BytesIO(length + file.read(count)))
    entry = Entry(name, tuple(int(n) for n in shape), dtype, bool(fortran), file.tell())
    if 0 not in entry.shape and not dtype.hasobject:
        check_promise(path, entry.shape or (1,), dtype, max(0, size - entry.offset))
    return entry


def is_stack(name: str, found: dict[str, Entry]) -> bool:
    """Whether an array is a stack of labelled pictures, as in MedMNIST."""
    labels = found.get(name.removesuffix("_images") + "_labels")
    entry = found[name]
    stacked = name.endswith("_images") and labels is not None and len(labels.shape) > 0
    stacked = stacked and 0 not in entry.shape[1:]  # a million pictures of nothing fit anywhere
    return bool(stacked and labels and len(entry.shape) >= 3 and labels.shape[0] == entry.shape[0])


def pictures(path: Path, entry: Entry) -> Iterator[bytes]:
    """The bytes of each picture of a stack (N, …) in an .npz, one in memory at a time.

    Raises:
        FormatError: the pictures do not lie one after the other, or the data ends early.
    """
    if entry.dtype.hasobject or entry.fortran or not entry.shape:
        raise FormatError("an array of pictures one after the other was expected", file=path)
    size = prod(entry.shape[1:]) * entry.dtype.itemsize
    with zipfile.ZipFile(path) as archive, archive.open(f"{entry.name}.npy") as file:
        file.read(entry.offset)
        for index in range(entry.shape[0]):
            data = file.read(size)
            if len(data) != size:
                raise FormatError(f"the array ends in picture {index}", file=path)
            yield data


def array(path: Path, entry: Entry, *, keep: bool = False) -> NDArray[Any]:
    """An array, read-only; with `keep`, many pictures of one stack decompress it once.

    Raises:
        FormatError: the data ends early.
    """
    if not keep:
        return _load(path, entry)
    status = path.stat()
    key = (str(path), status.st_mtime_ns, status.st_size, entry.name)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        loaded = _kept[key] = _load(path, entry)
        while len(_kept) > 1 and sum(kept.nbytes for kept in _kept.values()) > _KEPT_BYTES:
            _kept.popitem(last=False)
        return loaded


def _load(path: Path, entry: Entry) -> NDArray[Any]:
    if entry.dtype.hasobject:
        raise FormatError("an array of objects needs a pickle, which is never opened", file=path)
    if not entry.name:
        with path.open("rb") as plain:
            return _filled(plain, entry, path)
    with zipfile.ZipFile(path) as archive, archive.open(f"{entry.name}.npy") as stream:
        return _filled(stream, entry, path)


def _filled(file: IO[bytes], entry: Entry, path: Path) -> NDArray[Any]:
    """The data read into one new buffer of its size."""
    left = entry.offset
    while left > 0 and (part := file.read(min(left, 1 << 20))):
        left -= len(part)
    flat = np.empty(int(np.prod(entry.shape, dtype=object)), entry.dtype)
    target = memoryview(flat.view(np.uint8).data)
    at = 0
    while at < len(target) and (part := file.read(min(1 << 24, len(target) - at))):
        target[at : at + len(part)] = part
        at += len(part)
    if at < len(target):
        raise FormatError(
            f"the array ends after {at:,} of {len(target):,} bytes",
            file=path,
            remedy="copy the file again; it is truncated",
        )
    shaped = flat.reshape(entry.shape, order="F" if entry.fortran else "C")
    array = np.ascontiguousarray(shaped, dtype=entry.dtype.newbyteorder("="))
    array.setflags(write=False)
    return array
