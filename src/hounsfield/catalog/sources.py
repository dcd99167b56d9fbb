"""The sources of merged data: how classes lie over them, and splits that leave one out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from hounsfield.catalog.findings import counted
from hounsfield.catalog.split import Split, SplitSettings, split
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, UsageError, did_you_mean

PATIENTS = {
    "given": "given by the data set",
    "mapped": "mapped by a published table",
    "guessed": "guessed from file names",
    "unknown": "unknown, so that only verified duplicates hold pictures of one person together",
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """Labelled cases of several sources, in the catalog's order.

    counts: class -> source -> cases. possible: the sources that can be left out. impossible:
    the others, with the reason. groups: cases that stay together besides each patient's.
    """

    labels: tuple[str, ...]
    sources: tuple[str, ...]
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    possible: tuple[str, ...]
    impossible: dict[str, str]
    groups: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def mixed(self, catalog: Catalog, settings: SplitSettings) -> Split:
        """All sources in every part, by patient and by duplicates."""
        labels = pl.Series("label", self.labels, dtype=pl.String)
        return split(catalog, labels, settings, self.groups)

    def without(self, catalog: Catalog, source: str, settings: SplitSettings) -> Split:
        """The source as the test part; the others train and choose, less what it shares.

        Patients and duplicates of the source's cases leave the other parts.
        """
        cases, patients = catalog.cases["case"].to_list(), catalog.cases["patient"].to_list()
        mine = [case for case, own in zip(cases, self.sources, strict=True) if own == source]
        whose = {p for p, own in zip(patients, self.sources, strict=True) if own == source}
        taken = set(mine)
        shared = {case for group in self.groups if taken.intersection(group) for case in group}
        rest = [
            row
            for row, case in enumerate(cases)
            if case not in taken | shared and patients[row] not in whose
        ]
        whole = settings.train + settings.val
        shares = {"train": settings.train / whole, "val": settings.val / whole, "test": 0.0}
        dealt = split(
            catalog.select([cases[row] for row in rest]),
            pl.Series("label", [self.labels[row] for row in rest], dtype=pl.String),
            settings.model_copy(update=shares),
            self.groups,
        )
        tests = catalog.cases.filter(pl.col("case").is_in(mine)).select(
            "case", "patient", part=pl.lit("test"), fold=pl.lit(None, pl.Int32)
        )
        return replace(dealt, table=pl.concat([dealt.table, tests]))


def cohort(
    catalog: Catalog,
    labels: Sequence[str],
    classes: Sequence[str],
    by: str,
    groups: Sequence[tuple[str, ...]] = (),
) -> Cohort:
    """The cases of a catalog by class and source, and which sources can be left out.

    Raises:
        UsageError: no such column. InputError: one source only.
    """
    sources = values(catalog, by)
    names = list(dict.fromkeys(sources))
    if len(names) < 2:
        raise InputError(
            f"all cases have one {by}, {names[0]!r}",
            file=catalog.folder,
            expected="cases of two sources or more",
            remedy="give the folders of several data sets, or another column with --by",
        )
    counts = {name: dict.fromkeys(names, 0) for name in classes}
    for label, source in zip(labels, sources, strict=True):
        counts[label][source] += 1
    lost = {source: _lost(counts, source) for source in names}
    return Cohort(
        labels=tuple(labels),
        sources=tuple(sources),
        classes=tuple(classes),
        counts=counts,
        possible=tuple(source for source in names if not lost[source]),
        impossible={
            source: f"without it there is no case of {', '.join(gone)} to train on"
            for source, gone in lost.items()
            if gone
        },
        groups=tuple(groups),
        notes=(*_known(catalog), *_crossing(catalog, sources, groups)),
    )


def values(catalog: Catalog, column: str) -> list[str]:
    """A column of the cases, or of the image that each begins with; "unknown" for null.

    Raises:
        UsageError: there is no such column.
    """
    if column in catalog.cases.columns:
        found = catalog.cases[column]
    elif column in catalog.images.columns:
        first = pl.col("inputs").list.first().struct.field("image").alias("image")
        joined = catalog.cases.select(first).join(
            catalog.images, on="image", how="left", maintain_order="left"
        )
        found = joined[column]
    else:
        known = dict.fromkeys([*catalog.cases.columns, *catalog.images.columns])
        raise UsageError(f"there is no column {column!r}", remedy=did_you_mean(column, known))
    return [str(one) for one in found.cast(pl.String).fill_null("unknown")]


def kept(catalog: Catalog, wanted: Mapping[str, str]) -> Catalog:
    """The cases whose columns have one of these comma-separated values, or none at all.

    Raises:
        UsageError: there is no such column. InputError: no case is left.
    """
    cases = set(catalog.cases["case"].to_list())
    for column, words in wanted.items():
        allowed = {word.strip() for word in words.split(",")} | {"unknown"}
        told = values(catalog, column)
        cases &= {
            case
            for case, value in zip(catalog.cases["case"], told, strict=True)
            if value in allowed
        }
        if not cases:
            seen = ", ".join(sorted(set(told))[:10])
            raise InputError(
                f"no case is left where {column} is {words}", expected=f"some of {seen}"
            )
    return catalog.select(list(cases))


def drawn(catalog: Catalog, labels: Sequence[str], by: str, each: int, seed: int) -> list[str]:
    """`each` cases of every class, drawn as evenly from its sources as they allow; 0: all."""
    cases = catalog.cases["case"].to_list()
    if not each:
        return cases
    cells: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (label, source) in enumerate(zip(labels, values(catalog, by), strict=True)):
        cells[label][source].append(row)
    rng = np.random.default_rng([seed, 5])
    chosen: list[int] = []
    for label in sorted(cells):
        left = each
        smallest_first = sorted(cells[label].items(), key=lambda cell: (len(cell[1]), cell[0]))
        for number, (_, rows) in enumerate(smallest_first):
            share = min(len(rows), -(-left // (len(smallest_first) - number)))
            chosen += rng.permutation(rows)[:share].tolist()
            left -= share
    return [cases[row] for row in sorted(chosen)]


def _lost(counts: Mapping[str, Mapping[str, int]], source: str) -> list[str]:
    """The classes that only this source has."""
    return [
        name
        for name, held in counts.items()
        if held[source] and not any(n for other, n in held.items() if other != source)
    ]


def _known(catalog: Catalog) -> list[str]:
    """How patients are known, source by source: what the split could keep apart."""
    table = catalog.cases.group_by("source", "patient_known", maintain_order=True).len()
    return [
        f"{source}: the patients of {counted(count, 'case')} are {PATIENTS[known]}."
        for source, known, count in table.rows()
    ]


def _crossing(
    catalog: Catalog, sources: Sequence[str], groups: Sequence[tuple[str, ...]]
) -> list[str]:
    """Pictures that several sources hold."""
    whose = dict(zip(catalog.cases["case"], sources, strict=True))
    over = [group for group in groups if len({whose[case] for case in group}) > 1]
    if not over:
        return []
    between = sorted({source for group in over for source in {whose[case] for case in group}})
    return [
        f"{counted(len(over), 'picture')} {'stands' if len(over) == 1 else 'stand'} in several "
        f"sources ({', '.join(between)}): where one of them is unseen, its copies do not train."
    ]
