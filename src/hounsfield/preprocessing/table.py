"""Columns of a data set's table as numbers that join the image's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hounsfield.errors import InputError, UsageError, did_you_mean

OWN = ("case", "patient", "patient_known", "inputs", "source", "part")  # of a case; no facts


class Column(BaseModel):
    """One column: its mean and deviation in the training part, or its categories there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "category"]
    mean: float = 0.0
    std: float = 1.0
    levels: tuple[str, ...] = ()


class TableSpec(BaseModel):
    """The columns that join the image, as the training part showed them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, cases: pl.DataFrame, names: Sequence[str]) -> TableSpec:
        """What these columns hold in the training part.

        Raises:
            UsageError: there is no such column. InputError: a column says nothing.
        """
        known = [name for name in cases.columns if name not in OWN]
        for name in names:
            if name not in known:
                raise UsageError(
                    f"the cases have no column {name!r}", remedy=did_you_mean(name, known)
                )
        return cls(columns=tuple(_column(cases[name]) for name in names))

    @property
    def numbers(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind == "number")

    @property
    def categories(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind == "category")

    def encode(self, cases: pl.DataFrame) -> NDArray[np.float32]:
        """A row a case: standardised numbers, whether each is missing, then categories' codes.

        A missing number is 0 after standardising, its flag 1. A category's code is its place
        among the levels from 1; 0 is a missing or unseen one.
        """
        values = [_standardised(cases[column.name], column) for column in self.numbers]
        missing = [np.isnan(value) for value in values]
        codes = [_codes(cases[column.name], column) for column in self.categories]
        parts = [*(np.nan_to_num(value) for value in values), *missing, *codes]
        return np.stack([np.asarray(part, np.float32) for part in parts], axis=1)


def _column(values: pl.Series) -> Column:
    known = values.drop_nulls()
    if known.is_empty():
        raise InputError(
            f"the column {values.name!r} is empty in the whole training part",
            remedy="leave it out of --model.table",
        )
    if values.dtype.is_numeric():
        std = float(known.cast(pl.Float64).std() or 0.0)  # type: ignore[arg-type]
        mean = float(known.cast(pl.Float64).mean())  # type: ignore[arg-type]
        return Column(name=values.name, kind="number", mean=mean, std=std or 1.0)
    levels = tuple(sorted(known.cast(pl.String).unique().to_list()))
    return Column(name=values.name, kind="category", levels=levels)


def _standardised(values: pl.Series, column: Column) -> NDArray[np.float64]:
    numbers = values.cast(pl.Float64).to_numpy().astype(np.float64)
    return (numbers - column.mean) / column.std


def _codes(values: pl.Series, column: Column) -> NDArray[np.int64]:
    rank = {level: i for i, level in enumerate(column.levels, start=1)}
    return np.array([rank.get(value, 0) for value in values.cast(pl.String).to_list()], np.int64)
