"""Columns of a data set's table as numbers that join the image's features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.findings import Finding, counted
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.preprocessing.columns import MOST_TEXT, Column, fitted, numbers, strange, words
from hounsfield.preprocessing.telling import telling

OWN = {  # columns of a case that are no fact about it
    "case": "names the case",
    "patient": "names the person",
    "patient_known": "says how the patient is known",
    "inputs": "names the images",
    "source": "says where a case comes from, which no one asks of a new one",
    "part": "says who trains and who tests",
}
FARTHEST = 10.0  # standard deviations: 9999 for "not known" must not drown the image
NAMED = 3  # cases, in an error


class TableSpec(BaseModel):
    """The columns that join the image, as the training part showed them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, cases: pl.DataFrame, names: Sequence[str]) -> TableSpec:
        """What these columns hold in the training part.

        Raises:
            UsageError: there is no such column, one comes twice or identifies people.
            InputError: a column is empty, the same everywhere, or tells single cases apart.
        """
        known = [name for name in cases.columns if name not in OWN]
        for name in names:
            if name in OWN:
                raise UsageError(
                    f"the column {name!r} {OWN[name]}: nothing may be learned from it",
                    expected=f"of {', '.join(known)}",
                )
            if name not in known:
                raise UsageError(
                    f"the cases have no column {name!r}", remedy=did_you_mean(name, known)
                )
        if len(set(names)) < len(names):
            raise UsageError(f"a column comes twice: {', '.join(names)}", remedy="name each once")
        return cls(columns=tuple(fitted(cases[name]) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def numbers(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind == "number")

    @property
    def categories(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind == "category")

    @property
    def flags(self) -> tuple[Column, ...]:
        """The numbers that were missing for some training case, so that a flag could be learned."""
        return tuple(column for column in self.numbers if column.missing)

    def encode(self, cases: pl.DataFrame) -> NDArray[np.float32]:
        """A row a case: standardised numbers, flags of the missing ones, categories' codes.

        A missing number is 0 after standardising (the training part's mean), and its flag is 1
        where the training part missed some too. A category's code is its place among the levels
        from 1; a missing one comes after the last level, where the training part missed some
        too; 0 is an unseen one.

        Raises:
            InputError: a column is not there.
        """
        self._there(cases)
        values = {column.name: _standardised(cases[column.name], column) for column in self.numbers}
        flags = [np.isnan(values[column.name]) for column in self.flags]
        codes = [_codes(cases[column.name], column) for column in self.categories]
        parts = [*(np.nan_to_num(value) for value in values.values()), *flags, *codes]
        return np.stack([np.asarray(part, np.float32) for part in parts], axis=1)

    def one_hot(self, encoded: NDArray[np.float32]) -> NDArray[np.float64]:
        """Encoded rows with a column of 0 and 1 for each level, for models without embeddings."""
        plain = len(self.numbers) + len(self.flags)
        parts = [encoded[:, :plain]]
        for i, column in enumerate(self.categories):
            sizes = np.arange(1, len(column.levels) + column.missing + 1)
            parts.append((encoded[:, plain + i, None] == sizes).astype(np.float32))
        return np.concatenate(parts, axis=1).astype(np.float64)

    def check(self, cases: pl.DataFrame) -> None:
        """Refuse other cases whose table is not like the training part's.

        Raises:
            InputError: a column is not there, is empty though no training case missed it, or
                holds text where numbers were. No value is told: it may identify a person.
        """
        self._there(cases)
        for column in self.columns:
            texts = words(cases[column.name])
            if not any(texts) and not column.missing and texts:
                one = len(texts) == 1
                who = "the case does not have" if one else f"none of the {len(texts):,} cases has"
                raise InputError(
                    f"{who} {column.name!r}, which the model needs beside the image",
                    expected=f"a table with {', '.join(self.names)}",
                    remedy="a CSV beside the images with the columns path, "
                    f"{', '.join(self.names)} (`hounsfield layouts table`)",
                )
            odd = strange(cases[column.name]) if column.kind == "number" else []
            if len(odd) > MOST_TEXT * sum(map(bool, texts)):
                shown = ", ".join(cases["case"][row] for row in odd[:NAMED])
                more = ", …" if len(odd) > NAMED else ""
                raise InputError(
                    f"{column.name!r} holds text in {len(odd)} of {counted(len(texts), 'case')}, "
                    f"where the training part has numbers ({shown}{more})",
                    expected="numbers like 61.5, or nothing where it is not known",
                    remedy="put those rows right, then index again",
                )

    def unlike(self, cases: pl.DataFrame) -> list[str]:
        """For each case, how its table differs from the training part's; empty if it does not."""
        self._there(cases)
        columns = [_unlike(cases[column.name], column) for column in self.columns]
        return ["; ".join(filter(None, row)) for row in zip(*columns, strict=True)]

    def findings(
        self, cases: pl.DataFrame, labels: Sequence[str] | None = None
    ) -> tuple[Finding, ...]:
        """What is worth knowing of the columns in the training part; `labels` are its cases'."""
        found: list[Finding] = []
        for column in self.columns:
            values = cases[column.name]
            found += _noticed(column, values)
            if labels is not None and telling(column, values, labels):
                found.append(_leak(column, len(labels)))
        return tuple(found)

    def _there(self, cases: pl.DataFrame) -> None:
        absent = [name for name in self.names if name not in cases.columns]
        if absent:
            raise InputError(
                f"the table has no column {absent[0]!r}",
                expected=f"{', '.join(self.names)}, as in the training data",
                remedy="index data that have these columns, under the same names",
            )


def _standardised(values: pl.Series, column: Column) -> NDArray[np.float64]:
    """(N,) in standard deviations from the training part's mean; NaN where one is missing."""
    found = (numbers(values) - column.mean) / column.std
    return np.clip(found, -FARTHEST, FARTHEST)


def _codes(values: pl.Series, column: Column) -> NDArray[np.int64]:
    rank = {level: i for i, level in enumerate(column.levels, start=1)}
    if column.missing:
        rank[""] = len(column.levels) + 1
    return np.array([rank.get(text, 0) for text in words(values)], np.int64)


def _unlike(values: pl.Series, column: Column) -> list[str]:
    """No value is told: it may be of one person alone."""
    texts = words(values)
    if column.kind == "category":
        known = {*column.levels, ""}
        told = ["" if text in known else f"{column.name} of an unseen category" for text in texts]
    else:
        beyond = (column.low, column.high)
        told = [
            f"{column.name} {'below' if x < beyond[0] else 'above'} the training data's"
            if not np.isnan(x) and not beyond[0] <= x <= beyond[1]
            else ""
            for x in numbers(values)
        ]
        for row in strange(values):
            told[row] = f"{column.name} is no number"
    if column.missing:
        return told
    return [
        one if text else f"{column.name} missing" for one, text in zip(told, texts, strict=True)
    ]


def _noticed(column: Column, values: pl.Series) -> list[Finding]:
    """Values that count as missing, and what a column may be instead of a fact."""
    name, total = column.name, len(values)
    odd = strange(values) if column.kind == "number" else []
    found = []
    if odd:
        text = f"{counted(len(odd), 'value')} of {name} of {total:,} training cases are texts"
        text += " and count as missing"
        found.append(Finding(kind="table-text", severity="warning", text=text))
    if column.missing:
        gone = total - sum(map(bool, words(values)))
        text = f"{name} is missing for {gone:,} of {total:,} training cases; the network is told so"
        found.append(Finding(kind="table-missing", severity="info", text=text))
    if column.kind == "number" and _numbered(values):
        text = f"each training case has another whole number as its {name}: is it a number of "
        text += "a file or a person?"
        remedy = f"if so, leave {name} out of --table"
        found.append(Finding(kind="table-number", severity="warning", text=text, remedy=remedy))
    return found


def _numbered(values: pl.Series) -> bool:
    found = numbers(values)
    whole = not np.isnan(found).any() and bool((found == np.round(found)).all())
    return whole and len(found) > 20 and len(set(found.tolist())) == len(found)


def _leak(column: Column, total: int) -> Finding:
    return Finding(
        kind="table-leak",
        severity="warning",
        text=f"{column.name} alone tells the label of the {total:,} training cases: it may have "
        "been made from the label, or be known only after the diagnosis",
        remedy=f"if a new case would not have it, leave {column.name} out of --table",
    )
