"""One column of a table: is it numbers or categories, and what does it hold?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hounsfield.catalog.findings import counted
from hounsfield.catalog.layouts.reading import UNKNOWN
from hounsfield.errors import InputError

MOST_TEXT = 0.05  # of the known values of a column of numbers may be text; they count as missing
MOST_LEVELS = 50  # categories; a column of more tells cases apart and not what they have
LARGEST = 1e30  # what no one measures
LEAVE_OUT = "leave it out of --table"
Floats = NDArray[np.float64]


class Column(BaseModel):
    """One column as the training part showed it.

    A number: mean, standard deviation and range. A category: its levels, sorted, and the share
    of the cases in each. missing: whether a value was missing there, so that the network could
    learn what that means.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "category"]
    missing: bool = False
    mean: float = 0.0
    std: float = 1.0
    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()


def numbers(values: pl.Series) -> Floats:
    """(N,) the values as numbers; NaN where one is missing, absurd or a text that is none."""
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        found = values.cast(pl.Float64).fill_null(math.nan).to_numpy().astype(np.float64)
    else:
        found = np.array([_number(one) for one in words(values)], np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(found) < LARGEST, found, np.nan)


def words(values: pl.Series) -> list[str]:
    """The values as categories are written; empty where one is missing."""
    if values.dtype == pl.Boolean:
        return ["" if one is None else "yes" if one else "no" for one in values.to_list()]
    if values.dtype.is_numeric():  # 1.0 of one table is 1 of another
        found = numbers(values)
        return ["" if np.isnan(one) else f"{one:.15g}" for one in found]
    texts = [(one or "").strip() for one in values.cast(pl.String).to_list()]
    return ["" if text.lower() in UNKNOWN else text for text in texts]


def strange(values: pl.Series) -> list[int]:
    """The rows of a column of numbers that hold a text which is none."""
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return []
    return [row for row, text in enumerate(words(values)) if text and np.isnan(_number(text))]


def fitted(values: pl.Series) -> Column:
    """What a column holds in the training part.

    A column of text is one of numbers where at least 95 % of its known values are numbers.

    Raises:
        InputError: it is empty, or the same everywhere, or it tells single cases apart.
    """
    texts = words(values)
    known = [text for text in texts if text]
    if not known:
        raise InputError(
            f"the column {values.name!r} is empty in the whole training part", remedy=LEAVE_OUT
        )
    if len(set(texts)) == 1:
        raise InputError(
            f"the column {values.name!r} is the same in all {counted(len(texts), 'case')} of the "
            "training part: it can add nothing",
            remedy=LEAVE_OUT,
        )
    text = not (values.dtype.is_numeric() or values.dtype == pl.Boolean)
    is_number = len(strange(values)) <= MOST_TEXT * len(known)
    return _numeric(values) if is_number or not text else _category(values.name, texts)


def _numeric(values: pl.Series) -> Column:
    found = numbers(values)
    known = found[~np.isnan(found)]
    return Column(
        name=values.name,
        kind="number",
        missing=len(known) < len(found),
        mean=float(known.mean()),
        std=float(known.std()) or 1.0,
        low=float(known.min()),
        high=float(known.max()),
    )


def _category(name: str, texts: Sequence[str]) -> Column:
    counts = Counter(text for text in texts if text)
    total = sum(counts.values())
    each = len(counts) == total > 2
    if each or len(counts) > MOST_LEVELS:
        many = "another text for each case" if each else f"{len(counts)} different texts"
        raise InputError(
            f"the column {name!r} has {many} in the training part: it tells cases apart, not "
            "what they have",
            expected=f"numbers in 95 % of the rows, or at most {MOST_LEVELS} categories",
            remedy=f"{LEAVE_OUT}, or group its values",
        )
    levels = tuple(sorted(counts))
    shares = tuple(counts[level] / total for level in levels)
    missing = total < len(texts)
    return Column(name=name, kind="category", missing=missing, levels=levels, shares=shares)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
