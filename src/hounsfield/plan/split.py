"""The plan's `data` section carried out: the labelled cases, and their split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from pydantic import ValidationError

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.split import Split, SplitSettings
from hounsfield.catalog.split import split as deal
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import UsageError
from hounsfield.plan.asked import Asked, under, unfit
from hounsfield.plan.schema import DataPlan
from hounsfield.tasks import follows_from
from hounsfield.tasks import load as load_task
from hounsfield.tasks.contract import Settings, Task

MOST_LABELS = 10  # that are named


def labelled(catalog: Catalog, asked: Asked) -> tuple[Task[Any, Any], Settings, Catalog]:
    """The task, its settings, and the catalog of the cases that are annotated for it."""
    task = load_task(str(asked.get("task.name") or follows_from(catalog)))
    target = str(asked.get("task.target", ""))
    try:
        settings = task.settings(catalog, target, under(asked, "task.settings."))
    except ValidationError as error:
        raise unfit(error, task.Settings, "task.settings", task.NAME) from error
    truths = task.truths(catalog, settings)
    cases = catalog.cases["case"].to_list()
    told = [case for case, truth in zip(cases, truths, strict=True) if truth is not None]
    return task, settings, catalog.select(told) if len(told) < len(cases) else catalog


def unlabelled(catalog: Catalog, usable: Catalog) -> tuple[Finding, ...]:
    """What is said of the cases that the task cannot use: how many, whence, and their labels."""
    out = catalog.cases.filter(~pl.col("case").is_in(usable.cases["case"].to_list()))
    if out.is_empty():
        return ()
    sources = ", ".join(
        f"{count:,} of {source}" for source, count in out["source"].value_counts(sort=True).rows()
    )
    notes = catalog.annotations.filter(pl.col("case").is_in(out["case"].to_list()))
    labels = notes.select(pl.coalesce("label", "name")).to_series().drop_nulls().unique().sort()
    told = ", ".join(labels.head(MOST_LABELS)) + (", …" if len(labels) > MOST_LABELS else "")
    text = f"{out.height:,} of {catalog.cases.height:,} cases have no label that is learned "
    text += f"and are left out ({sources})" + (f"; their labels: {told}" if told else "")
    remedy = "--task.target chooses what is learned; a label map gives labels other names"
    return (Finding(kind="unlabelled", severity="warning", text=text, remedy=remedy),)


def split_catalog(catalog: Catalog, asked: Asked) -> Split:
    """The split of a catalog's labelled cases."""
    task, settings, usable = labelled(catalog, asked)
    return split_labelled(usable, task.strata(usable, settings), asked)


def split_labelled(catalog: Catalog, strata: Sequence[str], asked: Asked) -> Split:
    """The split of cases whose strata are known."""
    try:
        plan = DataPlan.model_validate(under(asked, "data."))
        settings = SplitSettings(
            train=plan.train,
            val=plan.val,
            test=plan.test,
            folds=int(asked.get("training.folds", 1)),
            use_official=plan.official,
            group=plan.group,
            seed=plan.seed,
            min_per_class=plan.min_per_class,
        )
    except ValidationError as error:
        raise UsageError(f"the split cannot be made: {error.errors()[0]['msg']}") from error
    # A task whose cases are all of one kind (each has a mask) has nothing to stratify by.
    labels = pl.Series("label", strata, dtype=pl.String) if len(set(strata)) > 1 else None
    return deal(catalog, labels, settings)
