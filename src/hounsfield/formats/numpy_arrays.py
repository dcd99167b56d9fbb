"""NumPy: .npy and .npz, never a pickle.

(Y, X), (Z, Y, X) and (C, Z, Y, X) are images; uint8 with a last axis of 3 is a colour picture.
In an .npz an array is the member NAME; where `X_images` stands beside `X_labels` of the same
length (the MedMNIST layout), each of its pictures is a member `X_images/17`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats import npz
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.image import RGB, Image

SUFFIX = ".npy"
EXTRA = None


def sniff(head: bytes, path: Path) -> bool:
    if head[:6] == b"\x93NUMPY":
        return True
    name_length = int.from_bytes(head[26:28], "little")
    return head[:4] == b"PK\3\4" and head[30 : 30 + name_length].endswith(b".npy")


def find(path: Path) -> list[Source]:
    """The one image of an .npy; of an .npz one for each array or picture, by name."""
    with refusing(path, "the arrays"):
        entries = npz.entries(path)
        if "" in entries:
            return [Source.of(path)]
        root, names = str(path.parent), (path.name,)
        found = []
        for name, entry in entries.items():
            if npz.is_stack(name, entries):
                found += [Source(root, names, f"{name}/{i}") for i in range(entry.shape[0])]
            elif 2 <= len(entry.shape) <= 4 and not name.endswith("_labels"):
                found.append(Source(root, names, name))
        return found


def header(source: Source) -> Header:
    """From the arrays' own headers; no data is read.

    Raises:
        FormatError: no such member, a shape that is no image, objects, or a header that promises
            more than the file holds.
    """
    with refusing(source.file, "the header"):
        entry, index = _entry(source)
        return _header(source, entry, index)


def read(source: Source, like: Like | None = None) -> Image:
    """The array as it is, in native byte order; pictures of one stack share one reading of it.

    Raises:
        FormatError: as `header`, or truncated or damaged.
    """
    with refusing(source.file, "the array"):
        entry, index = _entry(source)
        head = _header(source, entry, index)
        array = npz.array(source.file, entry, keep=index is not None)
        picture = _as_image(array if index is None else array[index], bool(head.channels))
        first, last = frame_range(source, picture.shape[1])
        values = chosen(picture[:, first:last], like, source.file)
        values = values.astype(np.float32) if values.dtype == np.float16 else values
        return Image(as_small(values), None, head.channels, {"format": "numpy"})


def write(image: Image, path: Path) -> None:
    """An .npy of shape (C, Z, Y, X), or (Y, X, 3) for an 8-bit colour picture; no geometry."""
    array = image.array
    if image.is_rgb and array.dtype == np.uint8 and image.shape[1] == 1:
        array = np.ascontiguousarray(np.moveaxis(array[:, 0], 0, 2))
    header = np.lib.format.header_data_from_array_1_0(array)
    with path.open("wb") as file:  # np.save does not say that the disk is full
        np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _entry(source: Source) -> tuple[npz.Entry, int | None]:
    """The array that a source names, and the picture in it."""
    entries = npz.entries(source.file)
    if "" in entries:
        return entries[""], None
    member = source.member
    if member is None:
        wanted = [name for name, entry in entries.items() if 2 <= len(entry.shape) <= 4]
        if len(wanted) != 1:
            raise FormatError(f"holds {len(wanted)} arrays", file=source.file,
                              remedy=f"name one of {', '.join(entries)}")  # fmt: skip
        member = wanted[0]
    name, _, number = member.rpartition("/")
    if member in entries:
        return entries[member], None
    if name in entries and number.isdecimal() and int(number) < entries[name].shape[0]:
        return entries[name], int(number)
    raise FormatError(
        f"no image {member!r} in this file",
        file=source.file,
        expected=f"one of {', '.join(entries)}; NAME/17 for the 17th picture of a stack",
    )


def _header(source: Source, entry: npz.Entry, index: int | None) -> Header:
    shape = entry.shape if index is None else entry.shape[1:]
    if entry.dtype.kind not in "iufb":
        raise FormatError(
            f"an array of {entry.dtype}",
            file=source.file,
            expected="real numbers; objects would need a pickle, which is never opened",
            remedy="save the array as numbers",
        )
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise FormatError(
            f"an array of shape {shape}", file=source.file,
            expected="(Y, X), (Z, Y, X), (C, Z, Y, X), or (Y, X, 3) of uint8",
        )  # fmt: skip
    colour = len(shape) == 3 and shape[2] == 3 and entry.dtype == np.uint8
    full = (3, 1, *shape[:2]) if colour else ((1,) * (4 - len(shape)) + shape)
    first, last = frame_range(source, full[1])
    dtype = np.dtype(np.float32) if entry.dtype == np.float16 else entry.dtype.newbyteorder("=")
    return Header(
        format="numpy",
        shape=(full[0], last - first, full[2], full[3]),
        dtype=dtype,
        channels=RGB if colour else (),
        facts=Facts(stored=str(entry.dtype)),
    )


def _as_image(array: NDArray[Any], colour: bool) -> NDArray[Any]:
    if colour:
        return np.moveaxis(array, 2, 0)[:, None]
    return array[(None,) * (4 - array.ndim)]
