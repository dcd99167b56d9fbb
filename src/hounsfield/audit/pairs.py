"""Near duplicates among a catalog's cases; the same pictures are searched only once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl

from hounsfield.audit.exact import images_of_cases
from hounsfield.audit.prints import Prints, Progress
from hounsfield.audit.results import AuditSettings, Pair
from hounsfield.catalog.tables import Catalog, write_whole

VERSION = 1  # raise it when other pairs would be found
MATCH: dict[str, pl.DataType | type[pl.DataType]] = {
    "first": pl.Int64,
    "second": pl.Int64,
    "pose": pl.List(pl.Float64),
    "correlation": pl.Float64,
    "agreement": pl.Float64,
}


def near_pairs(
    catalog: Catalog,
    kept: Prints,
    large: pl.DataFrame,
    settings: AuditSettings,
    progress: Progress | None,
) -> list[Pair]:
    """The confirmed pairs among the `large` images, as cases.

    One image, and one case, stands for all that have the same pixels.
    """
    told = kept.table.filter(~pl.col("blank") & pl.col("has_small"))
    told = told.join(large.select("image"), on="image", how="semi", maintain_order="left")
    first = images_of_cases(catalog).unique("image", keep="first", maintain_order=True)
    told = told.join(first, on="image", how="inner", maintain_order="left")
    told = told.unique("pixels", keep="first", maintain_order=True)
    if told.height < 2:
        return []
    cases = told["case"].to_list()
    pairs = []
    for row in _matches(told, kept, settings, progress).iter_rows(named=True):
        one, other = cases[row["first"]], cases[row["second"]]
        scale_x, scale_y, shift_x, shift_y = (round(value, 4) for value in row["pose"])
        if one != other:  # two views in one case
            pairs.append(
                Pair(
                    first=one,
                    second=other,
                    correlation=round(row["correlation"], 4),
                    agreement=round(row["agreement"], 4),
                    scale=(scale_x, scale_y),
                    shift=(shift_x, shift_y),
                )
            )
    return pairs


def _matches(
    told: pl.DataFrame, kept: Prints, settings: AuditSettings, progress: Progress | None
) -> pl.DataFrame:
    """What `near.find` says of these pictures, from the cache where it has said it before."""
    path = _remembered(told, kept.cache, settings)
    try:
        return pl.read_parquet(path).select(*MATCH)
    except (pl.exceptions.PolarsError, OSError):
        pass  # not there yet, or damaged: it is made anew
    from hounsfield.audit.near import find

    small = kept.smalls(told["key"].to_list())
    workers = settings.workers or os.cpu_count() or 1
    found = find(small, settings.correlation, workers, progress)
    rows = [(m.first, m.second, list(m.pose), m.correlation, m.agreement) for m in found]
    table = pl.DataFrame(rows, schema=MATCH, orient="row")
    write_whole(table, path)
    return table


def _remembered(told: pl.DataFrame, cache: Path, settings: AuditSettings) -> Path:
    """The file for exactly these pictures, in this order, with this threshold."""
    asked = "\n".join([str(settings.correlation), *told["pixels"].to_list()])
    digest = hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
    return cache / f"near-{VERSION}-{digest}.parquet"
