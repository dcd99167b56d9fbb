"""Tables read row by row as text: CSV and TSV stream, Excel and Parquet come through polars."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hounsfield.errors import InputError

if TYPE_CHECKING:
    import polars as pl

TEXT = (".csv", ".tsv")
SHEETS = (".xlsx", ".xls", ".ods")
TABLES = (*TEXT, *SHEETS, ".parquet")
MISSING = frozenset({"", "nan", "na", "n/a", "null"})  # "none" may well be a class

Row = dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table whose rows are numbered as a spreadsheet shows them: the header is row 1."""

    path: Path

    def columns(self) -> list[str]:
        """The header's names, stripped."""
        if self.path.suffix.lower() not in TEXT:
            return [name.strip() for name in self._frame.columns]
        with self._lines() as file:
            return self._header(csv.reader(file, delimiter=_delimiter(file)))

    def rows(self, required: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
        """Each row's number and its cells, stripped; a missing value is an empty text.

        Raises:
            InputError: the table cannot be read, lacks a required column, or a row is ragged.
        """
        columns = self.columns()
        missing = [name for name in required if name not in columns]
        if missing:
            raise self.error(f"no column {missing[0]!r}", expected=", ".join(required))
        twice = {name for name in columns if name and columns.count(name) > 1}
        if twice:
            raise self.error(f"two columns are named {min(twice)!r}", expected="one of each name")
        for number, cells in self._cells(len(columns)):
            yield number, {n: _plain(cell) for n, cell in zip(columns, cells, strict=True)}

    def error(self, problem: str, *, expected: str | None = None) -> InputError:
        remedy = "correct the table, then try again"
        return InputError(problem, file=self.path, expected=expected, remedy=remedy)

    def row_error(self, row: int, problem: str, *, expected: str | None = None) -> InputError:
        """What is wrong in a row, with its number."""
        return self.error(f"row {row}: {problem}", expected=expected)

    def number(self, row: int, cells: Mapping[str, str], column: str) -> float | None:
        """A cell as a finite number, None where it is empty; else an InputError."""
        text = cells[column]
        if text == "":
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.row_error(row, f"{column} is {text!r}", expected="a number")
        return value

    def _cells(self, width: int) -> Iterator[tuple[int, Sequence[object]]]:
        if self.path.suffix.lower() not in TEXT:
            yield from enumerate(self._frame.iter_rows(), start=2)
            return
        with self._lines() as file:
            reader = csv.reader(file, delimiter=_delimiter(file))
            self._header(reader)
            for number, cells in enumerate(reader, start=2):
                if not cells:
                    continue
                if len(cells) != width:
                    raise self.row_error(number, f"{len(cells)} cells", expected=f"{width}")
                yield number, cells

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        names = next(reader, [])
        if not names:
            raise self.error("the table is empty", expected="a row of column names, then rows")
        return [name.strip() for name in names]

    @contextmanager
    def _lines(self) -> Iterator[TextIO]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield file
        except UnicodeDecodeError as error:
            raise InputError(
                "the table is not UTF-8 text", file=self.path, remedy="save it as CSV UTF-8"
            ) from error
        except csv.Error as error:
            raise self.error(f"the table cannot be read ({error})") from error
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> InputError:
        return InputError(
            f"the table cannot be opened ({error.strerror})",
            file=self.path,
            remedy="check its path and its permissions",
        )

    @cached_property
    def _frame(self) -> pl.DataFrame:
        import fastexcel
        import polars as pl

        sheet = self.path.suffix.lower() in SHEETS
        try:
            return pl.read_excel(self.path) if sheet else pl.read_parquet(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        except (pl.exceptions.PolarsError, fastexcel.FastExcelError) as error:
            first = str(error).partition("\n")[0]
            raise self.error(f"the table cannot be read ({first})") from error


def _delimiter(file: TextIO) -> str:
    """The commonest of tab, semicolon and comma in the header; the file is left at its start."""
    header = file.readline()
    file.seek(0)
    return max(",;\t", key=header.count)


def _plain(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # spreadsheets keep whole numbers as floats
    text = "" if cell is None else str(cell).strip()
    return "" if text.lower() in MISSING else text
