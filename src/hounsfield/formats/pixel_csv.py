"""Small pictures as rows of a CSV: `label,pixel0,…,pixel783` (Kaggle's digits and its kin).

A row is a square grey picture of 8 bits, row by row from the top left. The label, where there is
one, is not part of the image.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Header, Like, Source
from hounsfield.image import Image

if TYPE_CHECKING:
    import polars as pl

SUFFIX = ".csv"
EXTRA: str | None = None

FIRST = re.compile(rb'(\xef\xbb\xbf)?("?label"?,)?"?pixel[01]"?,"?pixel[12]"?[,\r\n]')
REMEDY = "the header is label,pixel0,pixel1,… with a square number of pixels, each 0 to 255"
MAX_SIDE = 1024


def sniff(head: bytes, path: Path) -> bool:
    return FIRST.match(head) is not None


def find(path: Path) -> list[Source]:
    """One source a row; `member` is the row's number, the first below the header is 0."""
    _side(*_state(path))
    return [Source.of(path, str(row)) for row in range(count(path))]


def header(source: Source) -> Header:
    """(1, 1, side, side) uint8; only the first line is read.

    Raises:
        FormatError: the pixels make no square, or the member is no row's number.
    """
    side = _side(*_state(source.file))
    _row(source)
    return Header("pixel-csv", (1, 1, side, side), np.dtype(np.uint8))


def read(source: Source, like: Like | None = None) -> Image:
    """The picture of a row; the table is parsed once and kept while it is in use.

    Raises:
        FormatError: no such row, a cell that is no whole number from 0 to 255, or a VOI LUT
            is asked for.
    """
    state, row = _state(source.file), _row(source)
    side, table = _side(*state), _table(*state)
    if row >= len(table):
        raise _error(source.file, f"there is no row {row}, only {len(table)}")
    return Image(chosen(table[row].reshape(1, 1, side, side), like, source.file))


def count(path: Path) -> int:
    """How many rows lie below the header."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip()) - 1


def columns(path: Path) -> list[str]:
    """The names in the header."""
    with path.open("rb") as file:
        line = file.readline(32 * MAX_SIDE**2)
    return line.decode("utf-8-sig", errors="replace").strip().replace('"', "").split(",")


def _state(path: Path) -> tuple[Path, int, int]:
    """What a cache knows a file by: another time or size is another file."""
    try:
        state = path.stat()
    except OSError as error:
        raise _error(path, f"the file cannot be opened ({error.strerror})") from error
    return path, state.st_mtime_ns, state.st_size


@lru_cache(maxsize=8)
def _side(path: Path, changed: int, size: int) -> int:
    """The pictures' width and height."""
    pixels = [name for name in columns(path) if name != "label"]
    side = math.isqrt(len(pixels))
    if side**2 != len(pixels) or side > MAX_SIDE:
        raise _error(path, f"{len(pixels)} pixels make no square")
    return side


def _row(source: Source) -> int:
    if source.member is None or not source.member.isascii() or not source.member.isdigit():
        raise _error(source.file, f"no row is named {source.member!r}")
    return int(source.member)


@lru_cache(maxsize=2)
def _table(path: Path, changed: int, size: int) -> NDArray[np.uint8]:
    """All pictures (N, pixels)."""
    import polars as pl

    types: Any = dict.fromkeys(columns(path), pl.UInt8)
    if "label" in types:
        types["label"] = pl.String
    try:
        frame: pl.DataFrame = pl.read_csv(path, schema=types, has_header=True)
    except pl.exceptions.PolarsError as error:
        problem = str(error).partition("\n")[0]
        raise _error(path, f"the table cannot be read ({problem})") from error
    pixels = frame.drop("label", strict=False)
    empty = [name for name, nulls in pixels.null_count().row(0, named=True).items() if nulls]
    if empty:
        raise _error(path, f"column {empty[0]} has empty cells")
    table: NDArray[np.uint8] = np.ascontiguousarray(pixels.to_numpy())
    table.flags.writeable = False
    return table


def _error(path: Path, problem: str) -> FormatError:
    return FormatError(problem, file=path, remedy=REMEDY)
