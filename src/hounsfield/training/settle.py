"""What must be measured before the first step: pixel statistics and speed, then never again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.fingerprint import Choice
from hounsfield.catalog.split import Split
from hounsfield.catalog.tables import Catalog
from hounsfield.inference.unlike import Ranges
from hounsfield.plan.choose import amend
from hounsfield.plan.resolved import Resolved
from hounsfield.preprocessing.cache import Cache
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks import load as load_task
from hounsfield.training.compiling import Away, try_away
from hounsfield.training.data import CaseDataset
from hounsfield.training.probe import choices as by_speed
from hounsfield.training.probe import probe
from hounsfield.training.study import Progress, prepared, task_settings
from hounsfield.training.train import build
from hounsfield.training.trial import Trial, first_batch

MEASURED = ("training.precision", "training.memory_format")


@dataclass(frozen=True, eq=False)
class Settled:
    """The last plan, and the data that could be read."""

    resolved: Resolved
    catalog: Catalog
    split: Split
    ranges: Ranges
    table: TableSpec | None
    findings: tuple[Finding, ...]


def settle(
    resolved: Resolved, catalog: Catalog, split: Split, folder: Path, tell: Progress
) -> Settled:
    """Prepare all images once, then measure what the plan still leaves open."""
    cache, readable, findings = prepared(catalog, resolved.plan, folder, tell)
    kept = split.table.filter(pl.col("case").is_in(readable.cases["case"].to_list()))
    split = replace(split, table=kept)
    training, _ = split.fold(0)
    resolved = amend(resolved, statistics(cache, training))
    resolved = amend(resolved, _of_targets(resolved, readable, training))
    columns = resolved.plan.model.table
    table = TableSpec.fit(readable.select(training).cases, columns) if columns else None
    if table is not None:
        findings = (*findings, *_of_table(table, resolved, readable, training))
    if _speed_matters(resolved):
        tell("measuring speed", 0, None)
        resolved = amend(resolved, _speed(resolved, readable, (cache, training), table))
    ranges = Ranges.of(readable, cache, training)
    return Settled(resolved, readable, split, ranges, table, findings)


def _speed_matters(resolved: Resolved) -> bool:
    """Whether a way to compute is open, or a budget was asked for that bounds open epochs."""
    by = {path: choice.by for path, choice in resolved.choices.items()}
    bounded = by["training.budget"] == "user" and by["training.epochs"] != "user"
    return bounded or any(by[path] == "default" for path in MEASURED)


def _of_table(
    table: TableSpec, resolved: Resolved, catalog: Catalog, cases: list[str]
) -> tuple[Finding, ...]:
    """What is noticed of the table's columns in the training part."""
    task, settings = load_task(resolved.plan.task.name), task_settings(resolved.plan)
    part = catalog.select(cases)
    return table.findings(part.cases, task.strata(part, settings))


def _of_targets(resolved: Resolved, catalog: Catalog, cases: list[str]) -> Iterable[Choice]:
    """What the task measures on the targets of the training part."""
    task, settings = load_task(resolved.plan.task.name), task_settings(resolved.plan)
    return task.measured(catalog.select(cases), settings)


def statistics(cache: Cache, cases: Sequence[str]) -> Iterator[Choice]:
    """Mean and standard deviation of the training part alone."""
    moments = cache.moments(cases)
    why = f"of all {len(cases)} prepared training images, in [0, 1]"
    yield Choice("preprocessing.mean", tuple(map(float, moments.mean)), why, "measured")
    yield Choice("preprocessing.std", tuple(map(float, moments.std)), why, "measured")


def _speed(
    resolved: Resolved,
    catalog: Catalog,
    training: tuple[Cache, list[str]],
    table: TableSpec | None,
) -> Iterator[Choice]:
    plan, (cache, cases) = resolved.plan, training
    task, settings = load_task(plan.task.name), task_settings(plan)
    some = cases[: plan.training.batch]
    rows = table.encode(catalog.select(some).cases) if table else None
    dataset = CaseDataset(cache, some, task.targets(catalog, settings, cache, some), rows)
    trial = Trial.of(lambda: build(plan, task, settings, table), dataset, plan, task, settings)
    away = Away(plan, settings, first_batch(dataset, plan), table)
    trial = replace(trial, away=partial(try_away, away))
    known = [resolved.choices[path] for path in (*MEASURED, "training.compile")]
    fixed = {c.path.removeprefix("training."): c.value for c in known if c.by != "default"}
    speeds = probe(trial, plan.training, fixed, len(cases))
    for choice in by_speed(speeds, plan.training, len(cases)):
        if choice.path.removeprefix("training.") not in fixed:
            yield choice
