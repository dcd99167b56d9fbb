"""A case of a catalog as one image: its contrasts on C, once their grids agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.errors import InputError, UsageError

if TYPE_CHECKING:
    from hounsfield.catalog import Catalog
    from hounsfield.image import Image


def read_case(catalog: Catalog, case: str) -> Image:
    """The images of a case, read and stacked on C in the catalog's order.

    Each channel has the name that the case's inputs give it (`FLAIR`, `T1`, …); a case of one
    image comes as it is.

    Raises:
        UsageError: no such case.
        InputError: the case lacks a channel that the others of its source have.
        GeometryError: an image does not lie on the first one's grid; it says which and how.
        FormatError: a file is gone or damaged.
    """
    from hounsfield import formats
    from hounsfield.preprocessing.grids import stack

    inputs = _inputs(catalog, case)
    sources = catalog.sources(list(inputs.values()))
    if len(sources) == 1:
        return formats.read(sources[0])
    return stack({name: formats.read(source) for name, source in zip(inputs, sources, strict=True)})


def _inputs(catalog: Catalog, case: str) -> dict[str, str]:
    """Channel -> image of a case."""
    import polars as pl

    cases = catalog.cases.select("case", "source", "inputs")
    rows = cases.filter(pl.col("case") == case)
    if rows.is_empty():
        raise UsageError(f"no case {case!r}", remedy="catalog.cases lists them all")
    _, source, pairs = rows.row(0)
    inputs = {one["channel"]: one["image"] for one in pairs}
    if len(inputs) < len(pairs):
        raise InputError(
            f"case {case} has several images under one name",
            expected=f"one image a channel; channels: {', '.join(inputs)}",
            remedy="read the images one by one: catalog.sources gives their files",
        )
    others = cases.filter(pl.col("source") == source)["inputs"].explode().struct.field("channel")
    missing = sorted(set(others.to_list()) - inputs.keys())
    if missing:
        raise InputError(
            f"case {case} lacks {', '.join(missing)}, which other cases of {source} have",
            expected=", ".join(others.unique(maintain_order=True).to_list()),
            remedy="rejected.csv in the catalog's folder says why a file was set aside",
        )
    return inputs
