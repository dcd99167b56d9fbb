"""Gzip in parts: one ordinary stream that is made, read and cut in parallel.

A large .nii.gz of ours is one gzip member with one deflate stream (RFC 1951, 1952), because a
browser's `DecompressionStream` refuses files of several members. Its parts do not look back at
each other, and each ends on a whole byte (a sync flush). The first part is the header's, the
others are voxels. How long each is stands in the gzip header's extra field, which other readers
pass over. Whatever does not fit this table is read from its beginning to its end.
"""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from hounsfield.formats.streams import GZIP, fill, pass_over

PART = 2 << 20  # bytes of voxels in a part
_PARTS = 200  # at most: their table must leave room for the header in a file's first 4096 bytes
_LARGEST = 1 << 27  # bytes; a table that names a larger part is not believed
_BLOCK = 64 << 10  # a Huffman code for each block of this many bytes: smaller files than with one
_LEVEL, _MEMORY = 2, 9  # of isal; as small as zlib's level 1 at a quarter of the time
_SMALL_LEVEL = 1  # of libdeflate
_WINDOW = 256 << 10
_ID = b"hf"  # the subfield of the gzip header's extra field
_ROW = struct.Struct("<III")  # a part: its bytes in the file, its bytes inflated, their CRC-32
_START = GZIP + bytes((8, 4, 0, 0, 0, 0, 0, 255))  # deflate, an extra field, no time
_END = b"\x03\x00"  # an empty last block

Range = tuple[int, int]  # bytes of the inflated stream, half-open


@dataclass(frozen=True)
class _Part:
    """One part: where its bytes lie in the file, and what they become."""

    at: int
    length: int
    start: int
    size: int
    crc: int


def inflate(path: Path, ranges: Sequence[Range], target: memoryview, total: int) -> int:
    """Fill `target` with these bytes of the stream, in ascending order; how many were found.

    The check sums of all that is passed are verified; `total` is where the stream should end.
    """
    parts = _parts(path)
    whole = bool(parts) and parts[-1].start + parts[-1].size == total
    if whole and _inflate_parts(path, parts, ranges, target):
        return len(target)
    return _inflate_whole(path, ranges, target)


