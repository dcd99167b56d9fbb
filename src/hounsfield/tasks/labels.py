"""Classes and findings as a catalog has them: their names, their order, and each case's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean
from hounsfield.metrics.contract import UNKNOWN

# What data sets call the absence of disease; such a class stands first.
ABSENT = ("normal", "healthy", "negative", "no ", "no_", "none", "control", "benign", "0")
FINDING = {-1.0, 0.0, 1.0}  # of a value: not known, absent, there


def rows(catalog: Catalog, classes: Sequence[str]) -> list[tuple[str, str, float, str]]:
    """case, class, 1 or 0 (else: not known) and kind of the annotations that this target has."""
    table = catalog.annotations.filter(pl.col("kind").is_in(["class", "value"]))
    told = table.filter(pl.col("label").is_in(classes) | pl.col("name").is_in(classes))
    label = pl.when(pl.col("kind") == "class").then("label").otherwise("name")
    value = pl.when(pl.col("kind") == "class").then(1.0).otherwise(pl.col("value"))
    known = value.fill_null(UNKNOWN).fill_nan(UNKNOWN)
    return told.select("case", label.alias("label"), known.alias("value"), "kind").rows()


def vectors(catalog: Catalog, classes: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """0/1 of each finding, by case; a list of classes names all that are there.

    Of several readers' values, one that sees the finding is enough.
    """
    rank = {name: i for i, name in enumerate(classes)}
    found: dict[str, NDArray[np.int64]] = {}
    for case, label, value, kind in rows(catalog, classes):
        mine = found.setdefault(case, np.full(len(rank), UNKNOWN, np.int64))
        if kind == "class":
            np.maximum(mine, 0, out=mine)
        if label in rank and value in (0, 1):
            mine[rank[label]] = max(mine[rank[label]], int(value))
    return {case: mine for case, mine in found.items() if (mine != UNKNOWN).any()}


def labelled(catalog: Catalog, target: str) -> tuple[str, ...]:
    """The classes of a target: its labels, or the names of 0/1 values."""
    classes = catalog.annotations.filter(pl.col("kind") == "class")
    targets = classes["name"].unique(maintain_order=True).to_list()
    if target and target not in targets:
        raise UsageError(f"nothing is labelled as {target!r}", remedy=did_you_mean(target, targets))
    if targets:
        names = classes.filter(pl.col("name") == (target or targets[0]))["label"].unique()
        return tuple(sorted(names.to_list(), key=_presence))
    values = catalog.annotations.filter(pl.col("kind") == "value")
    told = set(values["value"].drop_nulls().drop_nans().unique())
    if not told or not told <= FINDING:
        raise InputError(
            "no case has a class", file=catalog.folder, remedy="`hounsfield layouts` lists how"
        )
    if not told >= {0.0, 1.0}:
        raise InputError(
            f"no case is known to be without a finding: all {values.height} values are 1"
            if 1.0 in told
            else "no case is known to have a finding",
            file=catalog.folder,
            expected="0 where a finding is absent, 1 where it is there; empty or -1: not known",
            remedy="write the zeros into the table, then index again",
        )
    return tuple(values["name"].unique(maintain_order=True).to_list())


def _presence(name: str) -> tuple[bool, bool, float, str]:
    """The order of classes: absence of disease first, then numbers by size, then the alphabet."""
    number = name.replace(".", "", 1).isdigit()
    absent = name.lower().startswith(ABSENT) and not (number and float(name) > 0)
    return not absent, not number, float(name) if number else 0.0, name


def per_case(catalog: Catalog, target: str, names: tuple[str, ...]) -> bool:
    """Whether some case has several classes of one target."""
    classes = catalog.annotations.filter(pl.col("kind") == "class")
    if not classes.height:
        return True
    mine = classes.filter(pl.col("name") == (target or classes["name"][0]))
    return bool(mine.group_by("case").len()["len"].max() > 1)  # type: ignore[operator]
