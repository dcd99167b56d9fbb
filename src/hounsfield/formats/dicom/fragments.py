"""Where the frames of compressed pixels lie: fragments, and which of them make a frame.

PS3.5 A.4: an item with the offsets of the frames (it may be empty), then one item a fragment.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from struct import unpack_from
from typing import BinaryIO

import numpy as np

from hounsfield.errors import FormatError
from hounsfield.formats.dicom.elements import ITEM, SEQUENCE_END

Part = tuple[int, int]  # where a fragment's bytes begin, and how many they are
_MOST = 1 << 22  # fragments
_END = b"\xff\xd9"  # of a JPEG or JPEG 2000 stream


@lru_cache(maxsize=16)
def frame_parts(path: Path, changed: int, start: int, frames: int) -> list[list[Part]]:
    """The fragments of each frame of a file whose pixels begin at `start`.

    `changed` is the file's time, so that a file that was written anew is looked at again.

    Raises:
        FormatError: the pixels end inside a fragment, or do not hold so many frames.
    """
    with path.open("rb", buffering=0) as file:
        offsets, parts = _parts(file, start, path)
        if frames == 1:
            return [parts]
        if len(parts) == frames:
            return [[part] for part in parts]
        grouped = _by_offsets(offsets, parts) if len(offsets) == frames else None
        grouped = grouped or _by_ends(file, parts)
    if len(grouped) < frames:
        raise FormatError(
            f"{len(grouped)} compressed frames were found",
            file=path,
            expected=f"{frames} as NumberOfFrames says",
            remedy="copy the file again; it is truncated or damaged",
        )
    return grouped


def joined(path: Path, parts: list[Part]) -> bytes:
    """The bytes of some fragments."""
    with path.open("rb", buffering=0) as file:
        found = []
        for start, length in parts:
            file.seek(start)
            found.append(file.read(length))
    return found[0] if len(found) == 1 else b"".join(found)


def _parts(file: BinaryIO, start: int, path: Path) -> tuple[list[int], list[Part]]:
    """The offset table, and the fragments behind it."""
    size = file.seek(0, 2)
    items: list[Part] = []
    at = start
    while at + 8 <= size and len(items) < _MOST:
        file.seek(at)
        group, element, length = unpack_from("<HHI", file.read(8))
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            break
        if tag != ITEM or at + 8 + length > size:
            raise _torn(path, size - start)
        items.append((at + 8, length))
        at += 8 + length
    else:
        if at != size:
            raise _torn(path, size - start)
    if len(items) < 2:
        raise FormatError(
            "no compressed frames were found", file=path, remedy="copy the file again"
        )
    file.seek(items[0][0])
    table = np.frombuffer(file.read(items[0][1] & ~3), "<u4")
    return table.tolist(), items[1:]


def _torn(path: Path, size: int) -> FormatError:
    return FormatError(
        f"the compressed pixels end inside a fragment, {size:,} bytes after their start",
        file=path,
        expected="whole fragments",
        remedy="copy the file again; it is truncated or damaged",
    )


def _by_offsets(offsets: list[int], parts: list[Part]) -> list[list[Part]] | None:
    """Fragments by the table's offsets; None where those are none."""
    first = parts[0][0] - 8  # they count from the first fragment's item
    places = [begin - 8 - first for begin, _ in parts]
    if not set(offsets) <= set(places) or sorted(set(offsets)) != offsets:
        return None
    ends = [places.index(offset) for offset in offsets] + [len(parts)]
    return [parts[a:b] for a, b in pairwise(ends)]


def _by_ends(file: BinaryIO, parts: list[Part]) -> list[list[Part]]:
    """Fragments up to one that ends a JPEG stream make a frame."""
    frames: list[list[Part]] = [[]]
    for begin, length in parts:
        frames[-1].append((begin, length))
        file.seek(begin + max(0, length - 4))
        if _END in file.read(4):
            frames.append([])
    return [frame for frame in frames if frame]
