"""What the report says about the data: counts, and what is known of the people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.metrics.regression import TRUTH
from hounsfield.reports import numbers
from hounsfield.reports.view import View

PARTS = {
    "train": "Training",
    "val": "Validation",
    "folds": "Cross-validation",
    "test": "Test",
    "out": "Left out",
}
UNLABELLED = "no label"
KNOWN = {
    "given": "given by the files",
    "mapped": "from the data set's own list",
    "guessed": "guessed from file names",
    "unknown": "unknown",
}
MODALITIES = {
    "CR": "computed radiographs",
    "DX": "digital radiographs",
    "CT": "CT",
    "MR": "MRI",
    "US": "ultrasound",
    "MG": "mammograms",
    "PT": "PET",
    "NM": "scintigrams",
    "XA": "angiograms",
    "RF": "fluoroscopy",
    "OT": "images of another kind",
}


@dataclass(frozen=True)
class Row:
    """One part of the data: its patients, images and cases by class."""

    part: str
    patients: int | None  # None: not known
    images: int
    labels: Mapping[str, int]


def labelled(view: View) -> pl.DataFrame:
    """case, patient, part, label of all cases of the run; those in no part are "out"."""
    catalog, split = view.data, view.split.table
    labels = _quarters(view) if TRUTH in view.cases.columns else _labels(catalog, view)
    parts = split.select("case", _part(split))
    table = catalog.cases.select("case", "patient").join(
        parts, on="case", how="left", maintain_order="left"
    )
    table = table.join(labels, on="case", how="left", maintain_order="left")
    return table.with_columns(
        pl.col("part").fill_null("out"), pl.col("label").fill_null(_without(catalog, labels))
    )


def flow_table(view: View) -> pl.DataFrame:
    """part, label, patients, cases: by part in its order, then label by name."""
    table = labelled(view)
    order = {part: number for number, part in enumerate(PARTS)}
    return (
        table.group_by("part", "label")
        .agg(pl.col("patient").n_unique().alias("patients"), pl.len().alias("cases"))
        .sort(pl.col("part").replace_strict(order, default=99, return_dtype=pl.Int64), "label")
    )


def rows(view: View) -> list[Row]:
    """One row a part that has cases, and one of all."""
    table, found = labelled(view), []
    for part, name in PARTS.items():
        mine = table.filter(pl.col("part") == part)
        if mine.height:
            found.append(_row(name, mine, view.data))
    return [*found, _row("All", table, view.data)]


def label_names(view: View) -> list[str]:
    return sorted(labelled(view)["label"].unique().to_list())


def known(counts: Mapping[str, int]) -> str:
    """How the patients are known, in a sentence; plainly where they are not."""
    total = sum(counts.values())
    if not total or counts.get("unknown", 0) == total:
        return (
            "Per image, patients unknown: nothing says which images show the same person. The "
            "intervals count each image as a person, so they may be too narrow."
        )
    said = [
        f"{KNOWN.get(how, how)} ({number:,} of {total:,})" if number < total else KNOWN[how]
        for how, number in counts.items()
        if number
    ]
    sentence = f"Which images show the same patient is {numbers.listed(said)}."
    if counts.get("guessed"):
        sentence += " A guess may be wrong, and then the intervals are too narrow."
    return sentence


def people(catalog: Catalog) -> list[tuple[str, str]]:
    """What the catalog knows of patients and machines, as (name, words)."""
    cases, images = catalog.cases, catalog.images
    modalities = {MODALITIES.get(m, m): n for m, n in counted(images["modality"]).items()}
    found = [
        ("Kind of images", shares(modalities)),
        ("Sources", shares(counted(cases["source"]))),
        ("Sex", shares({_sex(sex): n for sex, n in counted(cases["sex"]).items()})),
        ("Age", _ages(cases["age"])),
        ("View", shares(counted(cases["view"]))),
        ("Scanners", shares(counted(images["manufacturer"]))),
        ("Image size", _sizes(images)),
    ]
    return [(name, words) for name, words in found if words] + [
        (name, "not known") for name, words in found if not words
    ]


def counted(column: pl.Series) -> dict[str, int]:
    """Values and how often, the most frequent first; null and empty are not counted."""
    kept = column.drop_nulls().filter(column.drop_nulls() != "")
    table = kept.value_counts(sort=True)
    pairs = zip(table[column.name].to_list(), table["count"].to_list(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def shares(counts: Mapping[str, int]) -> str:
    """ "CR 60 %, DX 40 %"; one value stands alone."""
    total = sum(counts.values())
    if len(counts) == 1:
        return next(iter(counts))
    return numbers.listed([f"{name} {numbers.percent(n, total)}" for name, n in counts.items()], 6)


def age_range(catalog: Catalog) -> tuple[float, float] | None:
    """The youngest and oldest, in years; None where no age is known."""
    ages = catalog.cases["age"].drop_nulls().drop_nans()
    return (float(ages.to_numpy().min()), float(ages.to_numpy().max())) if len(ages) else None


def _part(split: pl.DataFrame) -> pl.Expr:
    """With folds there is no single training part: those cases take turns."""
    if split["fold"].drop_nulls().len():
        return (
            pl.when(pl.col("part") == "train").then(pl.lit("folds")).otherwise("part").alias("part")
        )
    return pl.col("part")


def _quarters(view: View) -> pl.DataFrame:
    """case, label of a task of numbers: what its split is stratified by."""
    from hounsfield.tasks import load
    from hounsfield.training.study import task_settings

    strata = load(view.plan.task.name).strata(view.data, task_settings(view.plan))
    table = pl.DataFrame({"case": view.data.cases["case"], "label": strata})
    return table.filter(pl.col("label") != "")


def _labels(catalog: Catalog, view: View) -> pl.DataFrame:
    """case, label: the class; for boxes and masks, what is marked."""
    mine, target = catalog.annotations, view.plan.task.target
    classes = mine.filter(pl.col("kind") == "class")
    if target and (mine["name"] == target).any():
        mine = mine.filter(pl.col("name") == target)
    elif classes.height:  # as the plan has it: no target is the first one
        mine = classes.filter(pl.col("name") == classes["name"][0])
    if (mine["kind"] == "class").any():
        mine = mine.filter(pl.col("kind") == "class")
        grouped = pl.col("label").fill_null(UNLABELLED).unique().sort().str.join(" + ")
    elif mine.height and (mine["kind"] == "value").all():
        found = (pl.col("value") > 0).sum()  # several findings: how many a case has
        grouped = pl.when(found > 1).then(pl.lit("2 or more findings"))
        grouped = grouped.when(found == 1).then(pl.lit("1 finding")).otherwise(pl.lit("no finding"))
    else:
        grouped = ("with " + pl.col("label").fill_null(pl.col("name"))).first()
    return mine.group_by("case", maintain_order=True).agg(grouped.alias("label"))


def _without(catalog: Catalog, labels: pl.DataFrame) -> str:
    whole = labels["label"].to_list()
    return "without" if whole and all(str(one).startswith("with ") for one in whole) else UNLABELLED


def _row(name: str, table: pl.DataFrame, catalog: Catalog) -> Row:
    mine = catalog.cases.filter(pl.col("case").is_in(table["case"].to_list()))
    unknown = (mine["patient_known"].fill_null("unknown") == "unknown").all()
    patients = None if unknown else table["patient"].n_unique()
    labels = dict(sorted(counted(table["label"]).items()))
    return Row(name, patients, int(mine["inputs"].list.len().sum()), labels)


def _sex(code: str) -> str:
    return {"F": "women", "M": "men", "O": "other"}.get(code, code)


def _ages(ages: pl.Series) -> str:
    some = ages.drop_nulls().drop_nans()
    if not len(some):
        return ""
    missing = len(ages) - len(some)
    low, middle, high = np.quantile(some.to_numpy(), (0, 0.5, 1))
    words = f"{low:.0f} to {high:.0f} years, median {middle:.0f}"
    return words + (f" ({missing:,} not known)" if missing else "")


def _sizes(images: pl.DataFrame) -> str:
    if not images.height:
        return ""
    sizes = [f"{w} × {h}" for h, w in images.select("height", "width").iter_rows()]
    counts = counted(pl.Series("size", sizes))
    if len(counts) <= 2:
        return shares(counts)
    low = images.select(pl.min_horizontal("height", "width").min()).item()
    high = images.select(pl.max_horizontal("height", "width").max()).item()
    return f"{low} to {high} pixels a side"


def named(catalog: Catalog) -> bool:
    """Whether patients stand under their true numbers (an index with --keep-ids)."""
    patients = catalog.cases["patient"].drop_nulls()
    return bool((~patients.str.contains(r"^pt-[0-9a-f]{12}$")).any())
