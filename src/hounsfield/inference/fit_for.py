"""Does other data fit a run? Refused before anything is read."""

from __future__ import annotations

from typing import Any, Protocol

import polars as pl

from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.catalog.tables import Catalog
from hounsfield.errors import InputError
from hounsfield.preprocessing.table import TableSpec
from hounsfield.run import Run
from hounsfield.tasks.contract import Settings, Task


class Learned(Protocol):
    """A run or a bundle, by what it learned from."""

    @property
    def fingerprint(self) -> Fingerprint: ...
    @property
    def table(self) -> TableSpec | None: ...


def check_fit(run: Learned, catalog: Catalog) -> None:
    """Refuse data with other channels, slices or tables than a run or a bundle learned from.

    Raises:
        InputError: what differs, and what was expected.
    """
    learned, table = run.fingerprint, run.table
    if table is not None:
        table.check(catalog.cases)
    names = {tuple(one["channel"] for one in inputs) for inputs in catalog.cases["inputs"]}
    for channels in sorted(names - {learned.channels}):
        raise InputError(
            f"the cases have the channels {', '.join(channels)}",
            file=catalog.folder,
            expected=f"{', '.join(learned.channels)}, as in the training data",
            remedy="index the data with the layout that names these channels",
        )
    depth = int(str(catalog.images["depth"].max() or 1))
    if depth > 1 and learned.depth == 1:
        raise InputError(
            f"an image has {depth} slices, but the run learned from single pictures",
            file=catalog.folder,
            remedy="choose one slice of each volume first",
        )


def unseen(run: Run, catalog: Catalog) -> tuple[Catalog, str]:
    """The cases that the run has not learned from, by their files' content and their patients.

    Returns the catalog without the others, and a sentence about them, empty where there are none.
    Patients are compared where both catalogs have one key.

    Raises:
        InputError: it has learned from all of them.
    """
    parts = run.split.table.filter(pl.col("part") != "test")["case"]
    learned = run.catalog.select(parts.to_list())
    patients = learned.cases["patient"].drop_nulls().unique().to_list()
    hashes = learned.images["hash"].unique().to_list()
    images = catalog.images.filter(pl.col("hash").is_in(hashes))["image"].to_list()
    known = pl.col("inputs").list.eval(pl.element().struct.field("image").is_in(images)).list.any()
    seen = catalog.cases.filter(known | pl.col("patient").is_in(patients))["case"].to_list()
    if not seen:
        return catalog, ""
    if len(seen) == catalog.cases.height:
        raise InputError(
            f"the run has learned from all {len(seen)} cases: measuring on them is no test",
            file=catalog.folder,
            expected="cases that it has not seen",
            remedy="`hounsfield evaluate RUN` measures its own test part",
        )
    told = f"{len(seen)} of {catalog.cases.height} cases were among those that the run learned from"
    fresh = catalog.cases.filter(~pl.col("case").is_in(seen))["case"].to_list()
    return catalog.select(fresh), f"{told}: they are left out"


def check_labelled(catalog: Catalog, task: Task[Any, Any], settings: Settings) -> str:
    """Refuse to measure on data without labels of the run's task; tell where some lack one.

    Raises:
        InputError: no case has one.
    """
    every, truths = catalog.cases["case"], task.truths(catalog, settings)
    bare = [case for case, truth in zip(every, truths, strict=True) if truth is None]
    names = ", ".join(getattr(settings, "classes", ()))
    if len(bare) == len(every):
        raise InputError(
            f"none of the {len(every)} cases has a label of the run's task",
            file=catalog.folder,
            expected=f"labels of {task.NAME} as in the training data{names and f': {names}'}",
            remedy="`hounsfield predict` needs no labels",
        )
    if not bare:
        return ""
    mine = catalog.annotations.filter(pl.col("case").is_in(bare))["label"].drop_nulls()
    told = ", ".join(map(str, mine.unique().sort().head(5)))
    return (
        f"{len(bare)} of {len(every)} cases have no label that the run knows"
        f"{told and f' ({told})'}: they are not measured"
    )
