"""A run's plan, data and task, opened: what training and prediction work on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hounsfield.catalog.findings import Finding
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.formats.contract import Source
from hounsfield.plan.asked import under
from hounsfield.plan.resolved import leaves
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.cache import Cache, Item
from hounsfield.run import Run
from hounsfield.tasks import load as load_task
from hounsfield.tasks.contract import Settings, Task
from hounsfield.training.data import CaseDataset

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Study:
    """The cache holds the prepared images of all the catalog's cases.

    Where no image is read (an evaluation, a report), there is none.
    """

    run: Run
    plan: Plan
    task: Task[Any, Any]
    settings: Settings
    catalog: Catalog
    _cache: Cache | None

    @classmethod
    def of(cls, run: Run, cache: Cache | None, catalog: Catalog | None = None) -> Study:
        """The run's study, on its own catalog or on another."""
        plan = run.resolved.plan
        task = load_task(plan.task.name)
        return cls(run, plan, task, task_settings(plan), catalog or run.catalog, cache)

    @property
    def cache(self) -> Cache:
        assert self._cache is not None
        return self._cache

    def dataset(self, cases: Sequence[str], *, targets: bool = False) -> CaseDataset:
        """These cases with their table's rows, and with their targets where they are learned."""
        store = (
            self.task.targets(self.catalog, self.settings, self.cache, cases) if targets else None
        )
        return CaseDataset(self.cache, cases, store, self.table(cases))

    def unlike_table(self, cases: Sequence[str]) -> list[str]:
        """For each case, how its table differs from the training part's; empty where alike."""
        spec = self.run.table
        return [""] * len(cases) if spec is None else spec.unlike(self._rows(cases))

    def table(self, cases: Sequence[str]) -> NDArray[np.float32] | None:
        """The rows of these cases as the network takes them; None where no table joins."""
        spec = self.run.table
        if spec is None:
            return None
        return spec.encode(self._rows(cases))

    def _rows(self, cases: Sequence[str]) -> pl.DataFrame:
        """The rows of these cases, in this order."""
        order = pl.DataFrame({"case": list(cases)}, schema={"case": pl.String})
        return order.join(self.catalog.cases, on="case", how="left", maintain_order="left")

    def truths(self, cases: Sequence[str]) -> list[Any]:
        """The truths of these cases, in this order."""
        every = self.task.truths(self.catalog, self.settings)
        known = dict(zip(self.catalog.cases["case"], every, strict=True))
        return [known[case] for case in cases]

    def strata(self, cases: Sequence[str]) -> list[str]:
        """The strata of these cases, in this order."""
        every = self.task.strata(self.catalog, self.settings)
        known = dict(zip(self.catalog.cases["case"], every, strict=True))
        return [known[case] for case in cases]


def task_settings(plan: Plan) -> Settings:
    """The task's own settings, typed."""
    settings: Settings = load_task(plan.task.name).Settings.model_validate(
        under(dict(leaves(plan.task)), "settings.")
    )
    return settings


def prepared(
    catalog: Catalog, plan: Plan, folder: Path, tell: Progress
) -> tuple[Cache, Catalog, tuple[Finding, ...]]:
    """The cache of a catalog's prepared images, and the catalog without what cannot be read.

    Raises:
        InputError: no image can be read.
    """
    masks = load_task(plan.task.name).masks(catalog, task_settings(plan))
    built = Cache.build(
        _items(catalog, masks),
        plan.preprocessing,
        folder,
        workers=plan.training.workers,
        progress=lambda done, of: tell("preparing", done, of),
    )
    if not built.failed:
        return built.cache, catalog, ()
    good = [case for case in catalog.cases["case"] if case not in built.failed]
    first = next(iter(built.failed.values()))
    if not good:
        raise InputError(
            f"none of the {len(built.failed)} images can be used; the first: {first}",
            file=catalog.folder,
            remedy="ask the plan for less, or copy the files again and index them again",
        )
    count = len(built.failed)
    verb = "images cannot be read and are" if count > 1 else "image cannot be read and is"
    finding = Finding(
        kind="unreadable",
        severity="warning",
        text=f"{count} {verb} left out; the first, {next(iter(built.failed))}: {first}",
        remedy="copy the files again",
        groups=(tuple(built.failed),),
    )
    return built.cache, catalog.select(good), (finding,)


def _items(catalog: Catalog, masks: Sequence[Source | None]) -> list[Item]:
    names = [[one["image"] for one in inputs] for inputs in catalog.cases["inputs"]]
    flat = [name for mine in names for name in mine]
    sources = dict(zip(flat, catalog.sources(flat), strict=True))
    hashes = dict(catalog.images.select("image", "hash").rows())
    return [
        Item(
            case,
            "+".join(str(hashes[name]) for name in mine),
            tuple(sources[name] for name in mine),
            mask,
        )
        for case, mine, mask in zip(catalog.cases["case"], names, masks, strict=True)
    ]
