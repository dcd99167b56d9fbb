"""Pictures that bear two different classes: at least one of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from hounsfield.audit.results import Conflict
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import Catalog


def classes(catalog: Catalog) -> pl.DataFrame:
    """One row (case, name, labels) for what each case is said to be; labels sorted, joined."""
    table = catalog.annotations.filter((pl.col("kind") == "class") & pl.col("label").is_not_null())
    return table.group_by("case", "name", maintain_order=True).agg(
        pl.col("label").unique().sort().str.join(" + ").alias("labels")
    )


def conflicts(catalog: Catalog, groups: Iterable[tuple[str, ...]]) -> tuple[Conflict, ...]:
    """Groups of one picture in which the same thing is said to be of different classes."""
    said: dict[str, dict[str, str]] = {}
    for case, name, labels in classes(catalog).iter_rows():
        said.setdefault(name, {})[case] = labels
    found = []
    for group in groups:
        for name, labels in said.items():
            told = [case for case in group if case in labels]
            if len({labels[case] for case in told}) > 1:
                found.append(
                    Conflict(name=name, cases=tuple(told), labels=tuple(labels[c] for c in told))
                )
    return tuple(found)


def findings(found: tuple[Conflict, ...]) -> tuple[Finding, ...]:
    """What the conflicts say to a user."""
    if not found:
        return ()
    first = found[0]
    pairs = ", ".join(f"{c} is {label}" for c, label in zip(first.cases, first.labels, strict=True))
    return (
        Finding(
            kind="label-conflict",
            severity="warning",
            text=f"{len(found):,} {'picture bears' if len(found) == 1 else 'pictures bear'} "
            f"different labels ({first.name}): e.g. {pairs}",
            remedy="correct the labels, or leave these cases out",
            groups=tuple(conflict.cases for conflict in found),
        ),
    )
