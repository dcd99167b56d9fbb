"""How classes are spread: over each other, over sources, and over whatever else is known.

A class that comes from one source only can be told by the source: scanner, marker, size or
compression (Zech et al. 2018; DeGrave et al. 2021). The picture need not be looked at.
"""

from __future__ import annotations

import math

import polars as pl

from hounsfield.audit.labels import classes
from hounsfield.audit.results import AuditSettings, Table
from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import Catalog

OF_CASES = ("source", "view", "sex")
OF_IMAGES = ("format", "modality", "manufacturer", "model", "size")
MOST_VALUES = 12  # a column with more is no handful of groups
FEWEST = 30  # with fewer cases an association is chance


def tables(catalog: Catalog) -> tuple[Table, ...]:
    """The counts of each annotated class, then those against every column that varies."""
    facts = _facts(catalog)
    found = []
    for name, rows in classes(catalog).group_by("name", maintain_order=True):
        told = rows.join(facts, on="case", how="left", maintain_order="left")
        plain = told.group_by("labels", maintain_order=True).len().sort("labels")
        counts = {label: {"cases": count} for label, count in plain.iter_rows()}
        found.append(Table(name=str(name[0]), column="label", counts=counts))
        for column in (*OF_CASES, *OF_IMAGES):
            if column in told.columns and 2 <= told[column].drop_nulls().n_unique() <= MOST_VALUES:
                found.append(_crossed(str(name[0]), column, told))
    return tuple(found)


def _facts(catalog: Catalog) -> pl.DataFrame:
    """One row a case: its own columns and those of its first image."""
    size = pl.format("{}×{}", "width", "height").alias("size")
    images = catalog.images.with_columns(size).select("image", *OF_IMAGES)
    first = pl.col("inputs").list.first().struct.field("image").alias("image")
    columns = [column for column in OF_CASES if column in catalog.cases.columns]
    cases = catalog.cases.select("case", first, *columns)
    return cases.join(images, on="image", how="left", maintain_order="left")


def _crossed(name: str, column: str, told: pl.DataFrame) -> Table:
    rows = told.drop_nulls(column).group_by("labels", column).len().sort("labels", column)
    values = rows[column].unique().sort().to_list()
    counts: dict[str, dict[str, int]] = {}
    for label, value, count in rows.iter_rows():
        counts.setdefault(label, dict.fromkeys(values, 0))[value] = count
    return Table(name=name, column=column, counts=counts, cramers_v=cramers_v(counts))


def cramers_v(counts: dict[str, dict[str, int]]) -> float | None:
    """How far one property tells the other, 0 to 1, corrected for chance (Bergsma 2013)."""
    rows = [list(row.values()) for row in counts.values()]
    sums, columns = [sum(row) for row in rows], [sum(column) for column in zip(*rows, strict=True)]
    r, k, n = len(sums), len(columns), sum(sums)
    if min(r, k) < 2 or n < 2:
        return None
    squares = sum(
        (cell - sums[i] * columns[j] / n) ** 2 / (sums[i] * columns[j] / n)
        for i, row in enumerate(rows)
        for j, cell in enumerate(row)
    )
    phi = max(squares / n - (k - 1) * (r - 1) / (n - 1), 0.0)
    wide, high = k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)
    return min(math.sqrt(phi / max(min(wide - 1, high - 1), 1e-12)), 1.0)


def findings(found: tuple[Table, ...], settings: AuditSettings) -> tuple[Finding, ...]:
    """What the tables say that a user must know before training."""
    said: list[Finding] = []
    for table in found:
        if table.column == "label":
            said += _classes(table, settings)
        else:
            said += _shortcut(table, settings)
    return tuple(said)


def _classes(table: Table, settings: AuditSettings) -> list[Finding]:
    counts = {label: row["cases"] for label, row in table.counts.items()}
    if len(counts) < 2:
        return [
            Finding(
                kind="one-class",
                severity="warning",
                text=f"{table.name}: all {sum(counts.values()):,} cases are {next(iter(counts))!r}",
                remedy="there is nothing to tell apart: add cases of another class",
            )
        ]
    most = max(counts, key=counts.__getitem__)
    least = min(reversed(counts), key=counts.__getitem__)  # another one where all are equal
    ratio = counts[most] / counts[least]
    return [
        Finding(
            kind="class-imbalance",
            severity="warning" if ratio >= settings.imbalance else "info",
            text=f"{table.name}: {counts[most]:,} × {most}, {counts[least]:,} × {least} "
            f"({ratio:.1f} to 1)",
            remedy="judge by AUROC, AUPRC and balanced accuracy, not by accuracy"
            if ratio >= settings.imbalance
            else "",
        )
    ]


def _shortcut(table: Table, settings: AuditSettings) -> list[Finding]:
    strength = table.cramers_v or 0.0
    n = sum(sum(row.values()) for row in table.counts.values())
    single = {
        label: next(value for value, count in row.items() if count)
        for label, row in table.counts.items()
        if sum(count > 0 for count in row.values()) == 1
    }
    alone = [f"{label} from {value} only" for label, value in single.items()]
    if n < FEWEST or (strength < settings.association and not (alone and table.column == "source")):
        return []
    how = f"{table.column} and {table.name} go together (Cramér's V {strength:.2f})"
    return [
        Finding(
            kind="shortcut",
            severity="warning",
            text=f"{how}{': ' + ', '.join(alone) if alone else ''}: a network can learn the "
            f"{table.column} instead of the finding",
            remedy=f"have every class from every {table.column}, or test on data where the two "
            "do not go together",
        )
    ]
