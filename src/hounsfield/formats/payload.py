"""Voxels behind a text header: where they lie, how they are coded, and how they are read.

NRRD and MetaImage name the files of their voxels themselves; a header's word is believed only
as a plain name in its own folder.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.guard import DEFLATE_RATIO, check_promise
from hounsfield.formats.streams import ends_early, fill, pass_over

# coding -> the most bytes that one stored byte can become; bzip2's 45 bytes hold 45 MB of zeros
RATIOS: dict[str, float] = {
    "raw": 1,
    "hex": 0.5,
    "text": 8,  # "1 1 1" as float64: 2 bytes are 8
    "gzip": DEFLATE_RATIO,
    "zlib": DEFLATE_RATIO,
    "bzip2": 1_000_000,
}
_CHUNK = 1 << 20
_PATTERN = re.compile(r"[^%]*%(?:0?[1-9]?)d[^%]*")
_MOST_FILES = 100_000


@dataclass(frozen=True)
class Payload:
    """Numbers of one array, shared out evenly over `files`.

    `shape` has the slowest axis first, `dtype` the byte order of the file. The data of a file
    begin at its byte in `starts`, or -n means: they end n - 1 bytes before the file does.
    `skip` decoded bytes are passed over.
    """

    header: Path  # the file that errors name
    files: tuple[Path, ...]
    starts: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    coding: str = "raw"
    skip: int = 0

    @property
    def share(self) -> int:
        """Decoded bytes in each file."""
        return prod(self.shape) * self.dtype.itemsize // len(self.files)


def check(payload: Payload) -> None:
    """Refuse what the files cannot hold, before anything is allocated.

    Raises:
        FormatError: an empty or absurd size, missing or truncated files.
    """
    found = 0
    for file, start in zip(payload.files, payload.starts, strict=True):
        size = _size(file, payload.header)
        found += max(size - start if start >= 0 else size + start + 1, 0)
    if payload.coding == "raw":
        found -= payload.skip * len(payload.files)
    check_promise(
        payload.header, payload.shape, payload.dtype, max(found, 0), RATIOS[payload.coding]
    )
    if payload.coding == "hex" and payload.share * 2 * len(payload.files) > found:
        raise ends_early(payload.header, found // 2, payload.share)
    if prod(payload.shape) % len(payload.files):
        raise FormatError(
            f"{len(payload.files)} files cannot share {payload.shape} voxels evenly",
            file=payload.header,
            remedy="check the sizes and the list of files",
        )


def numbers(payload: Payload) -> NDArray[Any]:
    """All numbers, of the payload's shape, in native byte order; `check` comes first.

    Raises:
        FormatError: damaged data, less than promised, or (compressed) more.
    """
    array = np.empty(payload.shape, payload.dtype)
    parts = array.reshape(len(payload.files), -1)
    for part, file, start in zip(parts, payload.files, payload.starts, strict=True):
        if payload.coding == "text":
            part[:] = _text(payload, file, start, part.size)
        else:
            _fill(memoryview(part.view(np.uint8).data), payload, file, start)
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def mapped(payload: Payload) -> NDArray[Any] | None:
    """The numbers of a single raw file as a memory map; None where they must be decoded."""
    if payload.coding != "raw" or len(payload.files) != 1:
        return None
    start = _start(payload, payload.files[0], payload.starts[0])
    check(payload)
    return np.memmap(payload.files[0], payload.dtype, "r", start + payload.skip, payload.shape)


def sibling(header: Path, name: str) -> Path:
    """A file that a header names: a plain name in the header's own folder, nothing else.

    Raises:
        FormatError: a path that leads elsewhere, or no such file.
    """
    parts = PurePosixPath(name).parts
    if len(parts) != 1 or parts[0] in ("..", "/") or set(name) & {"\\", "\0", ":"}:
        raise FormatError(
            f"names its voxels' file {name[:80]!r}",
            file=header,
            expected="a plain name in the header's own folder",
            remedy="put the file beside the header and correct the name in the header",
        )
    file = header.parent / parts[0]
    if not file.is_file():
        raise FormatError(
            f"its voxels' file {parts[0]!r} is not there",
            file=header,
            remedy="put it beside the header; a header alone has no image",
        )
    return file


def numbered(header: Path, pattern: str, span: tuple[int, int, int], count: int) -> list[str]:
    """The names that a pattern like `slice%03d.raw` gives for (first, last, step).

    Raises:
        FormatError: another pattern, or not `count` names.
    """
    first, last, step = span
    if not _PATTERN.fullmatch(pattern):
        raise FormatError(
            f"the pattern of files {pattern[:80]!r}", file=header, expected="like slice%03d.raw"
        )
    found = (last - first) // step + 1 if step else 0
    if found != count or not 0 < count <= _MOST_FILES:
        raise FormatError(
            f"a pattern of {found} files, {count} are needed", file=header,
            remedy="correct the range of numbers in the header",
        )  # fmt: skip
    before, width, after = re.split(r"%(0?[1-9]?)d", pattern)
    return [f"{before}{format(first + i * step, width + 'd')}{after}" for i in range(count)]


def after_lines(file: Path, start: int, lines: int) -> int:
    """The byte behind so many lines."""
    with file.open("rb") as raw:
        raw.seek(start)
        while lines > 0 and raw.readline():
            lines -= 1
        return raw.tell()


class _Deflated(io.RawIOBase):
    """A zlib (or gzip) stream, decoded."""

    def __init__(self, raw: IO[bytes]) -> None:
        from isal import isal_zlib

        self._raw = raw
        self._decoder: Any = isal_zlib.decompressobj(wbits=47)  # by its own header

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._decoder.eof:
            block = self._decoder.unconsumed_tail or self._raw.read(_CHUNK)
            piece = self._decoder.decompress(block, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if not block:
                raise EOFError("the compressed stream has no end")
        return 0


def _gzip(raw: IO[bytes]) -> Any:
    from isal import igzip

    return igzip.IGzipFile(fileobj=raw, mode="rb")


def _bzip2(raw: IO[bytes]) -> Any:
    import bz2

    return bz2.BZ2File(raw)


def _hex(raw: IO[bytes]) -> Any:
    return io.BytesIO(bytes.fromhex(raw.read().decode("ascii")))


_STREAMS: dict[str, Callable[[IO[bytes]], Any]] = {
    "raw": lambda raw: raw,
    "gzip": _gzip,
    "zlib": _Deflated,
    "bzip2": _bzip2,
    "hex": _hex,
}


def _fill(target: memoryview, payload: Payload, file: Path, start: int) -> None:
    with file.open("rb", buffering=0 if payload.coding == "raw" else -1) as raw:
        raw.seek(_start(payload, file, start))
        stream = _STREAMS[payload.coding](raw)
        pass_over(stream, payload.skip)
        found = fill(stream, target)
        if found < len(target):
            raise ends_early(file, found, len(target))
        # The end of a compressed stream checks its sum; a longer one has another header.
        if payload.coding != "raw" and stream.read(1):
            raise FormatError(
                f"the voxels go on behind the {len(target):,} bytes that the header promises",
                file=payload.header,
                remedy="correct the sizes in the header",
            )


def _start(payload: Payload, file: Path, start: int) -> int:
    """The byte where a file's data begin."""
    if start >= 0:
        return start
    at = _size(file, payload.header) + start + 1 - payload.share
    if at < 0:
        raise ends_early(file, at + payload.share, payload.share)
    return at


def _text(payload: Payload, file: Path, start: int, count: int) -> NDArray[Any]:
    """Numbers in words, separated by white space or commas."""
    with file.open("rb") as raw:
        raw.seek(start)
        words = raw.read().replace(b",", b" ").split()
    if len(words) != count:
        raise FormatError(
            f"the text has {len(words):,} numbers, the header promises {count:,}", file=file,
            remedy="copy the file again; it is truncated or its header is wrong",
        )  # fmt: skip
    whole = payload.dtype.kind in "iu"
    return np.array([int(word) if whole else float(word) for word in words], payload.dtype)


def _size(file: Path, header: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise FormatError(
            f"its voxels' file {file.name!r} cannot be opened ({error.strerror})", file=header
        ) from error