def write(path: Path, header: bytes, voxels: memoryview) -> None:
    """Header and voxels as gzip, in parts where there are many; the same bytes each time."""
    if len(voxels) <= PART:
        from imagecodecs import gzip_encode

        path.write_bytes(gzip_encode(header + bytes(voxels), level=_SMALL_LEVEL))
        return
    size = max(PART, -(-len(voxels) // (_PARTS - 1)))
    pieces: list[bytes | memoryview] = [header]
    pieces += [voxels[at : at + size] for at in range(0, len(voxels), size)]
    table = b""
    crc = 0
    with path.open("wb") as file:
        file.write(_start(bytes(_ROW.size * len(pieces))))
        for piece, (squeezed, own) in zip(pieces, _in_order(pieces), strict=True):
            file.write(squeezed)
            table += _ROW.pack(len(squeezed), len(piece), own)
            crc = _joined(crc, own, len(piece))
        length = len(header) + len(voxels)
        file.write(_END + struct.pack("<II", crc, length & 0xFFFFFFFF))
        file.seek(0)
        file.write(_start(table))


def _start(table: bytes) -> bytes:
    field = _ID + struct.pack("<H", len(table)) + table
    return _START + struct.pack("<H", len(field)) + field


def _in_order(pieces: Sequence[bytes | memoryview]) -> Iterator[tuple[bytes, int]]:
    """Each piece deflated, and its check sum; a few are ahead of what is asked for."""
    threads = _threads(len(pieces))
    waiting: deque[Future[tuple[bytes, int]]] = deque()
    with ThreadPoolExecutor(threads, "deflate") as pool:
        for piece in pieces:
            waiting.append(pool.submit(_deflated, piece))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _deflated(piece: bytes | memoryview) -> tuple[bytes, int]:
    from isal import isal_zlib

    squeeze = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15, _MEMORY)
    done: list[bytes] = []
    for at in range(0, len(piece), _BLOCK):
        done.append(squeeze.compress(piece[at : at + _BLOCK]))
        done.append(squeeze.flush(isal_zlib.Z_SYNC_FLUSH))
    return b"".join(done), isal_zlib.crc32(piece)


def _threads(jobs: int) -> int:
    """One in a worker process: its siblings use the other cores."""
    if multiprocessing.parent_process() is not None:
        return 1
    return max(1, min(jobs, os.cpu_count() or 1, 8))


def _joined(crc: int, following: int, length: int) -> int:
    from isal import isal_zlib

    return int(isal_zlib.crc32_combine(crc, following, length))


def _parts(path: Path) -> list[_Part]:
    """The parts of a file of ours; none where its table and the file do not agree throughout."""
    with path.open("rb") as file:
        head = file.read(len(_START) + 2)
        extra = file.read(int.from_bytes(head[-2:], "little"))
        if head[: len(_START)] != _START or extra[:2] != _ID:
            return []
        if len(extra) % _ROW.size != 4 or int.from_bytes(extra[2:4], "little") != len(extra) - 4:
            return []
        parts = list(_placed(_ROW.iter_unpack(extra[4:]), len(head) + len(extra)))
        end = parts[-1].at + parts[-1].length if parts else 0
        if not parts or any(part.size > _LARGEST for part in parts):
            return []
        if os.fstat(file.fileno()).st_size != end + len(_END) + 8:
            return []
        file.seek(end)
        crc = reduce(lambda so_far, part: _joined(so_far, part.crc, part.size), parts, 0)
        total = parts[-1].start + parts[-1].size
        sums = struct.pack("<II", crc, total & 0xFFFFFFFF)
        return parts if file.read() == _END + sums else []


def _placed(rows: Iterable[tuple[Any, ...]], at: int) -> Iterator[_Part]:
    start = 0
    for length, size, crc in rows:
        yield _Part(at, length, start, size, crc)
        at, start = at + length, start + size


def _inflate_parts(
    path: Path, parts: Sequence[_Part], ranges: Sequence[Range], target: memoryview
) -> bool:
    """Only the parts that are wanted, side by side; False if one is not what the table says."""
    wanted = [part for part in parts if any(_overlap(part, one) for one in ranges)]
    lock = threading.Lock()
    with (
        path.open("rb") as file,
        ThreadPoolExecutor(_threads(len(wanted)), "inflate") as pool,
    ):

        def one(part: _Part) -> bool:
            with lock:
                file.seek(part.at)
                block = file.read(part.length)
            return _inflate_part(part, block, ranges, target)

        return all(pool.map(one, wanted))


def _overlap(part: _Part, wanted: Range) -> bool:
    return part.start < wanted[1] and wanted[0] < part.start + part.size


def _inflate_part(part: _Part, block: bytes, ranges: Sequence[Range], target: memoryview) -> bool:
    from isal import igzip_lib, isal_zlib

    # With an empty last block behind it, a part that ends where it should is a whole stream.
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    try:
        data = stream.decompress(block + _END, part.size + 1)
    except igzip_lib.IsalError:  # type: ignore[misc]  # its stub calls it an instance
        return False
    if not stream.eof or stream.unused_data or len(data) != part.size:
        return False
    if isal_zlib.crc32(data) != part.crc:
        return False
    at = 0  # of this range in the target
    for start, stop in ranges:
        low, high = max(start, part.start), min(stop, part.start + part.size)
        if low < high:
            place = at + low - start
            inside = data if high - low == part.size else data[low - part.start : high - part.start]
            target[place : place + high - low] = inside
        at += stop - start
    return True


def _inflate_whole(path: Path, ranges: Sequence[Range], target: memoryview) -> int:
    """From the beginning to the end, straight into the target."""
    from isal import isal_zlib

    at = done = 0
    with path.open("rb", buffering=0) as file:
        # What `igzip.open` wraps: through its wrappers every byte would be copied once more
        stream = isal_zlib._GzipReader(file, _WINDOW)
        for start, stop in ranges:
            if pass_over(stream, start - at) < start - at:
                return done
            found = fill(stream, target[done : done + stop - start])
            done, at = done + found, start + found
            if at < stop:
                return done
        pass_over(stream, 1 << 62)  # the end of the stream checks its sum, wherever it is
    return done
