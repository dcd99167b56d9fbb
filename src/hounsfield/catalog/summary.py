"""What a catalog holds, in counts that a user reads."""

from __future__ import annotations

import polars as pl

from hounsfield.catalog.split import PARTS, Split
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError, did_you_mean

NO_LABEL = "(no label)"


def counts(catalog: Catalog, rejected: int = 0) -> pl.DataFrame:
    """Columns what, value, images, patients: by modality, label, source, how patients are known.

    Labels count cases, boxes and masks with the cases that have one; `rejected` is a last row.
    """
    images = catalog.images
    parts = [
        _by(images, "modality", images["modality"].fill_null(images["format"])),
        _by(images, "source", images["source"]),
        _by(images, "patients", images["patient_known"]),
        _by(catalog.cases, "official part", catalog.cases["part"]),
    ]
    labelled = catalog.annotations.join(catalog.cases.select("case", "patient"), on="case")
    names = labelled.filter(pl.col("kind") == "class").group_by("name", maintain_order=True)
    parts[1:1] = [_by(rows, f"label {name[0]}", rows["label"]) for name, rows in names]
    marks = labelled.filter(pl.col("kind") != "class").unique(["case", "kind", "name"])
    marked = marks.select(pl.format("{} {}", "kind", "name")).to_series()
    parts.append(_by(marks, "marks", marked))
    unlabelled = catalog.cases.join(catalog.annotations, on="case", how="anti")
    parts.append(_by(unlabelled, "label", pl.Series([NO_LABEL] * unlabelled.height)))
    total = pl.DataFrame(
        {
            "what": ["all", "rejected"],
            "value": ["", ""],
            "images": [images.height, rejected],
            "patients": [images["patient"].n_unique(), None],
        }
    )
    return pl.concat([*parts, total], how="vertical_relaxed")


def _by(rows: pl.DataFrame, what: str, values: pl.Series) -> pl.DataFrame:
    """Rows and patients for each value; null is left out."""
    table = rows.select("patient", value=values.cast(pl.String)).drop_nulls("value")
    counted = table.group_by("value", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("images"),
        pl.col("patient").n_unique().cast(pl.Int64).alias("patients"),
    )
    return counted.select(pl.lit(what).alias("what"), "value", "images", "patients")


def labels_of(catalog: Catalog, name: str | None = None) -> pl.Series | None:
    """The class of each case under one name (the first that is there), null where it has none.

    None where the catalog has marks or values but no classes: then nothing is stratified by.

    Raises:
        InputError: no class annotation has this name.
    """
    classes = catalog.annotations.filter(pl.col("kind") == "class")
    names = classes["name"].unique(maintain_order=True).to_list()
    if name is not None and name not in names:
        raise InputError(
            f"no label is named {name!r}", file=catalog.folder, remedy=did_you_mean(name, names)
        )
    if not names and catalog.annotations.height:
        return None
    mine = classes.filter(pl.col("name") == (name or next(iter(names), "")))
    mine = mine.unique("case", maintain_order=True).select("case", "label")
    return catalog.cases.join(mine, on="case", how="left", maintain_order="left")["label"]


def parts(catalog: Catalog, made: Split, labels: pl.Series | None) -> pl.DataFrame:
    """Columns part, source, label, cases, patients; folds are named "fold 0", …."""
    table = made.table.join(
        catalog.cases.select("case", "source"), on="case", maintain_order="left"
    )
    table = table.with_columns(
        labels.alias("label").fill_null(NO_LABEL)
        if labels is not None
        else pl.lit("").alias("label"),
        part=pl.when(pl.col("fold").is_not_null())
        .then(pl.format("fold {}", "fold"))
        .otherwise("part"),
        order=pl.col("fold").fill_null(pl.col("part").replace_strict(PARTS, [-3, -2, 10_000])),
    )
    counted = table.group_by("part", "source", "label", "order").agg(
        pl.len().alias("cases"), pl.col("patient").n_unique().alias("patients")
    )
    return counted.sort("order", "source", "label").drop("order")
