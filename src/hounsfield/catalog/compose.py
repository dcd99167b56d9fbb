"""From what layouts and files say to the tables: identities become pseudonyms here.

What a layout says of a patient goes before what a file's header says. Patients given by a
header or by a table are one person in all sources of a catalog (two folders of one hospital
share them); those mapped or guessed are so within their layout only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hounsfield.catalog.enlist import COLUMN, LABELS, Listed
from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.layouts.reading import age_of
from hounsfield.catalog.pseudonym import Pseudonyms, looks_dated, looks_identifying
from hounsfield.catalog.tables import ANNOTATIONS, CASES, IMAGES, Catalog

ANONYMOUS = frozenset(
    ("anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "patient", "na", "n/a")
)
FACTS = ("modality", "sex", "age", "view", "body_part", "manufacturer", "model")
MANY = 20  # so many studies under one PatientID are no one person
LONG = 40  # characters: a longer text is prose
SEXES = {
    **dict.fromkeys(("f", "female", "w", "woman", "girl", "weiblich"), "F"),
    **dict.fromkeys(("m", "male", "man", "boy", "männlich"), "M"),
    **dict.fromkeys(("o", "other", "divers", "diverse"), "O"),
}


@dataclass(eq=False)
class Composed:
    """The catalog, what became of each row, and what was noticed."""

    catalog: Catalog
    ids: pl.DataFrame  # row, image
    masks: pl.DataFrame  # image, and where it lies
    findings: list[Finding]


def compose(listed: Listed, found: pl.DataFrame, names: Pseudonyms) -> Composed:
    """The tables of the images in `found` (what the files say, by row), in the listed order."""
    table = listed.entries.drop("reason").join(found, on="row", maintain_order="left")
    findings: list[Finding] = []
    table = _facts(table)
    table = _patients(_image_ids(table, names), names, findings)
    table = _case_ids(table, names, findings)
    annotations, masks = _annotations(listed.labels, table, names)
    images = table.with_columns(
        study=_mapped(table["file_study"], names, "st"),
        series=_mapped(table["file_series"], names, "se"),
    ).select(pl.col(name).cast(kind) for name, kind in IMAGES.items())
    own, dropped = _own_columns(table, listed.numeric, names.keep)
    if dropped:
        findings.append(
            Finding(
                kind="columns-dropped",
                severity="info",
                text=f"{counted(len(dropped), 'column')} of the data set's own table may identify "
                f"people and {'is' if len(dropped) == 1 else 'are'} left out",
                remedy="rename a column that is harmless, or pass --keep-ids",
            )
        )
    cases = _cases(table.with_columns(own) if own else table, [one.name for one in own])
    catalog = Catalog(images, cases, annotations)
    return Composed(catalog, table.select("row", "image"), masks, findings)


def _facts(table: pl.DataFrame) -> pl.DataFrame:
    """Sex, age, view and the like: the data set's own columns before the header's."""
    own = {
        name.removeprefix(COLUMN).lower().removeprefix("patient").strip(" _"): name
        for name in table.columns
        if name.startswith(COLUMN)
    }
    own = {"sex": own["gender"], **own} if "gender" in own else own
    table = table.with_columns(
        pl.col(own[name])
        .replace_strict(*_normal(name, table[own[name]]), return_dtype=IMAGES[name])
        .fill_null(pl.col(name))
        .alias(name)
        for name in FACTS
        if name in own
    )
    sexes = table["sex"].unique().drop_nulls().to_list()
    return table.with_columns(
        sex=pl.col("sex").replace_strict(sexes, [sex_of(one) for one in sexes], default=None),
        age=pl.when(pl.col("age").is_between(0, 120)).then("age"),
    ).drop(own[name] for name in ("gender", *FACTS) if name in own)


def _normal(name: str, values: pl.Series) -> tuple[list[str | None], list[object]]:
    seen = values.unique().to_list()
    if name == "age":
        return seen, [age_of(one) for one in seen]
    if name == "sex":
        return seen, [sex_of(one) for one in seen]
    return seen, [one or None for one in seen]


def sex_of(text: str | None) -> str | None:
    """F, M or O, from the words in use; None for others."""
    return SEXES.get(text.strip().lower()) if text else None


def _mapped(values: pl.Series, names: Pseudonyms, kind: str) -> pl.Series:
    """Each value's pseudonym; null and blank stay null."""
    seen = [one for one in values.unique().to_list() if one and one.strip()]
    new = seen if names.keep else [names.of(kind, one) for one in seen]
    return values.replace_strict(seen, new, default=None, return_dtype=pl.String)


