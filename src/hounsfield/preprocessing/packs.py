"""Pack files: prepared pictures in one file, compressed, with an index; read through memory.

    magic · pictures and masks (Blosc2 chunks, or plain where tiny) · index · trailer

A pack is written beside its place and renamed into it, so it is there whole or not at all;
it is never changed. Truncation shows in the trailer, damage in the checksums.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from hounsfield.errors import StorageError
from hounsfield.preprocessing.statistics import Moments

MAGIC = b"hounsfield-pack1"
TRAILER = struct.Struct("<QQIIII16s")  # see Trailer
PLAIN_BYTES = 8192  # smaller arrays are stored as they are: unpacking would cost more than it saves
LEVELS = 4095  # of stored values: an error of 2^-13, and the four empty bits pack away


@dataclass(frozen=True, eq=False)
class Entry:
    """One prepared case on its way into a pack."""

    digest: bytes  # 16 bytes: what it was made from
    blobs: tuple[bytes, bytes]  # coded picture and mask (empty: none)
    shape: tuple[int, ...]  # (C, Z, Y, X)
    itemsize: int  # 1 or 2 bytes a value
    original: tuple[int, int]
    original_from_prepared: NDArray[np.float64]
    summaries: NDArray[np.float64]  # (inputs, 7), the fields of Summary
    moments: Moments  # of the values as they are read back


def quantised(array: NDArray[np.float32]) -> NDArray[Any]:
    """Values in [0, 1] as whole numbers: uint8 where that is exact, else 12 bits in uint16."""
    scaled = array * np.float32(255)
    small = np.rint(scaled)
    if float(np.abs(scaled[..., 0, :] - small[..., 0, :]).max()) < 1e-4 and bool(
        (np.abs(scaled - small) < 1e-4).all()
    ):
        exact: NDArray[Any] = small.astype(np.uint8)
        return exact
    close: NDArray[Any] = np.rint(array * np.float32(LEVELS)).astype(np.uint16)
    return close


def restored(stored: NDArray[Any], out: NDArray[np.float32]) -> None:
    """The values in [0, 1] of what `quantised` made, into `out`."""
    levels = np.float32(255 if stored.dtype == np.uint8 else LEVELS)
    np.divide(stored, levels, out=out)


def coded(array: NDArray[Any]) -> bytes:
    """An array's bytes as they are stored; the same for the same array on any machine."""
    plain = array.tobytes()
    if len(plain) < PLAIN_BYTES:
        return plain
    packed = bytes(
        imagecodecs.blosc2_encode(
            plain, level=5, compressor="lz4", typesize=array.itemsize, numthreads=1,
            shuffle="shuffle" if array.itemsize > 1 else "bitshuffle",  # the quicker to undo
        )
    )  # fmt: skip
    return packed if len(packed) < len(plain) else plain


def decoded(blob: memoryview, out: NDArray[Any]) -> None:
    """Undo `coded` into a C-contiguous array of the right size and type."""
    flat = out.reshape(-1).view(np.uint8)
    if len(blob) == flat.size:
        flat[:] = np.frombuffer(blob, np.uint8)
    else:
        imagecodecs.blosc2_decode(blob, numthreads=1, out=flat)  # type: ignore[arg-type]


def _row_type(channels: int, inputs: int) -> np.dtype[Any]:
    return np.dtype(
        [
            ("digest", "u1", 16),
            ("offset", "<u8", 2),  # of picture and mask
            ("length", "<u8", 2),  # 0: no mask
            ("checksum", "<u4", 2),
            ("shape", "<u4", 4),
            ("itemsize", "<u4"),
            ("original", "<u4", 2),
            ("matrix", "<f8", (3, 3)),
            ("summaries", "<f8", (inputs, 7)),
            ("inputs", "<u4"),
            ("moments", "<f8", (2, channels)),
        ]
    )


