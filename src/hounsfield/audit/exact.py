"""Groups: what is linked to the same thing belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from hounsfield.catalog.tables import Catalog


def merged(links: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The finest groups in which all members of each link lie together (union-find).

    Groups and members come in the order of their first mention; groups of one are left out.
    """
    parent: dict[str, str] = {}

    def root(item: str) -> str:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for link in links:
        for item in link:
            parent.setdefault(item, item)
            parent[root(item)] = root(link[0])
    groups: dict[str, list[str]] = {}
    for item in parent:
        groups.setdefault(root(item), []).append(item)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def images_of_cases(catalog: Catalog) -> pl.DataFrame:
    """One row (case, image) for each input of each case, in the catalog's order."""
    inputs = pl.col("inputs").list.eval(pl.element().struct.field("image")).alias("image")
    return catalog.cases.select("case", inputs).explode("image").drop_nulls("image")


def exact_groups(catalog: Catalog, prints: pl.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Cases of which any image has the same pixels.

    `prints` has columns image, pixels (null where unread) and blank; a blank picture shows
    nothing, so it is nobody's copy.
    """
    told = prints.filter(~pl.col("blank") & pl.col("pixels").is_not_null())
    rows = images_of_cases(catalog).join(
        told.select("image", "pixels"), on="image", how="inner", maintain_order="left"
    )
    shared = rows.group_by("pixels", maintain_order=True).agg("case")
    return merged(in_order(catalog, map(set, shared["case"].to_list())))


def in_order(catalog: Catalog, groups: Iterable[Iterable[str]]) -> list[list[str]]:
    """The same groups, members and then groups in the catalog's order of cases."""
    rank = {case: row for row, case in enumerate(catalog.cases["case"].to_list())}
    sorted_groups = [sorted(group, key=rank.__getitem__) for group in groups]
    return sorted(sorted_groups, key=lambda group: rank[group[0]])