def _image_ids(table: pl.DataFrame, names: Pseudonyms) -> pl.DataFrame:
    """An id for each image: plain names as they are; unique by `SOURCE:` before later ones."""
    people = zip(
        table["name"],
        pl.select(pl.when(table["trust"]).then(table["file_patient"])).to_series(),
        table["patient"],
        strict=True,
    )
    ids = [names.named("im", name, identities) for name, *identities in people]
    return _unique(table.with_columns(image=pl.Series(ids, dtype=pl.String)), "image")


def _unique(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """Ids that several sources (or, by a rare chance, several names) share are told apart."""
    first = pl.col("source") == pl.col("source").first().over(column)
    table = table.with_columns(
        pl.when(first).then(column).otherwise(pl.format("{}:{}", "source", column)).alias(column)
    )
    number = pl.int_range(pl.len()).over(column)
    return table.with_columns(
        pl.when(number > 0).then(pl.format("{}~{}", column, number)).otherwise(column).alias(column)
    )


def _patients(table: pl.DataFrame, names: Pseudonyms, findings: list[Finding]) -> pl.DataFrame:
    """Who each image is of, and how that is known."""
    told = pl.col("file_patient").str.strip_chars()
    blank = told.str.to_lowercase().is_in(list(ANONYMOUS)) | told.str.contains(r"^[0\W]*$")
    told = pl.when(pl.col("trust") & ~blank).then(told)
    table = table.with_columns(told=told)
    studies = pl.col("file_study").fill_null(pl.col("image")).filter(pl.col("told").is_not_null())
    one_name = (pl.col("told").drop_nulls().n_unique().over("source") == 1) & (
        studies.n_unique().over("source") >= MANY
    )
    table = table.with_columns(same=one_name & pl.col("patient").is_null())
    findings += _same_patient(table)
    table = table.with_columns(told=pl.when(~pl.col("same")).then("told"))
    scope = pl.when(pl.col("known") == "given").then(pl.lit("")).otherwise("layout")
    stated = pl.col("patient").is_not_null() & (pl.col("known") != "unknown")
    case = pl.coalesce("case", "image")
    who = table.select(
        known=pl.when(stated)
        .then("known")
        .when(pl.col("told").is_not_null())
        .then(pl.lit("given"))
        .otherwise(pl.lit("unknown")),
        scope=pl.when(stated)
        .then(scope)
        .when(pl.col("told").is_not_null())
        .then(pl.lit(""))
        .otherwise(pl.format("image of {}", "source")),
        name=pl.when(stated).then("patient").otherwise(pl.coalesce("told", case)),
    )
    keys = who.select("scope", "name").unique(maintain_order=True)
    new = [name if names.keep else names.of("pt", scope, name) for scope, name in keys.iter_rows()]
    who = who.join(
        keys.with_columns(patient=pl.Series(new, dtype=pl.String)),
        on=["scope", "name"],
        how="left",
        maintain_order="left",
    )
    findings += _unknown(who)
    return table.with_columns(patient=who["patient"], patient_known=who["known"])


def _same_patient(table: pl.DataFrame) -> list[Finding]:
    same = table.filter(pl.col("same") & pl.col("told").is_not_null())
    return [
        Finding(
            kind="one-patient-id",
            severity="warning",
            text=f"all {count} files of {source} have the same PatientID: it names no person, so "
            "their patients count as unknown",
            remedy="give the patients in a CSV (columns: path, patient, label)",
        )
        for source, count in same.group_by("source", maintain_order=True).len().iter_rows()
    ]


def _unknown(who: pl.DataFrame) -> list[Finding]:
    counts = dict(who.group_by("known", maintain_order=True).len().iter_rows())
    texts = {
        "unknown": (
            "the patients of {n} of {all} images are unknown: each counts as its own, and "
            "results are per image"
        ),
        "guessed": "the patients of {n} of {all} images are guessed from file names",
    }
    return [
        Finding(
            kind=f"patients-{known}",
            severity="info",
            text=text.format(n=counts[known], all=who.height),
            remedy="a CSV with a patient column makes them known",
        )
        for known, text in texts.items()
        if known in counts
    ]


def _case_ids(table: pl.DataFrame, names: Pseudonyms, findings: list[Finding]) -> pl.DataFrame:
    """An id for each case; images that name no case are one each."""
    named = table.filter(pl.col("case").is_not_null())
    keys = named.select("source", "case").unique(maintain_order=True)
    ids = [names.named("ca", case) for case in keys["case"]]
    keys = _unique(keys.with_columns(case_id=pl.Series(ids, dtype=pl.String)), "case_id")
    taken = pl.col("case_id").is_in(table.filter(pl.col("case").is_null())["image"].to_list())
    keys = keys.with_columns(
        case_id=pl.when(taken).then(pl.format("case:{}", "case_id")).otherwise("case_id")
    )
    table = table.join(keys, on=["source", "case"], how="left", maintain_order="left")
    table = table.with_columns(case=pl.coalesce("case_id", "image"))
    torn = (
        table.group_by("case", maintain_order=True)
        .agg(pl.col("patient").n_unique())
        .filter(pl.col("patient") > 1)
    )
    if torn.height:
        findings.append(
            Finding(
                kind="case-of-several-patients",
                severity="stop",
                text=f"{counted(torn.height, 'case')} with images of more than one patient",
                remedy="correct the case or the patient column of the data set's table",
                groups=tuple((case,) for case in torn["case"]),
            )
        )
    return table


def _own_columns(
    table: pl.DataFrame, numeric: frozenset[str], keep: bool
) -> tuple[list[pl.Series], list[str]]:
    """The data set's own columns that identify nobody (or all), as numbers where they all are."""
    kept, dropped = [], []
    for column in (name for name in table.columns if name.startswith(COLUMN)):
        name, values = column.removeprefix(COLUMN), table[column].drop_nulls()
        telling = looks_identifying(name) or (name not in numeric and _prose(values))
        if telling and not keep:
            dropped.append(name)
            continue
        final = table[column].cast(pl.Float64) if name in numeric else table[column]
        taken = name in CASES or name in table.columns
        kept.append(final.alias(f"{name}_given" if taken else name))
    return kept, dropped


def _prose(values: pl.Series) -> bool:
    """Free text, dates, or nearly as many values as rows: what a person can be told by."""
    seen = values.unique()
    many = seen.len() > max(50, values.len() // 20)
    long = (seen.str.len_chars() > LONG).any()
    return many or bool(long) or any(looks_dated(text) for text in seen.to_list())


def _cases(table: pl.DataFrame, own: list[str]) -> pl.DataFrame:
    """One row a case, of its images in their order; facts of the first image that has them."""
    first = ["patient", "patient_known", "source", "part", "sex", "age", "view", *own]
    cases = table.group_by("case", maintain_order=True).agg(
        pl.struct("channel", "image").alias("inputs"),
        *(pl.col(name).drop_nulls().first() for name in first),
    )
    return cases.select(*(pl.col(name).cast(kind) for name, kind in CASES.items()), *own)


def _annotations(
    labels: pl.DataFrame, table: pl.DataFrame, names: Pseudonyms
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The labels of the kept rows, and where their masks lie."""
    kept = labels.join(table.select("row", "case", "source"), on="row", maintain_order="left")
    kept = kept.filter(pl.col("mask_reason").is_null())
    where = [name for name in LABELS if name.startswith("mask_") and name != "mask_reason"]
    key = pl.concat_str(
        "mask_root",
        pl.col("mask_paths").list.join("/"),
        "mask_member",
        separator="\0",
        ignore_nulls=True,
    )
    key = pl.when(pl.col("mask_root").is_not_null()).then(key)
    kept = kept.with_columns(mask=key)
    seen = kept["mask"].unique(maintain_order=True).drop_nulls().to_list()
    kept = kept.with_columns(
        mask=pl.col("mask").replace_strict(
            seen, [names.of("mk", one) for one in seen], default=None, return_dtype=pl.String
        ),
        time=pl.lit(None, pl.Float64),
    )
    masks = kept.filter(pl.col("mask").is_not_null()).unique("mask", maintain_order=True)
    masks = masks.select(
        pl.col("mask").alias("image"),
        *(pl.col(one).alias(one.removeprefix("mask_")) for one in where),
    )
    annotations = kept.select(pl.col(name).cast(kind) for name, kind in ANNOTATIONS.items())
    return annotations.unique(maintain_order=True), masks


def map_labels(
    labels: pl.DataFrame, sources: pl.DataFrame, label_map: Mapping[str, str | None]
) -> tuple[pl.DataFrame, list[Finding]]:
    """Labels under their new names; `SOURCE/LABEL` goes before `LABEL`, an empty one drops it."""
    table = labels.join(sources.select("row", "source"), on="row", maintain_order="left")
    own = pl.format("{}/{}", "source", "label")
    keys = list(label_map)
    key = pl.when(own.is_in(keys)).then(own).when(pl.col("label").is_in(keys)).then("label")
    table = table.with_columns(key=key)
    new = pl.col("key").replace_strict(keys, list(label_map.values()), return_dtype=pl.String)
    hit = pl.col("key").is_not_null()
    table = table.with_columns(label=pl.when(hit).then(new).otherwise("label"))
    unused = sorted(set(keys) - set(table["key"].drop_nulls()))
    findings = [
        Finding(
            kind="label-map",
            severity="warning",
            text=f"{len(unused)} names of the label map are no label here: {', '.join(unused[:5])}",
            remedy="check them for typing errors",
        )
    ]
    kept = table.filter(~hit | pl.col("label").is_not_null())
    return kept.drop("key", "source"), findings if unused else []