class PackWriter:
    """Collects entries in a file beside its place until `finish` puts it there.

    Raises:
        OSError: the disk is full, or may not be written to; the unfinished file is removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.part = folder / f".{os.getpid()}-{id(self):x}.part"
        self.file = self.part.open("wb")
        self.entries: list[Entry] = []
        self.places: list[tuple[list[int], list[int], list[int]]] = []
        self.size = self.file.write(MAGIC)
        self.dropped = False

    def add(self, entry: Entry) -> None:
        offsets, lengths, checksums = [], [], []
        try:
            for blob in entry.blobs:
                offsets.append(self.size)
                lengths.append(len(blob))
                checksums.append(isal_zlib.crc32(blob))
                self.size += self.file.write(blob)
        except OSError:
            self.drop()
            raise
        self.places.append((offsets, lengths, checksums))
        self.entries.append(replace(entry, blobs=(b"", b"")))

    def finish(self) -> Path:
        """The finished pack, in its place."""
        names = blake2b(b"".join(entry.digest for entry in self.entries), digest_size=10)
        place = self.folder / f"{names.hexdigest()}.pack"
        channels = max(entry.shape[0] for entry in self.entries)
        inputs = max(len(entry.summaries) for entry in self.entries)
        index = _index(self.entries, self.places, _row_type(channels, inputs)).tobytes()
        gap = -self.size % 64  # so that the index can be used where it lies
        trailer = Trailer(
            self.size + gap, len(self.entries), isal_zlib.crc32(index), channels, inputs, 0, MAGIC
        )
        try:
            self.file.write(bytes(gap) + index + TRAILER.pack(*trailer))
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
        except OSError:
            self.drop()
            raise
        try:
            self.part.replace(place)
        except PermissionError:  # Windows: another process made and opened the same pack
            self.drop()
        return place

    def drop(self) -> None:
        self.dropped = True
        with contextlib.suppress(OSError):  # on a full disk closing fails once more
            self.file.close()
        self.part.unlink(missing_ok=True)


class Trailer(NamedTuple):
    """The last bytes of a pack."""

    start: int  # of the index
    rows: int
    checksum: int  # of the index
    channels: int  # most of any row
    inputs: int
    spare: int
    magic: bytes


def _index(
    entries: Sequence[Entry],
    places: Sequence[tuple[list[int], list[int], list[int]]],
    row_type: np.dtype[Any],
) -> NDArray[Any]:
    index = np.zeros(len(entries), row_type)
    for row, entry, (offsets, lengths, checksums) in zip(index, entries, places, strict=True):
        row["digest"] = np.frombuffer(entry.digest, np.uint8)
        row["offset"], row["length"], row["checksum"] = offsets, lengths, checksums
        row["shape"], row["itemsize"] = entry.shape, entry.itemsize
        row["original"], row["matrix"] = entry.original, entry.original_from_prepared
        row["inputs"] = len(entry.summaries)
        row["summaries"][: len(entry.summaries)] = entry.summaries
        row["moments"][0, : entry.shape[0]] = entry.moments.mean
        row["moments"][1, : entry.shape[0]] = entry.moments.squares
    return index


class Pack:
    """A finished pack, mapped into memory; many processes share the pages.

    Raises:
        StorageError: the file is no whole pack.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.bytes = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            trailer = Trailer(*TRAILER.unpack(self.bytes[-TRAILER.size :]))
            row_type = _row_type(trailer.channels, trailer.inputs)
            length = trailer.rows * row_type.itemsize
            whole = trailer.magic == MAGIC and (
                trailer.start + length + TRAILER.size == len(self.bytes)
            )
        except (ValueError, struct.error) as error:  # empty, or shorter than a trailer
            raise _damaged(path) from error
        index = self.bytes[trailer.start : trailer.start + length] if whole else b""
        if not whole or isal_zlib.crc32(index) != trailer.checksum:
            raise _damaged(path)
        self.index: NDArray[Any] = np.frombuffer(index, row_type)

    def __reduce__(self) -> tuple[type[Pack], tuple[Path]]:
        return Pack, (self.path,)  # a worker maps the file for itself

    def digests(self) -> list[bytes]:
        flat = self.index["digest"].tobytes()
        return [flat[i : i + 16] for i in range(0, len(flat), 16)]

    def check(self) -> None:
        """Raise StorageError where any picture's or mask's checksum is wrong."""
        for row in range(len(self.index)):
            for which in (0, 1):
                self._blob(row, which)

    def _blob(self, row: int, which: int) -> memoryview:
        offset, length = self.offset[row, which], self.length[row, which]
        blob = self.bytes[offset : offset + length]
        if isal_zlib.crc32(blob) != self.checksum[row, which]:
            raise _damaged(self.path)
        return blob

    # Columns as plain arrays: a field of a row of a record array is ten times as slow to reach.
    @cached_property
    def offset(self) -> NDArray[np.uint64]:
        return np.ascontiguousarray(self.index["offset"])

    @cached_property
    def length(self) -> NDArray[np.uint64]:
        return np.ascontiguousarray(self.index["length"])

    @cached_property
    def checksum(self) -> NDArray[np.uint32]:
        return np.ascontiguousarray(self.index["checksum"])

    def shape(self, row: int) -> tuple[int, int, int, int]:
        c, z, y, x = map(int, self.index["shape"][row])
        return c, z, y, x

    def picture(self, row: int, out: NDArray[np.float32]) -> None:
        """Fill `out` (C, Z, Y, X) with the values in [0, 1]."""
        kind = np.uint8 if self.index["itemsize"][row] == 1 else np.uint16
        stored = np.empty(out.shape, kind)
        decoded(self._blob(row, 0), stored)
        restored(stored, out)

    def mask(self, row: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` (Z, Y, X) with labels; 0 where the case has no mask."""
        if self.length[row, 1] == 0:
            out[:] = 0
        else:
            decoded(self._blob(row, 1), out)


def _damaged(path: Path) -> StorageError:
    return StorageError(
        "the preprocessing cache is damaged",
        file=path,
        remedy="run again: what is damaged is found and made anew (or delete the file)",
    )
