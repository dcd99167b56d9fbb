"""The split that lies in a catalog (`hounsfield split`, `audit --on-leak`), used where it fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.split import PARTS, SPLIT_FILE, Split
from hounsfield.catalog.tables import Catalog
from hounsfield.plan.asked import Asked

TABLE = "cases.parquet"


def stored_split(catalog: Catalog, asked: Asked) -> tuple[Split | None, tuple[Finding, ...]]:
    """The catalog's own split of these cases, or why another must be made; nothing if none is.

    Cases that a split younger than the catalog's tables leaves out were taken out of it on
    purpose, and stay out.

    Raises:
        InputError: the file is damaged.
    """
    folder = catalog.folder
    if folder is None or not (folder / SPLIT_FILE).is_file():
        return None, ()
    split = Split.load(folder)
    mine = split.table.filter(pl.col("case").is_in(catalog.cases["case"].to_list()))
    split = replace(split, table=mine)
    out = catalog.cases.height - mine.height
    reason, remedy = _unfit(split, out, folder, asked)
    if reason:
        text = f"the catalog's own split is not used, another is made: {reason}"
        return None, (Finding(kind="split-unused", severity="warning", text=text, remedy=remedy),)
    counts = dict(mine["part"].value_counts().rows())
    told = ", ".join(f"{counts[part]:,} {part}" for part in PARTS if part in counts)
    text = f"the catalog's own split is used ({told})"
    text += f"; {out:,} labelled cases that it leaves out stay out" if out else ""
    return split, (Finding(kind="split-used", severity="info", text=text),)


def _unfit(split: Split, out: int, folder: Path, asked: Asked) -> tuple[str, str]:
    """Why a split does not serve, and what to do; empty where it does."""
    again = "`hounsfield split CATALOG` makes it again"
    own = [path for path in asked if path.startswith("data.") and path != "data.label_map"]
    folds = int(asked.get("training.folds", 1))
    if own:
        return f"{', '.join(own)} was asked for", f"leave it out to use the split, or {again}"
    if folds != split.folds:
        remedy = f"`--folds {split.folds}` uses it, or {again}"
        return f"it has {_folds(split.folds)}, the run {_folds(folds)}", remedy
    if not (split.cases("test") and split.fold(0)[0]):
        return "it has no labelled case to train on, or none to test on", again
    if out and (folder / SPLIT_FILE).stat().st_mtime_ns < (folder / TABLE).stat().st_mtime_ns:
        return f"{out:,} labelled cases are not in it, which were indexed after it was made", again
    return "", ""


def _folds(count: int) -> str:
    return f"{count} folds" if count > 1 else "no folds"
